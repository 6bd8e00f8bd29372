import type { BackfillOptions, RerunOptions, TriggerOptions } from "../../pipeline/request-options.js";
import type { Admission } from "../../trigger/queue-limits.js";
import type { Trigger } from "../../trigger/view.js";
import type { Clock } from "../clock.js";
import type { RemoteState } from "../executor.js";
import type { IdempotencyRecord } from "../store.js";
import type { EventFeed } from "./event-feed.js";
import type { SchedulerEvents } from "./events.js";

/** For adapters, such as the HTTP API: what they need of a scheduler beside its public methods. */
export interface AdapterContext {
  /** Events of all nodes. */
  readonly feed: EventFeed;

  /** The clock that the scheduler was made with. */
  readonly clock: Clock;

  /** Reports what can be thrown to nobody, as the event `error` and to the logger. */
  report(error: unknown, where: string): void;

  /**
   * Reports what may fail with every request while the store is away: once for each reason, until {@link AdapterContext.reportSuccess}.
   *
   * @param kind - what failed, in words that are the same each time
   * @param where - the same for the report; default `kind`
   */
  reportFailure(kind: string, error: unknown, where?: string): void;

  /** Reports that what had failed works again; how often it failed is logged. */
  reportSuccess(kind: string): void;

  /** Returns a text without its secrets. */
  redact(text: string): string;

  /** Emits an event of an adapter. */
  emit<E extends "file.accepted" | "file.rejected">(name: E, event: SchedulerEvents[E]): void;

  /**
   * Accepts the end, or the progress, of an attempt that is executed elsewhere.
   *
   * @throws HeadgateError `NOT_FOUND`, `ALREADY_FINISHED`
   */
  complete(runId: string, attempt: number, state: Exclude<RemoteState, { status: "lost" }>): Promise<void>;

  /** Returns the sources whose webhooks may start a pipeline; `null` when the pipeline names none. */
  webhookSourcesOf(pipelineId: string): readonly string[] | null;

  /** Returns the pipelines that name a source of webhooks that may start them. */
  pipelinesOfSource(source: string): readonly string[];

  /**
   * Accepts a trigger that was requested from outside, within limits: see `Scheduler.trigger`.
   *
   * @throws HeadgateError as that, and `QUEUE_FULL`
   */
  trigger(pipelineId: string, options: TriggerOptions, admission: Admission): Promise<Trigger>;

  /**
   * Accepts the repetition of a run that was requested from outside, within limits: see `Scheduler.rerun`.
   *
   * @throws HeadgateError as that, and `QUEUE_FULL`
   */
  rerun(runId: string, options: RerunOptions, admission: Admission): Promise<Trigger>;

  /**
   * Accepts a backfill that was requested from outside, within limits, all of it or nothing: see `Scheduler.backfill`.
   *
   * @throws HeadgateError as that, and `QUEUE_FULL`
   */
  backfill(pipelineId: string, options: BackfillOptions, admission: Admission): Promise<readonly Trigger[]>;

  /** Keeps the first answer under an idempotency key: see `Store.saveResponse`. */
  saveResponse(record: IdempotencyRecord): Promise<IdempotencyRecord>;

  /** Frees an idempotency key that has no answer: see `Store.releaseKey`. */
  releaseKey(key: string, request: string): Promise<void>;

  /** Keeps what a configuration file says, and the difference to what was kept in the audit log, in one transaction; `compare` returns `null` for none. */
  recordConfig(
    shown: unknown,
    compare: (before: unknown, after: unknown) => { readonly before: unknown; readonly after: unknown } | null,
  ): Promise<void>;
}
