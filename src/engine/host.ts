import type { Clock } from "../ports/clock.js";
import type { RemoteState } from "../ports/executor.js";
import type { AnswerRecord } from "../ports/store.js";
import type { Admission } from "../trigger/queue-limits.js";
import type { Asking } from "./asking.js";
import type { AuditLog } from "./audit-log.js";
import { changeKept } from "./change-kept.js";
import type { Core } from "./core.js";
import { EventFeed } from "./event-feed.js";
import type { SchedulerEvents } from "./events.js";
import { FailureReports } from "./failure-reports.js";
import type { Pipeline } from "./pipeline.js";
import type { BackfillOptions, TriggerOptions } from "./request-options.js";
import type { Runner } from "./runner.js";
import type { Trigger } from "./views.js";

/** What adapters that ask a scheduler need beside its public methods. */
export class Host {
  readonly #core: Core;
  readonly #runner: Runner;
  readonly #audit: AuditLog;
  readonly #failures: FailureReports;
  /** Events of all nodes. */
  readonly feed: EventFeed;
  readonly #asking: Asking;
  readonly #pipelineOf: (id: string) => Pipeline;

  /** @param pipelineOf - a pipeline of a running scheduler; throws otherwise */
  constructor(core: Core, runner: Runner, audit: AuditLog, asking: Asking, pipelineOf: (id: string) => Pipeline) {
    this.#core = core;
    this.feed = new EventFeed(core);
    this.#failures = new FailureReports(core);
    this.#asking = asking;
    this.#pipelineOf = pipelineOf;
    this.#audit = audit;
    this.#runner = runner;
  }

  /** The clock that the scheduler was made with. */
  get clock(): Clock {
    return this.#core.clock;
  }

  /** Reports what can be thrown to nobody, as the event `error` and to the logger. */
  report(error: unknown, where: string): void {
    this.#core.events.report(error, where);
  }

  /**
   * Reports what may fail with every request while the store is away: once for each reason, until {@link Host.reportSuccess}.
   *
   * @param kind - what failed, in words that are the same each time
   * @param where - the same for the report; default `kind`
   */
  reportFailure(kind: string, error: unknown, where?: string): void {
    this.#failures.failed(kind, error, where);
  }

  /** What had failed works again; how often it failed is logged. */
  reportSuccess(kind: string): void {
    this.#failures.succeeded(kind);
  }

  /** Takes secrets out of a text. */
  redact(text: string): string {
    return this.#core.redact(text);
  }

  /** Tells an event of an adapter's. */
  tell<E extends "file.accepted" | "file.rejected">(name: E, event: SchedulerEvents[E]): void {
    this.#core.events.tell(name, () => event);
  }

  /**
   * Takes the end, or the progress, of an attempt that is carried out elsewhere from whoever does.
   *
   * @throws HeadgateError `NOT_FOUND`, `ALREADY_FINISHED`
   */
  complete(runId: string, attempt: number, state: Exclude<RemoteState, { status: "lost" }>): Promise<void> {
    return this.#runner.complete(runId, attempt, state);
  }

  /** The sources whose webhooks may start a pipeline; `null` when it does not say. */
  webhookSourcesOf(pipelineId: string): readonly string[] | null {
    const sensors = this.#core.registry.get(pipelineId)?.pipeline.sensors ?? [];
    const sources = sensors.flatMap((one) => (one.kind === "webhook" ? one.sources : []));
    return sources.length === 0 ? null : sources;
  }

  /** The pipelines that webhooks of a source may start, by their own word. */
  pipelinesOfSource(source: string): readonly string[] {
    return [...this.#core.registry.all()].flatMap(({ pipeline: { id } }) => (this.webhookSourcesOf(id)?.includes(source) ? [id] : []));
  }

  /**
   * Accepts a trigger that was requested from outside, within limits: see `Scheduler.trigger`.
   *
   * @throws HeadgateError as that, and `QUEUE_FULL`
   */
  async trigger(pipelineId: string, options: TriggerOptions, admission: Admission): Promise<Trigger> {
    return this.#asking.trigger(this.#pipelineOf(pipelineId), options, admission);
  }

  /**
   * Accepts a backfill that was requested from outside, within limits, all of it or nothing: see `Scheduler.backfill`.
   *
   * @throws HeadgateError as that, and `QUEUE_FULL`
   */
  async backfill(pipelineId: string, options: BackfillOptions, admission: Admission): Promise<readonly Trigger[]> {
    return this.#asking.backfill(this.#pipelineOf(pipelineId), options, admission);
  }

  /** Keeps the first answer under an idempotency key: see `Store.keepAnswer`. */
  keepAnswer(record: AnswerRecord): Promise<AnswerRecord> {
    return this.#core.store.keepAnswer(record);
  }

  freeAnswer(key: string, request: string): Promise<void> {
    return this.#core.store.freeAnswer(key, request);
  }

  /** Keeps what a configuration file says, and the difference to what was kept in the audit log, in one transaction; `compare` gives `null` for none. */
  async recordConfig(
    shown: unknown,
    compare: (before: unknown, after: unknown) => { readonly before: unknown; readonly after: unknown } | null,
  ): Promise<void> {
    await changeKept(this.#core, { key: "config-file", what: "the configuration is" }, (kept: unknown) => {
      const difference = compare(kept ?? null, shown);
      if (difference === null) return null;
      const change = { action: "config", pipelineId: null, ...difference };
      return { next: shown, user: null, noted: this.#audit.noted(change, { reason: "the configuration file was changed" }) };
    });
  }
}
