import type { Instant } from "../../base/instant.js";
import type { Decision } from "../../gate/view.js";
import type { Pipeline } from "../../pipeline/pipeline.js";
import type { IdOf, OutputOf, ParametersOf, PipelineRef } from "../../pipeline/pipeline-ref.js";
import type {
  ActionContext,
  BackfillArgument,
  PauseOptions,
  PipelineSelection,
  RerunOptions,
  ResumeOptions,
} from "../../pipeline/request-options.js";
import type { RunScheduler } from "../../pipeline/run-scheduler.js";
import type { Run } from "../../run/view.js";
import type { Trigger } from "../../trigger/view.js";
import type { AdapterContext } from "./adapter-context.js";
import type { AdaptiveSchedules } from "./adaptive-schedules.js";
import type { Alerts } from "./alerts.js";
import type { AuditLog } from "./audit-log.js";
import type { CancelledMany, CancelManyOptions } from "./cancel-many.js";
import type { EventName, Listener } from "./events.js";
import type { Explanation } from "./explanation.js";
import type { DecisionListOptions, Page, RunListOptions, TriggerListOptions } from "./lists.js";
import type { NodeRegistry } from "./node-registry.js";
import type { ReloadOptions, ReloadResult } from "./reload.js";
import type { SettingsManager } from "./settings-manager.js";
import type { SkipOptions, SkippedFireTime, UnskipOptions } from "./skips.js";
import type { StatisticsService } from "./statistics-service.js";
import type { PipelineStatus, SchedulerStatus } from "./status.js";
import type { StopOptions } from "./stop-options.js";
import type { Tokens } from "./tokens.js";
import type { UpcomingFire, UpcomingFireOptions } from "./upcoming.js";

/**
 * Decides when its pipelines run, starts them, and says why. Made by `createScheduler`, which knows the types of the pipelines it is given: `trigger`, `run` and `backfill` check parameters by
 * them, also by a pipeline's id.
 */
export interface Scheduler<P extends Pipeline = Pipeline> extends RunScheduler<P> {
  /** Settings of pipelines that are changed at run time. */
  readonly settings: SettingsManager;

  /** The intervals of adaptive schedules. */
  readonly adaptive: AdaptiveSchedules;

  /** Statistics of the pipelines, over all nodes. */
  readonly statistics: StatisticsService;

  /** Alerts that are firing, and silences. */
  readonly alerts: Alerts;

  /** The nodes that raise alerts, and those that were lost. */
  readonly nodes: NodeRegistry;

  /** Tokens for callers of the HTTP API. */
  readonly tokens: Tokens;

  /** The log of calls and changes. */
  readonly audit: AuditLog;

  /** For adapters, such as the HTTP API: what they need beside the rest. */
  readonly host: AdapterContext;

  /**
   * Opens the store, plans the schedules (missed fire times go through catchup) and begins; resolves after the first round, not when a backlog has been worked off. Twice
   * is harmless. `stop()` ends a start at once, wherever it is.
   *
   * @throws HeadgateError `SCHEDULER_STOPPED` when it was stopped, before or meanwhile; what opening the store throws
   */
  start(): Promise<void>;

  /**
   * Stops claiming, lets running work finish for `drain` (default `"30s"`), then aborts it (its attempts are closed as lost and retried under the
   * retry policy by the next node to start), then releases everything. Twice is harmless. Resolves within `drain` + `cancelGracePeriod` + 7 s whatever the store does: one that
   * does not answer has 5 s to record what is left, then its connections are ended.
   *
   * @throws HeadgateError `INVALID_ARGUMENT`, `INVALID_DURATION`
   */
  stop(options?: StopOptions): Promise<void>;

  /**
   * Requests a run for every fire time in [from, to), oldest first, behind everything else; a fire time that has run before runs again.
   *
   * @throws HeadgateError `UNKNOWN_PIPELINE`, `INVALID_INSTANT`, `INVALID_PARAMETERS`, `TOO_MANY` beyond 10,000 fire times
   * @example
   * await scheduler.backfill(dailySales, { from: "2026-01-01", to: "2026-02-01", user: "ana", reason: "new currency" });
   */
  backfill<Parameters, Output>(
    pipeline: PipelineRef<string, Parameters, Output>,
    options: BackfillArgument<NoInfer<Parameters>>,
  ): Promise<readonly Trigger<Output>[]>;
  /** The same by the pipeline's id: what the types know of it is checked. */
  backfill<Id extends IdOf<P>>(
    pipelineId: Id,
    options: BackfillArgument<ParametersOf<P, Id>>,
  ): Promise<readonly Trigger<OutputOf<P, Id>>[]>;

  /**
   * Cancels what waits, or also what runs, of pipelines, kinds or a span of time: at most 1,000 triggers a call, each with its own audit record; with `preview`, nothing, but it says what would be.
   *
   * @throws HeadgateError `INVALID_ARGUMENT`, `INVALID_INSTANT`, `UNKNOWN_PIPELINE`, `SCHEDULER_STOPPED`
   * @example
   * const { triggers } = await scheduler.cancelMany({ tag: "warehouse", kind: "backfill", preview: true });
   * await scheduler.cancelMany({ tag: "warehouse", kind: "backfill", user: "ana", reason: "wrong month" });
   */
  cancelMany(options: CancelManyOptions): Promise<CancelledMany>;

  /**
   * Runs a run that has ended again: a new trigger with its parameters, and for the fire time and the span of time that it was for (then it is a backfill of that fire time). Its `rerunOf` names the run. Conditions, limits and pauses
   * hold for it as for any trigger.
   *
   * @throws HeadgateError `NOT_FOUND`, `NOT_FINISHED` while the run is active, `UNKNOWN_PIPELINE`, `INVALID_PARAMETERS`, `INVALID_ARGUMENT`, `IDEMPOTENCY_CONFLICT`, `SCHEDULER_STOPPED`
   * @example
   * const trigger = await scheduler.rerun(run.id, { user: "ana", reason: "the prices were corrected" });
   */
  rerun(runId: string, options?: RerunOptions): Promise<Trigger>;

  /**
   * Makes the next attempt of a run that waits for it due now, instead of when its retry policy says. It starts as soon as there is a slot, unless the pipeline is paused; the attempts that are left stay as they are.
   *
   * @throws HeadgateError `NOT_FOUND`, `NOT_RETRYING` while an attempt runs, `ALREADY_FINISHED`, `INVALID_ARGUMENT`, `SCHEDULER_STOPPED`
   * @example
   * await scheduler.retryNow(run.id, { user: "ana", reason: "the warehouse is back" });
   */
  retryNow(runId: string, act?: ActionContext): Promise<Run>;

  /**
   * Pauses a pipeline, several, those of a tag or an owner, or everything, all of them or none: nothing fires, triggers wait, running work goes on.
   *
   * @param target - a pipeline's id, or options that select pipelines; without a selection, everything
   * @throws HeadgateError `UNKNOWN_PIPELINE`, `INVALID_ARGUMENT`, `INVALID_DURATION`, `INVALID_INSTANT`
   * @example
   * await scheduler.pause("daily-sales", { reason: "warehouse is moving", user: "ana", duration: "2h" });
   * await scheduler.pause({ tag: "warehouse", until: "2026-03-01T06:00:00Z", user: "ana" });
   */
  pause(target?: string | PauseOptions, options?: Omit<PauseOptions, keyof PipelineSelection>): Promise<void>;

  /**
   * Ends a pause; missed fire times go through catchup. Returns false when there was none.
   *
   * @throws HeadgateError `UNKNOWN_PIPELINE`, `INVALID_ARGUMENT`
   */
  resume(target?: string | ResumeOptions, options?: ActionContext): Promise<boolean>;

  /**
   * Leaves fire times of a pipeline's schedule out: the next one, the next few, or those at instants. Each becomes a decision that says by whom and why it was skipped; what is requested otherwise runs. Kept in the store, in force
   * on all nodes, also if it comes within the last millisecond before the fire time. A fire time is an instant: one that a changed schedule, or an adaptive one, no longer has, is forgotten. Returns all fire times that the
   * pipeline will leave out, in order.
   *
   * @throws HeadgateError `UNKNOWN_PIPELINE`, `INVALID_ARGUMENT`, `INVALID_INSTANT`, `ALREADY_FINISHED` for a fire time that was decided on, `TOO_MANY` beyond 100, `SCHEDULER_STOPPED`
   * @example
   * await scheduler.skip("daily-sales", { next: 2, reason: "bank holiday", user: "ana" });
   */
  skip(pipelineId: string, options?: SkipOptions): Promise<readonly SkippedFireTime[]>;

  /**
   * Takes skips back: the fire times will be made. Returns them; none when nothing was to be left out, or it is too late.
   *
   * @throws HeadgateError `UNKNOWN_PIPELINE`, `INVALID_ARGUMENT`, `INVALID_INSTANT`, `SCHEDULER_STOPPED`
   */
  unskip(pipelineId: string, options?: UnskipOptions): Promise<readonly SkippedFireTime[]>;

  /**
   * Adds pipelines, before or while running.
   *
   * @throws HeadgateError `DUPLICATE_PIPELINE`, `UNKNOWN_POOL`, `INVALID_PIPELINE`
   */
  add(...pipelines: readonly Pipeline[]): Promise<void>;

  /** Replaces a pipeline by one with its id; a new schedule is planned from now, the old one's pause and history stay. */
  replace(pipeline: Pipeline): Promise<void>;

  /**
   * Replaces the pipelines, pools, limits and alert rules, all or (when something is refused) none. One that is the same object stays as it is, one not named is removed.
   *
   * @throws HeadgateError as `createScheduler`; `STORE_UNAVAILABLE`, `SCHEDULER_STOPPED`
   */
  reload(options: ReloadOptions): Promise<ReloadResult>;

  /**
   * Takes a pipeline from this node: it fires and starts here no more. Active runs go on; what the store keeps of it stays, waiting triggers too, for
   * other nodes or until it is added again. Returns false when it was not there.
   */
  remove(pipelineId: string): Promise<boolean>;

  /**
   * Takes a pipeline out of use on all nodes: it fires no more, what waits is cancelled, active runs go on, its history stays. Registering it again, by a node
   * that starts with it, brings it back: remove it from the code first.
   *
   * @throws HeadgateError `UNKNOWN_PIPELINE` when the store does not know it, `SCHEDULER_STOPPED`
   */
  retire(pipelineId: string, act?: ActionContext): Promise<void>;

  /** Returns the pipelines of this node. */
  pipelines(): readonly Pipeline[];

  /**
   * Returns a pipeline of this node, `null` for an unknown id. It has the overrides that are in effect.
   *
   * @throws HeadgateError `INVALID_ARGUMENT` for anything but a string
   */
  getPipeline(pipelineId: string): Pipeline | null;

  /** Returns true when this node has a pipeline. */
  has(pipelineId: string): boolean;

  /**
   * Returns the next fire times, of one pipeline or of all, soonest first, from where the store has the schedules, each with what becomes of it as far as that is certain now: the same as
   * {@link Scheduler.explain} answers. The store must be open: it is after `start()`.
   *
   * @throws HeadgateError `UNKNOWN_PIPELINE`, `INVALID_ARGUMENT`, `INVALID_INSTANT`
   * @example
   * for (const { pipelineId, fireAt, answer } of await scheduler.upcoming({ count: 20 })) console.log(fireAt, pipelineId, answer);
   */
  upcoming(options?: UpcomingFireOptions): Promise<readonly UpcomingFire[]>;

  /** Returns triggers, newest first. */
  triggers(options?: TriggerListOptions): Promise<Page<Trigger>>;

  /** Returns runs, newest first. */
  runs(options?: RunListOptions): Promise<Page<Run>>;

  /** Returns decisions, newest first. */
  decisions(options?: DecisionListOptions): Promise<Page<Decision>>;

  /** Returns the scheduler's status. */
  status(): SchedulerStatus;

  /**
   * Returns a pipeline's status.
   *
   * @throws HeadgateError `UNKNOWN_PIPELINE`
   */
  getPipelineStatus(pipelineId: string): Promise<PipelineStatus>;

  /**
   * Explains why a pipeline ran, did not run, or is waiting at an instant, past or future (default now): in words and as data.
   *
   * @throws HeadgateError `UNKNOWN_PIPELINE`, `INVALID_INSTANT`
   * @example
   * console.log((await scheduler.explain("daily-sales", "2026-03-01T02:00:00Z")).text);
   */
  explain(pipelineId: string, at?: Instant): Promise<Explanation>;

  /** Listens to an event; the function returned ends it. What a listener throws is reported as the event `error`. */
  on<E extends EventName>(event: E, listener: Listener<E>): () => void;

  /** Listens to the next such event only. */
  once<E extends EventName>(event: E, listener: Listener<E>): () => void;

  /**
   * Evaluates the held triggers of a pipeline, or of all, again now: what held them may be over.
   *
   * @throws HeadgateError `UNKNOWN_PIPELINE`, `SCHEDULER_STOPPED`
   */
  recheck(pipelineId?: string): Promise<void>;
}
