import type { BackfillOptions, RerunOptions, TriggerOptions } from "../pipeline/request-options.js";
import type { Clock } from "../ports/clock.js";
import type { RemoteState } from "../ports/executor.js";
import type { AdapterContext } from "../ports/scheduler-api/adapter-context.js";
import type { SchedulerEvents } from "../ports/scheduler-api/events.js";
import type { IdempotencyRecord } from "../ports/store.js";
import type { Admission } from "../trigger/queue-limits.js";
import type { Trigger } from "../trigger/view.js";
import type { AuditRecorder } from "./access/audit-log.js";
import { changeDocument } from "./context/change-document.js";
import type { Core } from "./context/core.js";
import { FailureReports } from "./context/failure-reports.js";
import type { StoreEventFeed } from "./feed/event-feed.js";
import type { TriggerSubmission } from "./intake/submit.js";
import type { PipelineRegistry } from "./pipelines/pipeline-registry.js";
import type { Runner } from "./running/runner.js";

interface AdapterContextParts {
  readonly feed: StoreEventFeed;
  readonly runner: Runner;
  readonly audit: AuditRecorder;
  readonly submission: TriggerSubmission;
  readonly registry: PipelineRegistry;
}

type EngineAdapterContextCore = Pick<Core, "clock" | "events" | "fireQueue" | "logger" | "redact" | "store">;

/** Internal interface for adapters, in addition to the scheduler's public methods. */
export class EngineAdapterContext implements AdapterContext {
  readonly #core: EngineAdapterContextCore;
  readonly #runner: Runner;
  readonly #audit: AuditRecorder;
  readonly #failures: FailureReports;
  /** Events of all nodes. */
  readonly feed: StoreEventFeed;
  readonly #submission: TriggerSubmission;
  readonly #registry: PipelineRegistry;

  constructor(core: EngineAdapterContextCore, { feed, runner, audit, submission, registry }: AdapterContextParts) {
    this.#core = core;
    this.feed = feed;
    this.#failures = new FailureReports(core);
    this.#submission = submission;
    this.#registry = registry;
    this.#audit = audit;
    this.#runner = runner;
  }

  /** The clock that the scheduler was made with. */
  get clock(): Clock {
    return this.#core.clock;
  }

  report(error: unknown, where: string): void {
    this.#core.events.report(error, where);
  }

  reportFailure(kind: string, error: unknown, where?: string): void {
    this.#failures.failed(kind, error, where);
  }

  reportSuccess(kind: string): void {
    this.#failures.succeeded(kind);
  }

  redact(text: string): string {
    return this.#core.redact(text);
  }

  emit<E extends "file.accepted" | "file.rejected">(name: E, event: SchedulerEvents[E]): void {
    this.#core.events.emit(name, () => event);
  }

  complete(runId: string, attempt: number, state: Exclude<RemoteState, { status: "lost" }>): Promise<void> {
    return this.#runner.complete(runId, attempt, state);
  }

  webhookSourcesOf(pipelineId: string): readonly string[] | null {
    const sensors = this.#core.fireQueue.get(pipelineId)?.pipeline.sensors ?? [];
    const sources = sensors.flatMap((one) => (one.kind === "webhook" ? one.sources : []));
    return sources.length === 0 ? null : sources;
  }

  pipelinesOfSource(source: string): readonly string[] {
    return [...this.#core.fireQueue.all()].flatMap(({ pipeline: { id } }) => (this.webhookSourcesOf(id)?.includes(source) ? [id] : []));
  }

  async trigger(pipelineId: string, options: TriggerOptions, admission: Admission): Promise<Trigger> {
    return this.#submission.trigger(this.#registry.running(pipelineId), options, admission);
  }

  async rerun(runId: string, options: RerunOptions, admission: Admission): Promise<Trigger> {
    return this.#submission.rerun(runId, options, (id) => this.#registry.running(id), admission);
  }

  async backfill(pipelineId: string, options: BackfillOptions, admission: Admission): Promise<readonly Trigger[]> {
    return this.#submission.backfill(this.#registry.running(pipelineId), options, admission);
  }

  saveResponse(record: IdempotencyRecord): Promise<IdempotencyRecord> {
    return this.#core.store.saveResponse(record);
  }

  releaseKey(key: string, request: string): Promise<void> {
    return this.#core.store.releaseKey(key, request);
  }

  async recordConfig(
    shown: unknown,
    compare: (before: unknown, after: unknown) => { readonly before: unknown; readonly after: unknown } | null,
  ): Promise<void> {
    await changeDocument(this.#core, { kind: "configuration", id: "file", what: "the configuration" }, (kept) => {
      const difference = compare(kept, shown);
      if (difference === null) return null;
      const change = { action: "config", pipelineId: null, ...difference };
      return { next: shown, user: null, noted: this.#audit.noted(change, { reason: "the configuration file was changed" }) };
    });
  }
}
