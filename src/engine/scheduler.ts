import { epochMs, type Instant } from "../base/instant.js";
import type { Adapting } from "./adapting.js";
import { Asking } from "./asking.js";
import { AuditLog } from "./audit-log.js";
import { cancel } from "./cancel.js";
import { Claimer } from "./claim.js";
import type { Core } from "./core.js";
import type { EventName, Listener } from "./events.js";
import { GateKeeper } from "./gate-keeper.js";
import { Host } from "./host.js";
import { Lifecycle } from "./lifecycle.js";
import { Loop } from "./loop.js";
import { Maintenance } from "./maintenance.js";
import { Monitoring } from "./monitoring.js";
import type { MonitoringSettings } from "./monitoring-options.js";
import { NodeBoard } from "./node-board.js";
import { Outage } from "./outage.js";
import { Pausing } from "./pausing.js";
import type { Pipeline } from "./pipeline.js";
import {
  type DecisionListOptions,
  decisionsPage,
  type Page,
  type RunListOptions,
  runsPage,
  type TriggerListOptions,
  triggersPage,
} from "./queries.js";
import { type Explanation, explain } from "./reading/explain.js";
import type { Surroundings } from "./reading/explain-future.js";
import { recheckSoon } from "./recheck.js";
import { type ReloadOptions, reloadOf } from "./reload.js";
import { type Act, type BackfillOptions, checkedId, type PauseOptions, type ResumeOptions, type TriggerOptions } from "./requests.js";
import { retire } from "./retire.js";
import { type ReloadResult, Roster } from "./roster.js";
import { Runner } from "./runner.js";
import { Sensing } from "./sensing.js";
import { SettingsDesk } from "./settings-desk.js";
import { StatisticsDesk } from "./statistics-desk.js";
import { type PipelineStatus, pipelineStatus, type SchedulerStatus, statusOf, wordOf } from "./status.js";
import { Steering } from "./steering.js";
import { drainMsOf, type StopOptions } from "./stop-options.js";
import { Tokens } from "./tokens.js";
import { type UpcomingFire, type UpcomingFireOptions, upcomingFires } from "./upcoming.js";
import { type Decision, type Run, runView, type Trigger, triggerView } from "./views.js";

/**
 * Decides when its pipelines run, starts them, and says why. Made by `createScheduler`.
 */
export class Scheduler {
  readonly #core: Core;
  readonly #runner: Runner;
  readonly #loop: Loop;
  readonly #gates: GateKeeper;
  readonly #outage: Outage;
  readonly #steering: Steering;
  readonly #roster: Roster;
  /** Settings of pipelines that are changed at run time. */
  readonly settings: SettingsDesk;
  /** The intervals of adaptive schedules. */
  readonly adaptive: Adapting;
  /** How the pipelines do, over all nodes. */
  readonly statistics: StatisticsDesk;
  /** What is wrong, and who is not told of it. */
  readonly alerts: Monitoring;
  /** The nodes that raise alerts, and those that were lost. */
  readonly nodes: NodeBoard;
  /** Tokens for those who ask over HTTP. */
  readonly tokens: Tokens;
  /** The log of calls and changes. */
  readonly audit: AuditLog;
  /** What adapters need beside the rest. */
  readonly host: Host;
  readonly #asking: Asking;
  readonly #pausing: Pausing;
  readonly #sensing: Sensing;
  readonly #lifecycle: Lifecycle;

  constructor(core: Core, pipelines: readonly Pipeline[], monitoring: MonitoringSettings | null) {
    this.#core = core;
    this.#outage = new Outage(core);
    this.#gates = new GateKeeper(core, (ids) => recheckSoon(core, ids, () => this.#loop.wake()));
    this.#runner = new Runner(core, {
      leave: () => claimer.hasMore && this.#loop.wake(),
      end: () => this.#loop.wake(),
      runEnd: (id) => this.adaptive.onRunEnd(id),
    });
    const claimer = new Claimer(core, this.#gates, this.#runner, () => this.#loop.wake());
    this.audit = new AuditLog(core);
    this.#steering = new Steering(core, this.audit);
    this.adaptive = this.#steering.adapting;
    this.settings = new SettingsDesk(core, this.#steering);
    this.tokens = new Tokens(core, this.audit, (id) => this.has(id));
    this.#loop = new Loop(core, this.#runner, claimer, this.#outage, () => this.#steering.refresh().then(() => this.host.feed.refresh()));
    this.#pausing = new Pausing(core, this.#loop, this.audit, (id) => this.#target(id));
    this.#asking = new Asking(core, this.#loop, this.audit);
    this.host = new Host(core, this.#runner, this.audit, this.#asking, (id) => this.#pipeline(id));
    this.#sensing = new Sensing(core, () => this.#loop.wake());
    this.statistics = new StatisticsDesk(core);
    this.nodes = new NodeBoard(core, this.audit);
    this.alerts = new Monitoring(core, monitoring, {
      statistics: this.statistics,
      audit: this.audit,
      nodes: this.nodes,
      word: () => wordOf(core, this.#loop, this.#runner, this.#sensing, this.#gates),
      pipelines: () => this.pipelines(),
    });
    this.#roster = new Roster(core, this.#steering, this.#sensing, pipelines);
    this.#lifecycle = new Lifecycle(core, {
      audit: this.audit,
      steering: this.#steering,
      roster: this.#roster,
      loop: this.#loop,
      sensing: this.#sensing,
      alerts: this.alerts,
      runner: this.#runner,
      feed: this.host.feed,
      maintenance: new Maintenance(core),
    });
  }

  /**
   * Opens the store, plans the schedules (missed fire times go through catchup) and begins; resolves after the first round, not when a backlog has been worked off. Twice
   * is harmless. `stop()` ends a start at once, wherever it is.
   *
   * @throws HeadgateError `SCHEDULER_STOPPED` when it was stopped, before or meanwhile; what opening the store throws
   */
  start(): Promise<void> {
    return this.#lifecycle.start();
  }

  /**
   * Stops claiming, lets running work finish for `drain` (default `"30s"`), then aborts it (its attempts are closed as lost and retried under the
   * retry policy by whoever starts next), then releases everything. Twice is harmless. Resolves within `drain` + `grace` + 7 s whatever the store does: one that
   * does not answer has 5 s to record what is left, then its connections are ended.
   *
   * @throws HeadgateError `INVALID_ARGUMENT`, `INVALID_DURATION`
   */
  stop(options: StopOptions = {}): Promise<void> {
    return this.#lifecycle.stop(drainMsOf(options));
  }

  /**
   * Asks for a run.
   *
   * @throws HeadgateError `UNKNOWN_PIPELINE`, `INVALID_ARGUMENT`, `INVALID_PARAMETERS`, `PAUSED` (immediate, not forced), `IDEMPOTENCY_CONFLICT` (the key
   *   was used for something else), `SCHEDULER_STOPPED`
   * @example
   * await scheduler.trigger("daily-sales", { reason: "prices corrected", user: "ana", priority: "high", idempotencyKey: "fix-4711" });
   */
  async trigger(pipelineId: string, options: TriggerOptions = {}): Promise<Trigger> {
    return this.#asking.trigger(this.#pipeline(pipelineId), options);
  }

  /**
   * Asks for a run for every fire time in [from, to), oldest first, behind everything else; a fire time that has run before runs again.
   *
   * @throws HeadgateError `UNKNOWN_PIPELINE`, `INVALID_INSTANT`, `INVALID_PARAMETERS`, `TOO_MANY` beyond 10,000 fire times
   * @example
   * await scheduler.backfill("daily-sales", { from: "2026-01-01", to: "2026-02-01", user: "ana", reason: "new currency" });
   */
  async backfill(pipelineId: string, options: BackfillOptions): Promise<readonly Trigger[]> {
    return this.#asking.backfill(this.#pipeline(pipelineId), options);
  }

  /**
   * Ends a waiting trigger, or asks a run to end (its function's signal aborts).
   *
   * @param id - of a trigger or a run
   * @throws HeadgateError `NOT_FOUND`, `ALREADY_FINISHED`
   */
  async cancel(id: string, act: Act = {}): Promise<{ trigger: Trigger | null; run: Run | null }> {
    this.#lifecycle.refuseUnlessRunning();
    const cancelled = await cancel(this.#core, this.#runner, this.audit, id, act);
    this.#loop.wake();
    return cancelled;
  }

  /**
   * Pauses a pipeline, or everything: nothing fires, triggers wait, running work goes on.
   *
   * @param target - a pipeline's id, or options with or without one
   * @throws HeadgateError `UNKNOWN_PIPELINE`, `INVALID_ARGUMENT`, `INVALID_DURATION`
   * @example
   * await scheduler.pause("daily-sales", { reason: "warehouse is moving", user: "ana", duration: "2h" });
   */
  async pause(target?: string | PauseOptions, options?: Omit<PauseOptions, "pipelineId">): Promise<void> {
    await this.#pausing.pause(target, options);
  }

  /**
   * Ends a pause; missed fire times go through catchup. Returns false when there was none.
   *
   * @throws HeadgateError `UNKNOWN_PIPELINE`, `INVALID_ARGUMENT`
   */
  async resume(target?: string | ResumeOptions, options?: Act): Promise<boolean> {
    return this.#pausing.resume(target, options);
  }

  /**
   * Adds pipelines, before or while running.
   *
   * @throws HeadgateError `DUPLICATE_PIPELINE`, `UNKNOWN_POOL`, `INVALID_PIPELINE`
   */
  async add(...pipelines: readonly Pipeline[]): Promise<void> {
    await this.#put(pipelines, false);
  }

  /** Replaces a pipeline by one with its id; a new schedule is planned from now, the old one's pause and history stay. */
  async replace(pipeline: Pipeline): Promise<void> {
    this.#roster.known(pipeline?.id);
    await this.#put([pipeline], true);
  }

  async #put(pipelines: readonly Pipeline[], replaces: boolean): Promise<void> {
    await this.#lifecycle.settled();
    await this.#roster.put(pipelines, replaces);
    this.#loop.wake();
  }

  /**
   * Has these pipelines, pools, limits and alert rules from now on, all or (when something is refused) none. One that is the same object stays as it is, one not named is removed.
   *
   * @throws HeadgateError as `createScheduler`; `STORE_UNAVAILABLE`, `SCHEDULER_STOPPED`
   */
  async reload(options: ReloadOptions): Promise<ReloadResult> {
    await this.#lifecycle.settled();
    const { monitoring, ...rest } = reloadOf(options);
    const result = await this.#roster.reload(rest);
    await this.alerts.reload(monitoring);
    this.#loop.wake();
    return result;
  }

  /**
   * Takes a pipeline from this node: it fires and starts here no more. Runs under way go on; what the store keeps of it stays, waiting triggers too, for
   * other nodes or until it is added again. Gives false when it was not there.
   */
  async remove(pipelineId: string): Promise<boolean> {
    await this.#lifecycle.settled().catch(() => {}); // there is nothing to wait for, or no longer
    return this.#roster.remove(pipelineId);
  }

  /**
   * Takes a pipeline out of use on all nodes: it fires no more, what waits is cancelled, runs under way go on, its history stays. Registering it again, by a node
   * that starts with it, brings it back: remove it from the code first.
   *
   * @throws HeadgateError `UNKNOWN_PIPELINE` when the store does not know it, `SCHEDULER_STOPPED`
   */
  async retire(pipelineId: string, act: Act = {}): Promise<void> {
    this.#lifecycle.refuseUnlessRunning();
    await retire(this.#core, this.audit, pipelineId, act);
    await this.remove(pipelineId);
  }

  /** The pipelines of this node. */
  pipelines(): readonly Pipeline[] {
    return this.#roster.all();
  }

  /** Whether this node has a pipeline. */
  has(pipelineId: string): boolean {
    return this.#roster.find(pipelineId) !== undefined;
  }

  /**
   * The next fire times, of one pipeline or of all, soonest first, from where the store has the schedules, each with what becomes of it as far as that is certain now: the same as
   * {@link Scheduler.explain} answers. The store must be open: it is after `start()`.
   *
   * @throws HeadgateError `UNKNOWN_PIPELINE`, `INVALID_ARGUMENT`, `INVALID_INSTANT`
   * @example
   * for (const { pipelineId, fireAt, answer } of await scheduler.upcoming({ count: 20 })) console.log(fireAt, pipelineId, answer);
   */
  async upcoming(options: UpcomingFireOptions = {}): Promise<readonly UpcomingFire[]> {
    return upcomingFires(this.#core, this.#gates, await this.#surroundings(), options, this.#core.clock.now());
  }

  /** Triggers, newest first. */
  triggers(options: TriggerListOptions = {}): Promise<Page<Trigger>> {
    return triggersPage(this.#core.store, options);
  }

  /** Runs, newest first. */
  runs(options: RunListOptions = {}): Promise<Page<Run>> {
    return runsPage(this.#core.store, options);
  }

  /** Decisions, newest first. */
  decisions(options: DecisionListOptions = {}): Promise<Page<Decision>> {
    return decisionsPage(this.#core.store, options);
  }

  /** One trigger; `null` when there is none, or no longer. */
  async getTrigger(id: string): Promise<Trigger | null> {
    const record = await this.#core.store.trigger(checkedId(id, "getTrigger"));
    return record === null ? null : triggerView(record);
  }

  /** One run; `null` when there is none, or no longer. */
  async getRun(id: string): Promise<Run | null> {
    const record = await this.#core.store.run(checkedId(id, "getRun"));
    return record === null ? null : runView(record);
  }

  /** How the scheduler is. */
  status(): SchedulerStatus {
    return statusOf(this.#core, this.#lifecycle.phase, this.#runner, this.#loop, this.#outage, this.#sensing.status(), this.#roster.size);
  }

  /**
   * How a pipeline is.
   *
   * @throws HeadgateError `UNKNOWN_PIPELINE`
   */
  pipelineStatus(pipelineId: string): Promise<PipelineStatus> {
    return pipelineStatus(this.#core, this.#roster.known(pipelineId));
  }

  /**
   * Why a pipeline ran, did not run, or is waiting at an instant, past or future (default now): in words and as data.
   *
   * @throws HeadgateError `UNKNOWN_PIPELINE`, `INVALID_INSTANT`
   * @example
   * console.log((await scheduler.explain("daily-sales", "2026-03-01T02:00:00Z")).text);
   */
  async explain(pipelineId: string, at?: Instant): Promise<Explanation> {
    this.#roster.known(pipelineId);
    const now = this.#core.clock.now();
    const instant = at === undefined ? now : epochMs(at, "at");
    const surroundings = await this.#surroundings();
    const pipeline = surroundings.pipelines.find(({ id }) => id === pipelineId) ?? this.#roster.known(pipelineId);
    return explain(this.#core, { gates: this.#gates, sensors: this.#sensing.status(), surroundings }, pipeline, instant, now);
  }

  /** The pipelines as they are with what the store says of them, also for a scheduler that is not started and only answers. */
  async #surroundings(): Promise<Surroundings> {
    const isStarted = this.#lifecycle.phase !== "created";
    const pipelines = isStarted ? this.pipelines() : await this.#roster.preview();
    const isAdapting = (id: string) => {
      const status = this.adaptive.of(id);
      return status !== null && !status.isFrozen;
    };
    return { pipelines, isStarted, isAdapting };
  }

  /** Listens to an event; the function returned ends it. What a listener throws is reported as the event `error`. */
  on<E extends EventName>(event: E, listener: Listener<E>): () => void {
    return this.#core.events.on(event, listener);
  }

  /** Listens to the next such event only. */
  once<E extends EventName>(event: E, listener: Listener<E>): () => void {
    return this.#core.events.on(event, listener, true);
  }

  /**
   * Has the held triggers of a pipeline, or of all, looked at now: what held them may be over.
   *
   * @throws HeadgateError `UNKNOWN_PIPELINE`, `SCHEDULER_STOPPED`
   */
  async recheck(pipelineId?: string): Promise<void> {
    await this.#pausing.recheck(pipelineId);
  }

  /** What a pause is of: a pipeline, or (`null`) everything. */
  #target(pipelineId: string | undefined): string | null {
    if (pipelineId === undefined) this.#lifecycle.refuseUnlessRunning();
    else this.#pipeline(pipelineId);
    return pipelineId ?? null;
  }

  #pipeline(pipelineId: string): Pipeline {
    this.#lifecycle.refuseUnlessRunning();
    return this.#roster.known(pipelineId);
  }
}
