import type { EnqueueResult } from "../ports/store.js";
import type { NewTrigger } from "../trigger/trigger.js";
import { backfillRequests } from "./backfill.js";
import { Batcher } from "./batcher.js";
import type { Core } from "./core.js";
import type { Loop } from "./loop.js";
import type { Pipeline } from "./pipeline.js";
import { refuseOtherContent, refuseWhilePaused } from "./refusals.js";
import { type BackfillOptions, type TriggerOptions, triggerRequest } from "./requests.js";
import { ofTrigger } from "./tell.js";
import { type Trigger, triggerView } from "./views.js";

/** Takes what somebody asks for: triggers that come at once are accepted together. */
export class Asking {
  readonly #core: Core;
  readonly #loop: Loop;
  readonly #enqueues: Batcher<NewTrigger, EnqueueResult>;

  constructor(core: Core, loop: Loop) {
    this.#core = core;
    this.#loop = loop;
    this.#enqueues = new Batcher(core, (requests) => core.store.enqueue(requests, core.clock.now()), {
      isPatient: false,
      lanes: 2,
      gathers: "turn",
    });
  }

  async trigger(pipeline: Pipeline, options: TriggerOptions): Promise<Trigger> {
    const { clock, newId, events } = this.#core;
    const request = await triggerRequest(pipeline, options, newId(clock.now()));
    if (request.kind === "immediate" && !request.isForced) await refuseWhilePaused(this.#core, pipeline.id);
    const { trigger, isNew } = await (options.transaction === undefined
      ? this.#enqueues.add(request)
      : this.#core.store.enqueue([request], clock.now(), options.transaction).then(([result]) => result as EnqueueResult));
    if (!isNew) refuseOtherContent(trigger, request);
    else events.tell("trigger.created", ofTrigger, trigger);
    if (request.isForced || !this.#isPaused(pipeline.id)) this.#loop.wake();
    return triggerView(trigger);
  }

  async backfill(pipeline: Pipeline, options: BackfillOptions): Promise<readonly Trigger[]> {
    const { clock, newId, store, events } = this.#core;
    const now = clock.now();
    const results = await store.enqueue(await backfillRequests(pipeline, options, () => newId(now), now), now);
    for (const { trigger, isNew } of results) if (isNew) events.tell("trigger.created", ofTrigger, trigger);
    this.#loop.wake();
    return results.map(({ trigger }) => triggerView(trigger));
  }

  /** As far as this node knows; a resume that it has not heard of is found by looking. */
  #isPaused(pipelineId: string): boolean {
    return this.#loop.globalPause.pause !== null || (this.#core.registry.get(pipelineId)?.pause ?? null) !== null;
  }
}
