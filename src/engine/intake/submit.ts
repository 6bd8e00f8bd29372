import type { AuditEntry } from "../../monitor/audit.js";
import { backfillRequests } from "../../pipeline/backfill.js";
import type { Pipeline } from "../../pipeline/pipeline.js";
import type { ActionCaller, BackfillOptions, RerunOptions, TriggerOptions } from "../../pipeline/request-options.js";
import { checkedId, triggerRequest } from "../../pipeline/requests.js";
import { checkRerun, rerunRequest } from "../../pipeline/rerun.js";
import type { NotedResult } from "../../ports/store/audit.js";
import type { EnqueueResult } from "../../ports/store.js";
import type { Admission, QueueLimits } from "../../trigger/queue-limits.js";
import type { NewTrigger, TriggerRecord } from "../../trigger/trigger.js";
import { type Trigger, triggerView } from "../../trigger/view.js";
import type { AuditRecorder } from "../access/audit-log.js";
import { Batcher } from "../context/batcher.js";
import type { Core } from "../context/core.js";
import { noSuchRun, refuseOtherContent, refuseWhilePaused } from "../context/errors.js";
import { ofTrigger } from "../context/event-payloads.js";
import type { GlobalPause } from "../context/global-pause.js";

/** Events of a backfill that are emitted between two turns of the event loop. */
const EMITTED_AT_ONCE = 250;

interface Accepted {
  readonly request: NewTrigger;
  readonly caller: ActionCaller | undefined;
}

type TriggerSubmissionCore = Pick<Core, "clock" | "events" | "fireQueue" | "newId" | "signals" | "store">;

/** Takes what somebody asks for: triggers that come at once are accepted together. */
export class TriggerSubmission {
  readonly #core: TriggerSubmissionCore;
  readonly #globalPause: GlobalPause;
  readonly #audit: AuditRecorder;
  readonly #enqueues: Batcher<Accepted, EnqueueResult>;
  readonly #limited = new WeakMap<QueueLimits, Batcher<Accepted, EnqueueResult>>();

  constructor(core: TriggerSubmissionCore, globalPause: GlobalPause, audit: AuditRecorder) {
    this.#core = core;
    this.#globalPause = globalPause;
    this.#audit = audit;
    this.#enqueues = this.#batcher(undefined);
  }

  async trigger(pipeline: Pipeline, options: TriggerOptions, admission?: Admission): Promise<Trigger> {
    const { clock, newId, events, store } = this.#core;
    const request = await triggerRequest(pipeline, options, newId(clock.now()), admission?.requestedBy ?? null);
    if (request.kind === "immediate" && !request.isForced) await refuseWhilePaused(this.#core, pipeline.id);
    const { transaction } = options;
    const { trigger, isNew } = await (transaction === undefined
      ? this.#batcherOf(admission).add({ request, caller: options.caller })
      : store.enqueue([request], clock.now(), { transaction, ...limitsOf(admission) }).then(([result]) => result as EnqueueResult));
    if (!isNew) refuseOtherContent(trigger, request);
    else events.emit("trigger.created", ofTrigger, trigger);
    if (request.isForced || !this.#isPaused(pipeline.id)) this.#core.signals.wake.emit();
    return triggerView(trigger);
  }

  /** Repeats a run that has ended. */
  async rerun(runId: string, options: RerunOptions, pipelineOf: (id: string) => Pipeline, admission?: Admission): Promise<Trigger> {
    const { clock, newId, events, signals, store } = this.#core;
    checkRerun(options);
    const run = await store.run(checkedId(runId, "rerun"));
    const repeated = run === null ? null : await store.trigger(run.triggerId);
    if (run === null || repeated === null) throw noSuchRun(runId);
    const by = { id: newId(clock.now()), requestedBy: admission?.requestedBy ?? null };
    const request = await rerunRequest(pipelineOf(run.pipelineId), { run, trigger: repeated }, options, by);
    const { trigger, isNew } = await this.#batcherOf(admission).add({ request, caller: options.caller });
    if (!isNew) refuseOtherContent(trigger, request);
    else events.emit("trigger.created", ofTrigger, trigger);
    signals.wake.emit();
    return triggerView(trigger);
  }

  async backfill(pipeline: Pipeline, options: BackfillOptions, admission?: Admission): Promise<readonly Trigger[]> {
    const { clock, newId, store, events } = this.#core;
    const now = clock.now();
    const context = { newId: () => newId(now), now, clock, requestedBy: admission?.requestedBy ?? null };
    const requests = await backfillRequests(pipeline, options, context);
    const noted = options.caller === undefined ? undefined : this.#notedBackfill(pipeline.id, options);
    const results = await store.enqueue(requests, now, { ...limitsOf(admission), ...(noted === undefined ? {} : { noted }) });
    if (noted !== undefined) this.#audit.touched();
    for (const [index, { trigger, isNew }] of results.entries()) {
      if (isNew) events.emit("trigger.created", ofTrigger, trigger);
      if (index % EMITTED_AT_ONCE === EMITTED_AT_ONCE - 1) await clock.yield?.();
    }
    this.#core.signals.wake.emit();
    return results.map(({ trigger }) => triggerView(trigger));
  }

  #batcherOf(admission: Admission | undefined): Batcher<Accepted, EnqueueResult> {
    if (admission === undefined) return this.#enqueues;
    const known = this.#limited.get(admission.limits);
    if (known !== undefined) return known;
    const made = this.#batcher(admission);
    this.#limited.set(admission.limits, made);
    return made;
  }

  #batcher(admission: Admission | undefined): Batcher<Accepted, EnqueueResult> {
    const send = (accepted: readonly Accepted[]) => this.#enqueue(accepted, limitsOf(admission));
    return new Batcher(this.#core, send, { isPatient: false, lanes: 2, gathers: "turn" });
  }

  /** Accepts triggers; requests of API callers are recorded in the audit log in the same transaction. */
  async #enqueue(accepted: readonly Accepted[], limits: { limits?: QueueLimits }): Promise<readonly EnqueueResult[]> {
    const { store, clock } = this.#core;
    const now = clock.now();
    const requests = accepted.map(({ request }) => request);
    if (accepted.every(({ caller }) => caller === undefined)) return store.enqueue(requests, now, limits);
    const entries = (results: readonly EnqueueResult[]): AuditEntry[] =>
      results.flatMap(({ trigger, isNew }, index) => {
        const caller = accepted[index]?.caller;
        if (!isNew || caller === undefined) return [];
        const { pipelineId, kind, priority, isForced, user, reason, rerunOf } = trigger;
        const act = { caller, ...(user === null ? {} : { user }), ...(reason === null ? {} : { reason }) };
        const change = {
          action: "trigger",
          pipelineId,
          ids: [trigger.id],
          after: { kind, priority, isForced, ...(rerunOf === null ? {} : { rerunOf }) },
        };
        return [this.#audit.entry(change, act, now)];
      });
    const results = await store.enqueue(requests, now, { ...limits, noted: { entries, sealer: this.#audit.sealer } });
    this.#audit.touched();
    return results;
  }

  /** One entry for all triggers of a backfill. */
  #notedBackfill(pipelineId: string, options: BackfillOptions): NotedResult<readonly EnqueueResult[]> {
    const entries = (results: readonly EnqueueResult[]): AuditEntry[] => {
      const made = results.flatMap(({ trigger, isNew }) => (isNew ? [trigger] : []));
      if (made.length === 0) return [];
      const at = (trigger: TriggerRecord | undefined) => new Date(trigger?.scheduledFor ?? 0).toISOString();
      const after = { triggers: made.length, firstFireTime: at(made[0]), lastFireTime: at(made.at(-1)) };
      const change = { action: "backfill", pipelineId, ids: made.map(({ id }) => id), after };
      return [this.#audit.entry(change, options, this.#core.clock.now())];
    };
    return { entries, sealer: this.#audit.sealer };
  }

  /** As far as this node knows; a resume that it has not heard of is found by looking. */
  #isPaused(pipelineId: string): boolean {
    return this.#globalPause.current.pause !== null || (this.#core.fireQueue.get(pipelineId)?.pause ?? null) !== null;
  }
}

function limitsOf(admission: Admission | undefined): { readonly limits?: QueueLimits } {
  return admission === undefined ? {} : { limits: admission.limits };
}
