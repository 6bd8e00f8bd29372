import { toDate } from "../../base/instant.js";
import type { PipelineSnapshot, Silence, Snapshot } from "../../monitor/alert.js";
import { evaluateAlerts } from "../../monitor/evaluate-alerts.js";
import { deliveriesOf } from "../../monitor/notification.js";
import type { Pipeline } from "../../pipeline/pipeline.js";
import type { ActionContext } from "../../pipeline/request-options.js";
import type { AlertChannel } from "../../ports/alert-channel.js";
import type { Alert, Alerts, SilenceOptions } from "../../ports/scheduler-api/alerts.js";
import type { PipelineState } from "../../ports/store.js";
import type { AuditRecorder } from "../access/audit-log.js";
import type { Core } from "../context/core.js";
import { LeaderElector } from "../context/leader-elector.js";
import { isUnavailable } from "../context/store-health.js";
import { alertRunView, withRuns } from "./alert-runs.js";
import { AlertStateStore, shapeOf } from "./alert-state.js";
import { Backlog } from "./backlog.js";
import type { MonitoringSettings } from "./monitoring-options.js";
import type { NodeReport, StoredNodeRegistry } from "./node-registry.js";
import { NotificationDispatcher } from "./notification-dispatcher.js";
import { Silences } from "./silences.js";
import type { StoredStatistics } from "./statistics.js";

/** The lease of the node that evaluates rules and delivers alerts. */
const LEADERSHIP = "headgate: alerts";
const NO_CHANNELS = { channels: new Map<string, AlertChannel>(), baseUrl: null };

type AlertMonitorCore = Pick<Core, "clock" | "events" | "logger" | "newId" | "node" | "redact" | "settings" | "store">;

/** Evaluates rules and has alerts delivered: on one node at a time, which writes what it does before it does it. */
export class AlertMonitor implements Alerts {
  readonly #core: AlertMonitorCore;
  #settings: MonitoringSettings | null;
  readonly #statistics: StoredStatistics;
  readonly #word: () => NodeReport;
  readonly #pipelines: () => Iterable<Pipeline>;
  readonly #nodes: StoredNodeRegistry;
  readonly #silences: Silences;
  readonly #elector: LeaderElector;
  readonly #state: AlertStateStore;
  readonly #dispatcher: NotificationDispatcher;
  #isRunning = false;
  #hasStarted = false;
  #stopTimer: (() => void) | null = null;
  #round: Promise<void> | null = null;
  #roundAt = 0;
  #problems = new Set<string>();

  constructor(
    core: AlertMonitorCore,
    settings: MonitoringSettings | null,
    {
      statistics,
      audit,
      nodes,
      word,
      pipelines,
    }: {
      statistics: StoredStatistics;
      audit: AuditRecorder;
      nodes: StoredNodeRegistry;
      word: () => NodeReport;
      pipelines: () => Iterable<Pipeline>;
    },
  ) {
    this.#core = core;
    this.#settings = settings;
    this.#statistics = statistics;
    this.#word = word;
    this.#pipelines = pipelines;
    this.#nodes = nodes;
    this.#silences = new Silences(core, audit);
    this.#elector = new LeaderElector(core, LEADERSHIP);
    this.#state = new AlertStateStore(core);
    this.#dispatcher = new NotificationDispatcher(core, this.#state, this.#elector);
    this.#dispatcher.use(settings ?? NO_CHANNELS);
  }

  start(): void {
    this.#hasStarted = true;
    if (this.#settings === null) return;
    this.#isRunning = true;
    this.#arm(this.#core.clock.now() + this.#settings.everyMs);
  }

  /**
   * Other rules, channels and routes from now on; `null` for none.
   *
   * @internal
   */
  async reload(settings: MonitoringSettings | null): Promise<void> {
    const wasRunning = this.#isRunning;
    if (settings === null) await this.stop();
    await this.#round;
    this.#settings = settings;
    this.#dispatcher.use(settings ?? NO_CHANNELS);
    if (!wasRunning && this.#hasStarted) this.start();
  }

  /** Stops the active round and deliveries, and lets another node take over. */
  async stop(): Promise<void> {
    if (!this.#isRunning) return;
    this.#isRunning = false;
    this.#stopTimer?.();
    await this.#round;
    await this.#dispatcher.stop();
    try {
      await this.#elector.release();
      await this.#nodes.leave(this.#core.clock.now());
    } catch (error) {
      if (!isUnavailable(error)) this.#core.events.report(error, "releasing alert leadership");
    }
  }

  async list(): Promise<readonly Alert[]> {
    const { alerts } = await this.#state.read();
    return alerts.map(({ run = null, ...one }) => ({
      ...one,
      since: toDate(one.since),
      firedAt: toDate(one.firedAt),
      notifiedAt: toDate(one.notifiedAt),
      run: run === null ? null : alertRunView(run),
    }));
  }

  silences(): Promise<readonly Silence[]> {
    return this.#silences.list();
  }

  silence(options: SilenceOptions): Promise<Silence> {
    return this.#silences.add(options);
  }

  unsilence(id: string, act: ActionContext = {}): Promise<void> {
    return this.#silences.end(id, act);
  }

  async evaluate(): Promise<void> {
    if (this.#settings === null) return;
    await this.#roundOnce();
    await this.#dispatcher.idle();
  }

  #arm(at: number): void {
    if (!this.#isRunning) return;
    const { clock, settings } = this.#core;
    this.#stopTimer?.();
    this.#stopTimer = clock.setTimer(Math.max(1, Math.min(at - clock.now(), settings.trustMs)), () => void this.#wake());
  }

  async #wake(): Promise<void> {
    if (!this.#isRunning || this.#settings === null) return;
    const now = this.#core.clock.now();
    const isDue = now - this.#roundAt >= this.#settings.everyMs || now < this.#roundAt;
    if (isDue) await this.#roundOnce();
    const next = this.#dispatcher.deliver(this.#core.clock.now());
    this.#arm(Math.min(this.#roundAt + this.#settings.everyMs, next ?? Number.POSITIVE_INFINITY));
  }

  #roundOnce(): Promise<void> {
    if (this.#round !== null) return this.#round;
    this.#round = this.#evaluate(this.#settings as MonitoringSettings)
      .catch((error: unknown) => {
        if (!isUnavailable(error)) this.#core.events.report(error, "evaluating alerts");
      })
      .finally(() => {
        this.#round = null;
      });
    this.#core.clock.track?.(this.#round, "work");
    return this.#round;
  }

  async #evaluate({ rules, routes }: MonitoringSettings): Promise<void> {
    const { clock, newId } = this.#core;
    const now = clock.now();
    this.#roundAt = now;
    await this.#nodes.heartbeat(this.#word(), now);
    if (!(await this.#leads(now))) return;
    const snapshot = await this.#snapshot(now);
    const before = this.#state.kept;
    const { problems, ...found } = evaluateAlerts(rules, snapshot, before.alerts, now);
    this.#tellProblems(problems);
    const { alerts, transitions } = await withRuns(this.#core.store, found);
    const deliveries = deliveriesOf(transitions, routes, () => newId(now), now);
    const isChanged = transitions.length > 0 || alerts.map(shapeOf).join() !== before.alerts.map(shapeOf).join();
    if (isChanged && !(await this.#state.change((kept) => ({ alerts, deliveries: [...kept.deliveries, ...deliveries] })))) {
      this.#elector.resign();
      return;
    }
    if (!isChanged) this.#state.refresh(alerts);
    for (const { kind, alert } of transitions) this.#core.events.emit(`alert.${kind}`, () => ({ alert }));
    this.#dispatcher.deliver(now);
  }

  /** A node that begins to lead goes on from what the last one has written. */
  async #leads(now: number): Promise<boolean> {
    const before = this.#elector.lease?.token;
    if (!(await this.#elector.leads(now))) return false;
    if (this.#elector.lease?.token !== before) await this.#state.read();
    return true;
  }

  async #snapshot(now: number): Promise<Snapshot> {
    const { store } = this.#core;
    const pipelines = [...this.#pipelines()];
    const [states, waiting, global, silences] = await Promise.all([
      store.states(pipelines.map(({ id }) => id)),
      Backlog.read(store),
      store.globalPause(),
      this.silences(),
      this.#statistics.refresh(),
      this.#nodes.read(),
    ]);
    return {
      now,
      pipelines: pipelines.map((one, index) => this.#pipeline(one, states[index] ?? null, global.pause !== null, waiting, now)),
      nodes: this.#nodes.nodes(now),
      queue: { length: waiting.length, oldestAt: waiting.oldestAt },
      silences,
    };
  }

  #pipeline(
    { id, tags, alertOn, slaMs, gate }: Pipeline,
    state: PipelineState | null,
    isAllPaused: boolean,
    all: Backlog,
    now: number,
  ): PipelineSnapshot {
    const { activeRuns, length, oldestAt, oldestFireTimeAt, oldestPendingFireTimeAt } = all.of(id);
    return {
      id,
      tags,
      alertOn,
      slaMs,
      isPaused: isAllPaused || (state?.pause ?? null) !== null,
      isInMaintenance: gate.conditions.some((one) => one.isMaintenanceAt?.(now) === true),
      nextFireAt: state?.nextFireAt ?? null,
      lastSuccessAt: state?.lastSuccessAt ?? null,
      activeRuns,
      waiting: length,
      oldestWaitingAt: oldestAt,
      oldestFireTimeAt,
      oldestPendingFireTimeAt,
      statistics: this.#statistics.window(id).at(now),
    };
  }

  /** Once per rule, until it does not throw. */
  #tellProblems(problems: readonly { readonly rule: string; readonly error: unknown }[]): void {
    for (const { rule, error } of problems) if (!this.#problems.has(rule)) this.#core.events.report(error, `the alert rule ${rule}`);
    this.#problems = new Set(problems.map(({ rule }) => rule));
  }
}
