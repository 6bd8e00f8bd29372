import type { EnqueueResult } from "../ports/store.js";
import type { Admission, QueueLimits } from "../trigger/queue-limits.js";
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

/** Events of a backfill that are emitted between two turns of the event loop. */
const EMITTED_AT_ONCE = 250;

/** Takes what somebody asks for: triggers that come at once are accepted together. */
export class Asking {
  readonly #core: Core;
  readonly #loop: Loop;
  readonly #enqueues: Batcher<NewTrigger, EnqueueResult>;
  readonly #limited = new WeakMap<QueueLimits, Batcher<NewTrigger, EnqueueResult>>();

  constructor(core: Core, loop: Loop) {
    this.#core = core;
    this.#loop = loop;
    this.#enqueues = this.#batcher(undefined);
  }

  async trigger(pipeline: Pipeline, options: TriggerOptions, admission?: Admission): Promise<Trigger> {
    const { clock, newId, events, store } = this.#core;
    const request = await triggerRequest(pipeline, options, newId(clock.now()), admission?.requestedBy ?? null);
    if (request.kind === "immediate" && !request.isForced) await refuseWhilePaused(this.#core, pipeline.id);
    const { transaction } = options;
    const { trigger, isNew } = await (transaction === undefined
      ? this.#batcherOf(admission).add(request)
      : store.enqueue([request], clock.now(), { transaction, ...limitsOf(admission) }).then(([result]) => result as EnqueueResult));
    if (!isNew) refuseOtherContent(trigger, request);
    else events.tell("trigger.created", ofTrigger, trigger);
    if (request.isForced || !this.#isPaused(pipeline.id)) this.#loop.wake();
    return triggerView(trigger);
  }

  async backfill(pipeline: Pipeline, options: BackfillOptions, admission?: Admission): Promise<readonly Trigger[]> {
    const { clock, newId, store, events } = this.#core;
    const now = clock.now();
    const context = { newId: () => newId(now), now, clock, requestedBy: admission?.requestedBy ?? null };
    const results = await store.enqueue(await backfillRequests(pipeline, options, context), now, limitsOf(admission));
    for (const [index, { trigger, isNew }] of results.entries()) {
      if (isNew) events.tell("trigger.created", ofTrigger, trigger);
      if (index % EMITTED_AT_ONCE === EMITTED_AT_ONCE - 1) await clock.yield?.();
    }
    this.#loop.wake();
    return results.map(({ trigger }) => triggerView(trigger));
  }

  #batcherOf(admission: Admission | undefined): Batcher<NewTrigger, EnqueueResult> {
    if (admission === undefined) return this.#enqueues;
    const known = this.#limited.get(admission.limits);
    if (known !== undefined) return known;
    const made = this.#batcher(admission);
    this.#limited.set(admission.limits, made);
    return made;
  }

  #batcher(admission: Admission | undefined): Batcher<NewTrigger, EnqueueResult> {
    const { store, clock } = this.#core;
    const send = (requests: readonly NewTrigger[]) => store.enqueue(requests, clock.now(), limitsOf(admission));
    return new Batcher(this.#core, send, { isPatient: false, lanes: 2, gathers: "turn" });
  }

  /** As far as this node knows; a resume that it has not heard of is found by looking. */
  #isPaused(pipelineId: string): boolean {
    return this.#loop.globalPause.pause !== null || (this.#core.registry.get(pipelineId)?.pause ?? null) !== null;
  }
}

function limitsOf(admission: Admission | undefined): { readonly limits?: QueueLimits } {
  return admission === undefined ? {} : { limits: admission.limits };
}
