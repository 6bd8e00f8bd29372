/**
 * The life of a scheduler.
 *
 * ```
 *  created ──► starting ──► running ──► stopping ──► stopped
 *     ▲ │          │                       ▲ ▲
 *     │ │          ├── stop() ─────────────┘ │
 *     └─┼── fails ─┘                         │
 *       └────────── stop() ──────────────────┘
 * ```
 *
 * Nothing here waits without limit. A start ends as soon as `stop()` is called, wherever it is. `stop()` waits for runs (`drain`, then the grace of each), then for the
 * store to take what is to be recorded; after that the store's connections are ended without its leave, and last of all nothing is waited for any more.
 */
import { HeadgateError } from "../base/errors.js";
import type { AuditRecorder } from "./access/audit-log.js";
import type { Core } from "./context/core.js";
import { stopped } from "./context/errors.js";
import type { SchedulerPhase } from "./context/phase.js";
import type { StoreEventFeed } from "./feed/event-feed.js";
import type { SensorRunner } from "./intake/sensors.js";
import type { Loop } from "./loop.js";
import type { AlertMonitor } from "./monitoring/alert-monitor.js";
import type { Maintenance } from "./monitoring/maintenance.js";
import type { PipelineOverrides } from "./pipelines/pipeline-overrides.js";
import type { PipelineRegistry } from "./pipelines/pipeline-registry.js";
import type { Runner } from "./running/runner.js";

/** For how long a stopping scheduler, when its runs have ended, goes on trying to record what is left while the store does not answer. */
const RECORDING_MS = 5_000;
/** The same for one that was stopped while it started, and has nothing to record yet. */
const STARTING_MS = 500;
/** For how long it waits after that for whatever still has not ended. */
const LAST_MS = 2_000;

/** Pipelines whose sensors are taken over between two turns of the event loop. */
const PIPELINES_AT_ONCE = 5_000;

/** The parts that are started and stopped. */
export interface LifecycleParts {
  readonly audit: AuditRecorder;
  readonly overrides: PipelineOverrides;
  readonly registry: PipelineRegistry;
  readonly loop: Loop;
  readonly sensors: SensorRunner;
  readonly alerts: AlertMonitor;
  readonly runner: Runner;
  readonly feed: StoreEventFeed;
  readonly maintenance: Maintenance;
}

type LifecycleCore = Pick<Core, "clock" | "events" | "executors" | "fireQueue" | "node" | "settings" | "store">;

export class Lifecycle {
  readonly #core: LifecycleCore;
  readonly #parts: LifecycleParts;
  /** Aborts when a start is to end. */
  readonly #starts = new AbortController();
  /** Aborts when the store is no longer waited for. */
  readonly #cut = new AbortController();
  readonly #phase: SchedulerPhase;
  #hasStarted = false;
  #starting: Promise<void> | null = null;
  #stopping: Promise<void> | null = null;
  #releasing: Promise<void> | null = null;
  #closing: Promise<void> | null = null;
  #unsubscribe: (() => void) | null = null;
  /** Takes back the timer that aborts what outlasts the drain. */
  #stopDraining = () => {};
  /** The part that a stop is waiting for, reported if it does not end in time. */
  #waitsFor = "";

  constructor(core: LifecycleCore, phase: SchedulerPhase, parts: LifecycleParts) {
    this.#core = core;
    this.#phase = phase;
    this.#parts = parts;
  }

  /**
   * Waits for a start.
   *
   * @throws HeadgateError `SCHEDULER_STOPPED`, and what made the start fail
   */
  async settled(): Promise<void> {
    if (this.#phase.current === "stopping" || this.#phase.current === "stopped") throw stopped();
    await (this.#phase.current === "starting" ? this.#starting : null);
  }

  start(): Promise<void> {
    if (this.#phase.current === "stopping" || this.#phase.current === "stopped") return Promise.reject(stopped());
    this.#starting ??= this.#start();
    return this.#starting;
  }

  async #start(): Promise<void> {
    const { events, node } = this.#core;
    const { signal } = this.#starts;
    this.#phase.current = "starting";
    try {
      await unlessAborted(this.#steps(signal), signal);
    } catch (error) {
      if (signal.aborted) throw signal.reason; // stop() releases what it has
      this.#unsubscribe?.();
      await this.#parts.loop.stop();
      await this.#core.store.close().catch((problem: unknown) => events.report(problem, "closing the store after a failed start"));
      if (signal.aborted) throw signal.reason;
      this.#phase.current = "created";
      this.#starting = null;
      throw error;
    }
    events.emit("started", () => ({ node }));
  }

  async #steps(signal: AbortSignal): Promise<void> {
    const { store } = this.#core;
    const { audit, overrides, registry, loop, sensors, alerts, maintenance } = this.#parts;
    await store.open(signal);
    if (signal.aborted) await store.close(signal); // it heeds no signal, and was closed before it was open
    signal.throwIfAborted();
    await loop.skew.measure(); // before anything is planned or recorded by a clock that may be wrong
    signal.throwIfAborted();
    await audit.open();
    signal.throwIfAborted();
    await overrides.refresh();
    signal.throwIfAborted();
    await registry.begin();
    signal.throwIfAborted();
    this.#phase.current = "running";
    this.#unsubscribe = store.subscribe(() => loop.storeChanged());
    await loop.start();
    signal.throwIfAborted();
    await this.#putSensors();
    signal.throwIfAborted();
    sensors.start();
    alerts.start();
    overrides.adaptive.start();
    audit.start();
    maintenance.start();
    this.#hasStarted = true;
  }

  async #putSensors(): Promise<void> {
    const { fireQueue, clock } = this.#core;
    let count = 0;
    for (const { pipeline } of fireQueue.all()) {
      if (++count % PIPELINES_AT_ONCE === 0) await clock.yield?.();
      this.#parts.sensors.put(pipeline);
    }
  }

  stop(drainMs: number): Promise<void> {
    this.#stopping ??= this.#stop(drainMs);
    return this.#stopping;
  }

  async #stop(drainMs: number): Promise<void> {
    const { events, node, clock, settings } = this.#core;
    const patienceMs = this.#hasStarted ? RECORDING_MS : STARTING_MS;
    this.#phase.current = "stopping";
    this.#starts.abort(stopped());
    const cutAt = clock.monotonic() + drainMs + settings.graceMs + RECORDING_MS;
    let giveUp = () => {};
    const overdue = new Promise<"overdue">((resolve) => {
      giveUp = () => resolve("overdue");
    });
    let stopTimer = () => {};
    /** The store is waited for until then, and everything else a little longer. */
    const cutAfter = (ms: number) => {
      stopTimer();
      stopTimer = clock.setTimer(ms, () => {
        this.#parts.runner.giveUp();
        this.#cut.abort();
        void this.#close();
        stopTimer = clock.setTimer(LAST_MS, giveUp);
      });
    };
    cutAfter(drainMs + settings.graceMs + RECORDING_MS);
    const cutWithin = (ms: number) => {
      if (!this.#cut.signal.aborted) cutAfter(Math.min(ms, Math.max(0, cutAt - clock.monotonic())));
    };
    const ending = this.#end(drainMs, (isIdle) => cutWithin(isIdle ? patienceMs : Number.POSITIVE_INFINITY));
    const isOverdue = (await Promise.race([ending, overdue])) === "overdue";
    stopTimer();
    this.#stopDraining();
    this.#parts.runner.giveUp(); // whatever is open still is written to the log, and holds up no process
    if (isOverdue) {
      events.report(new Error(`it did not end in time: ${this.#waitsFor}`), "stopping the scheduler");
      void this.#release();
    }
    this.#phase.current = "stopped";
    events.emit("stopped", () => ({ node }));
    events.removeAll();
  }

  /** @param onChange - called when nothing runs any more, and when the last claim has begun something after that */
  async #end(drainMs: number, onChange: (isIdle: boolean) => void): Promise<void> {
    const { clock, events } = this.#core;
    const { loop, sensors, alerts, runner, overrides, maintenance } = this.#parts;
    overrides.adaptive.stop();
    loop.stopClaiming();
    const sides = Promise.allSettled([sensors.stop(), alerts.stop(), maintenance.stop(), runner.detach()]);
    const abort = () => runner.abortAll(new HeadgateError("RUN_LOST", "the scheduler stopped before the run ended"));
    if (drainMs === 0) abort();
    else this.#stopDraining = clock.setTimer(drainMs, abort);
    await this.#step("runs, and the recording of their results", () => runner.idle(RECORDING_MS));
    onChange(true);
    await this.#step("sensors, alerts and remote runs", async () => {
      const failed = (await sides).filter((one) => one.status === "rejected");
      for (const { reason } of failed) events.report(reason, "stopping sensors and alerts");
    });
    await this.#step("the round of the scheduler", () => loop.quiet());
    if (runner.isBusy) {
      onChange(false);
      await this.#step("runs started by its last round", async () => {
        await runner.detach();
        await runner.idle(RECORDING_MS);
      });
    }
    await this.#release();
  }

  /** Releases everything, once. */
  #release(): Promise<void> {
    this.#releasing ??= this.#releaseAll();
    return this.#releasing;
  }

  async #releaseAll(): Promise<void> {
    const { audit, loop, feed } = this.#parts;
    this.#unsubscribe?.();
    const executors = this.#core.executors.close(this.#parts.registry.all(), (error, where) => this.#core.events.report(error, where));
    await this.#step("the round of the scheduler", () => loop.stop());
    await this.#step("the audit log", () => audit.close());
    await this.#step("the events of all nodes", () => feed.close());
    await this.#step("the store", () => this.#close());
    await this.#step("the executors", () => executors);
  }

  /** Runs a step of the stop; its failure is reported, and the rest continues. */
  async #step(name: string, work: () => Promise<unknown>): Promise<void> {
    this.#waitsFor = name;
    await work().catch((error: unknown) => this.#core.events.report(error, `stopping: ${name}`));
  }

  /** Once, however often it is called. */
  #close(): Promise<void> {
    this.#closing ??= this.#core.store.close(this.#cut.signal).catch((error: unknown) => {
      this.#core.events.report(error, "closing the store");
    });
    return this.#closing;
  }
}

/** Settles as a promise does, or rejects with the signal's reason as soon as that aborts. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
