import { epochMs, type Instant } from "../base/instant.js";
import type { Decision } from "../gate/view.js";
import type { Pipeline } from "../pipeline/pipeline.js";
import type { PipelineRef } from "../pipeline/pipeline-ref.js";
import type {
  ActionContext,
  BackfillOptions,
  PauseOptions,
  PipelineSelection,
  RerunOptions,
  ResumeOptions,
  RunOptions,
  TriggerOptions,
  WaitOptions,
} from "../pipeline/request-options.js";
import { checkedId, runRequest, waitSignal } from "../pipeline/requests.js";
import type { RunOutcome } from "../pipeline/run-outcome.js";
import type { CancelledMany, CancelManyOptions } from "../ports/scheduler-api/cancel-many.js";
import type { EventName, Listener } from "../ports/scheduler-api/events.js";
import type { Explanation } from "../ports/scheduler-api/explanation.js";
import type { DecisionListOptions, Page, RunListOptions, TriggerListOptions } from "../ports/scheduler-api/lists.js";
import type { ReloadOptions, ReloadResult } from "../ports/scheduler-api/reload.js";
import type { Scheduler } from "../ports/scheduler-api/scheduler.js";
import type { SkipOptions, SkippedFireTime, UnskipOptions } from "../ports/scheduler-api/skips.js";
import type { PipelineStatus, SchedulerStatus } from "../ports/scheduler-api/status.js";
import type { StopOptions } from "../ports/scheduler-api/stop-options.js";
import type { UpcomingFire, UpcomingFireOptions } from "../ports/scheduler-api/upcoming.js";
import { type Run, runView } from "../run/view.js";
import { type Trigger, triggerView } from "../trigger/view.js";
import { AuditRecorder } from "./access/audit-log.js";
import { TokenService } from "./access/tokens.js";
import { EngineAdapterContext } from "./adapter-context.js";
import type { Core } from "./context/core.js";
import { GlobalPause } from "./context/global-pause.js";
import { SchedulerPhase } from "./context/phase.js";
import { StoreHealth } from "./context/store-health.js";
import { StoreEventFeed } from "./feed/event-feed.js";
import { Claimer } from "./gating/claimer.js";
import { GateEvaluator } from "./gating/gate-evaluator.js";
import { cancel } from "./intake/cancel.js";
import { cancelMany } from "./intake/cancel-many.js";
import { OutcomeWaiter } from "./intake/outcomes.js";
import { retryRunNow } from "./intake/retry-now.js";
import { SensorRunner } from "./intake/sensors.js";
import { TriggerSubmission } from "./intake/submit.js";
import { Lifecycle } from "./lifecycle.js";
import { Loop } from "./loop.js";
import { AlertMonitor } from "./monitoring/alert-monitor.js";
import { Maintenance } from "./monitoring/maintenance.js";
import type { MonitoringSettings } from "./monitoring/monitoring-options.js";
import { StoredNodeRegistry } from "./monitoring/node-registry.js";
import { StoredStatistics } from "./monitoring/statistics.js";
import type { AdaptiveIntervals } from "./pipelines/adaptive-intervals.js";
import { PauseControl } from "./pipelines/pause.js";
import { PipelineOverrides } from "./pipelines/pipeline-overrides.js";
import { PipelineRegistry } from "./pipelines/pipeline-registry.js";
import { reloadOf } from "./pipelines/reload.js";
import { retire } from "./pipelines/retire.js";
import { PipelineSettingsManager } from "./pipelines/settings-manager.js";
import { SkipControl } from "./pipelines/skips.js";
import { explain } from "./reading/explain.js";
import type { Surroundings } from "./reading/explain-future.js";
import { decisionsPage, runsPage, triggersPage } from "./reading/queries.js";
import { nodeReportOf, pipelineStatus, statusOf } from "./reading/status.js";
import { upcomingFires } from "./reading/upcoming.js";
import { Runner } from "./running/runner.js";
import { drainMsOf } from "./stop-options.js";

/** The scheduler, made of its parts. */
export class SchedulerEngine implements Scheduler {
  readonly #core: Core;
  readonly #phase = new SchedulerPhase();
  readonly #runner: Runner;
  readonly #loop: Loop;
  readonly #globalPause: GlobalPause;
  readonly #gates: GateEvaluator;
  readonly #storeHealth: StoreHealth;
  readonly #overrides: PipelineOverrides;
  readonly #registry: PipelineRegistry;
  readonly settings: PipelineSettingsManager;
  readonly adaptive: AdaptiveIntervals;
  readonly statistics: StoredStatistics;
  readonly alerts: AlertMonitor;
  readonly nodes: StoredNodeRegistry;
  readonly tokens: TokenService;
  readonly audit: AuditRecorder;
  readonly host: EngineAdapterContext;
  readonly #submission: TriggerSubmission;
  readonly #pauses: PauseControl;
  readonly #skips: SkipControl;
  readonly #sensors: SensorRunner;
  readonly #lifecycle: Lifecycle;
  readonly #outcomes: OutcomeWaiter;

  constructor(core: Core, pipelines: readonly Pipeline[], monitoring: MonitoringSettings | null) {
    this.#core = core;
    this.#storeHealth = new StoreHealth(core);
    this.audit = new AuditRecorder(core);
    this.#overrides = new PipelineOverrides(core, this.audit);
    this.adaptive = this.#overrides.adaptive;
    this.settings = new PipelineSettingsManager(core, this.#overrides);
    this.#sensors = new SensorRunner(core);
    this.#registry = new PipelineRegistry(core, { overrides: this.#overrides, sensors: this.#sensors, phase: this.#phase }, pipelines);
    this.tokens = new TokenService(core, this.audit, this.#registry);

    const globalPause = new GlobalPause(core.store);
    this.#globalPause = globalPause;
    const feed = new StoreEventFeed(core);
    this.#gates = new GateEvaluator(core);
    this.#runner = new Runner(core, this);
    this.#loop = new Loop(core, {
      runner: this.#runner,
      claimer: new Claimer(core, this.#gates, this.#runner),
      storeHealth: this.#storeHealth,
      globalPause,
      refresh: async () => {
        await this.#overrides.refresh();
        await feed.refresh();
      },
    });

    this.#pauses = new PauseControl(core, globalPause, this.audit, this.#registry);
    this.#skips = new SkipControl(core, this.audit, this.#registry);
    this.#submission = new TriggerSubmission(core, globalPause, this.audit);
    this.host = new EngineAdapterContext(core, {
      feed,
      runner: this.#runner,
      audit: this.audit,
      submission: this.#submission,
      registry: this.#registry,
    });
    this.statistics = new StoredStatistics(core);
    this.nodes = new StoredNodeRegistry(core, this.audit);
    this.alerts = new AlertMonitor(core, monitoring, {
      statistics: this.statistics,
      audit: this.audit,
      nodes: this.nodes,
      word: () => nodeReportOf(core, this.#loop, this.#runner, this.#sensors, this.#gates),
      pipelines: () => this.pipelines(),
    });
    this.#lifecycle = new Lifecycle(core, this.#phase, {
      audit: this.audit,
      overrides: this.#overrides,
      registry: this.#registry,
      loop: this.#loop,
      sensors: this.#sensors,
      alerts: this.alerts,
      runner: this.#runner,
      feed,
      maintenance: new Maintenance(core),
    });
    this.#outcomes = new OutcomeWaiter(core, this.#phase);
  }

  start(): Promise<void> {
    return this.#lifecycle.start();
  }

  stop(options: StopOptions = {}): Promise<void> {
    return this.#lifecycle.stop(drainMsOf(options));
  }

  async trigger(pipeline: string | PipelineRef, options: TriggerOptions = {}): Promise<Trigger> {
    return this.#submission.trigger(this.#registry.running(idOf(pipeline)), options);
  }

  async run(pipeline: string | PipelineRef, options: RunOptions = {}): Promise<RunOutcome> {
    const request = runRequest(options);
    const accepting = this.trigger(pipeline, request.trigger);
    this.#core.clock.track?.(accepting, "work"); // a clock that is moved by hand moves on when the trigger is there
    const { id } = await accepting;
    return this.#outcomes.wait(id, request.signal);
  }

  async waitFor<Output>(trigger: string | Trigger<Output>, options: WaitOptions = {}): Promise<RunOutcome<Output>> {
    const id = checkedId(typeof trigger === "string" ? trigger : trigger?.id, "waitFor");
    const signal = waitSignal(options);
    this.#phase.refuseUnlessRunning();
    return this.#outcomes.wait(id, signal) as Promise<RunOutcome<Output>>;
  }

  async backfill(pipeline: string | PipelineRef, options: BackfillOptions): Promise<readonly Trigger[]> {
    return this.#submission.backfill(this.#registry.running(idOf(pipeline)), options);
  }

  async cancel(id: string, act: ActionContext = {}): Promise<{ trigger: Trigger | null; run: Run | null }> {
    this.#phase.refuseUnlessRunning();
    const cancelled = await cancel(this.#core, this.#runner, this.audit, id, act);
    this.#core.signals.wake.emit();
    return cancelled;
  }

  async cancelMany(options: CancelManyOptions): Promise<CancelledMany> {
    this.#phase.refuseUnlessRunning();
    const cancelOne = (id: string, act: ActionContext) => cancel(this.#core, this.#runner, this.audit, id, act);
    const result = await cancelMany(this.#core, options, () => this.pipelines(), cancelOne);
    this.#core.signals.wake.emit();
    return result;
  }

  async rerun(runId: string, options: RerunOptions = {}): Promise<Trigger> {
    this.#phase.refuseUnlessRunning();
    return this.#submission.rerun(runId, options, (id) => this.#registry.running(id));
  }

  async retryNow(runId: string, act: ActionContext = {}): Promise<Run> {
    this.#phase.refuseUnlessRunning();
    return retryRunNow(this.#core, this.audit, runId, act);
  }

  async pause(target?: string | PauseOptions, options?: Omit<PauseOptions, keyof PipelineSelection>): Promise<void> {
    await this.#pauses.pause(target, options);
  }

  async resume(target?: string | ResumeOptions, options?: ActionContext): Promise<boolean> {
    return this.#pauses.resume(target, options);
  }

  async skip(pipelineId: string, options: SkipOptions = {}): Promise<readonly SkippedFireTime[]> {
    return this.#skips.skip(pipelineId, options);
  }

  async unskip(pipelineId: string, options: UnskipOptions = {}): Promise<readonly SkippedFireTime[]> {
    return this.#skips.unskip(pipelineId, options);
  }

  async add(...pipelines: readonly Pipeline[]): Promise<void> {
    await this.#put(pipelines, false);
  }

  async replace(pipeline: Pipeline): Promise<void> {
    this.#registry.known(pipeline?.id);
    await this.#put([pipeline], true);
  }

  async #put(pipelines: readonly Pipeline[], replaces: boolean): Promise<void> {
    await this.#lifecycle.settled();
    await this.#registry.put(pipelines, replaces);
    this.#core.signals.wake.emit();
  }

  async reload(options: ReloadOptions): Promise<ReloadResult> {
    await this.#lifecycle.settled();
    const { monitoring, ...rest } = reloadOf(options);
    const result = await this.#registry.reload(rest);
    await this.alerts.reload(monitoring);
    this.#core.signals.wake.emit();
    return result;
  }

  async remove(pipelineId: string): Promise<boolean> {
    await this.#lifecycle.settled().catch(() => {}); // there is nothing to wait for, or no longer
    return this.#registry.remove(pipelineId);
  }

  async retire(pipelineId: string, act: ActionContext = {}): Promise<void> {
    this.#phase.refuseUnlessRunning();
    await retire(this.#core, this.audit, pipelineId, act);
    await this.remove(pipelineId);
  }

  pipelines(): readonly Pipeline[] {
    return this.#registry.all();
  }

  getPipeline(pipelineId: string): Pipeline | null {
    return this.#registry.find(pipelineId) ?? null;
  }

  has(pipelineId: string): boolean {
    return this.#registry.has(pipelineId);
  }

  async upcoming(options: UpcomingFireOptions = {}): Promise<readonly UpcomingFire[]> {
    return upcomingFires(this.#core, this.#gates, await this.#surroundings(), options, this.#core.clock.now());
  }

  triggers(options: TriggerListOptions = {}): Promise<Page<Trigger>> {
    return triggersPage(this.#core.store, options, () => this.pipelines());
  }

  runs(options: RunListOptions = {}): Promise<Page<Run>> {
    return runsPage(this.#core.store, options, () => this.pipelines());
  }

  decisions(options: DecisionListOptions = {}): Promise<Page<Decision>> {
    return decisionsPage(this.#core.store, options, () => this.pipelines());
  }

  async getTrigger(id: string): Promise<Trigger | null> {
    const record = await this.#core.store.trigger(checkedId(id, "getTrigger"));
    return record === null ? null : triggerView(record);
  }

  async getRun(id: string): Promise<Run | null> {
    const record = await this.#core.store.run(checkedId(id, "getRun"));
    return record === null ? null : runView(record);
  }

  status(): SchedulerStatus {
    return statusOf(this.#core, {
      phase: this.#phase.current,
      runner: this.#runner,
      loop: this.#loop,
      globalPause: this.#globalPause,
      storeHealth: this.#storeHealth,
      sensors: this.#sensors.status(),
      pipelines: this.#registry.size,
    });
  }

  getPipelineStatus(pipelineId: string): Promise<PipelineStatus> {
    return pipelineStatus(this.#core, this.#registry.known(pipelineId));
  }

  async explain(pipelineId: string, at?: Instant): Promise<Explanation> {
    this.#registry.known(pipelineId);
    const now = this.#core.clock.now();
    const instant = at === undefined ? now : epochMs(at, "at");
    const surroundings = await this.#surroundings();
    const pipeline = surroundings.pipelines.find(({ id }) => id === pipelineId) ?? this.#registry.known(pipelineId);
    return explain(this.#core, { gates: this.#gates, sensors: this.#sensors.status(), surroundings }, pipeline, instant, now);
  }

  /** The pipelines as they are with what the store says of them, also for a scheduler that is not started and only answers. */
  async #surroundings(): Promise<Surroundings> {
    const isStarted = this.#phase.current !== "created";
    const pipelines = isStarted ? this.pipelines() : await this.#registry.preview();
    const isAdapting = (id: string) => {
      const status = this.adaptive.get(id);
      return status !== null && !status.isFrozen;
    };
    return { pipelines, isStarted, isAdapting };
  }

  on<E extends EventName>(event: E, listener: Listener<E>): () => void {
    return this.#core.events.on(event, listener);
  }

  once<E extends EventName>(event: E, listener: Listener<E>): () => void {
    return this.#core.events.on(event, listener, true);
  }

  async recheck(pipelineId?: string): Promise<void> {
    await this.#pauses.recheck(pipelineId);
  }
}

/** Returns the id by which a pipeline is named; what is no pipeline is refused by its id. */
function idOf(pipeline: string | PipelineRef): string {
  return typeof pipeline === "object" && pipeline !== null ? pipeline.id : pipeline;
}
