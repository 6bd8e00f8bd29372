import type { Core } from "./context/core.js";
import { ofTrigger } from "./context/event-payloads.js";
import { FailureReports } from "./context/failure-reports.js";
import type { GlobalPause } from "./context/global-pause.js";
import { RoundHealth } from "./context/round-health.js";
import { isStoreError, type StoreHealth } from "./context/store-health.js";
import { CatchupCauses } from "./firing/catchup-causes.js";
import { ClockJumpDetector } from "./firing/clock-jumps.js";
import { ClockRecovery } from "./firing/clock-recovery.js";
import { ClockSkewMonitor } from "./firing/clock-skew.js";
import { fireDue } from "./firing/fire.js";
import type { Claimer } from "./gating/claimer.js";
import { LeaseExtender } from "./running/lease-extender.js";
import { recoverLost } from "./running/recover.js";
import type { Runner } from "./running/runner.js";

const AFTER_ERROR_MS = 1_000;
/** Interval at which a node with a backlog checks what is due by time alone. */
const DUE_MS = 1_000;
const ROUND = "a round of the scheduler";

/** The parts that the loop drives. */
export interface LoopParts {
  readonly runner: Runner;
  readonly claimer: Claimer;
  readonly storeHealth: StoreHealth;
  readonly globalPause: GlobalPause;
  /** Takes over what other nodes have changed of settings. */
  readonly refresh: () => Promise<void>;
}

type LoopCore = Pick<Core, "clock" | "events" | "executors" | "fireQueue" | "logger" | "newId" | "settings" | "signals" | "store">;

/**
 * The one loop: it wakes when something is due or has changed, does everything that is due in the order of the flow, and
 * sleeps until the next thing. Never two rounds at once.
 */
export class Loop {
  readonly #core: LoopCore;
  readonly #runner: Runner;
  readonly #claimer: Claimer;
  readonly #storeHealth: StoreHealth;
  readonly #jumps: ClockJumpDetector;
  readonly #recovery: ClockRecovery;
  readonly #causes: CatchupCauses;
  readonly #leases: LeaseExtender;
  readonly #failures: FailureReports;
  readonly #global: GlobalPause;
  readonly #refresh: () => Promise<void>;
  readonly skew: ClockSkewMonitor;
  #isRunning = false;
  #isClaiming = true;
  #round: Promise<void> | null = null;
  #again = false;
  #stopTimer: (() => void) | null = null;
  #storeDueAt = 0;
  #recoverAt = 0;
  #pausedAt = 0;
  #onFirstRound = () => {};
  readonly health: RoundHealth;

  constructor(core: LoopCore, { runner, claimer, storeHealth, globalPause, refresh }: LoopParts) {
    this.#core = core;
    this.#runner = runner;
    this.#claimer = claimer;
    this.#storeHealth = storeHealth;
    this.#global = globalPause;
    this.#refresh = refresh;
    core.signals.wake.on(() => this.wake());
    this.#jumps = new ClockJumpDetector(core);
    this.#recovery = new ClockRecovery(core);
    this.#causes = new CatchupCauses(core);
    this.#leases = new LeaseExtender(core, runner);
    this.#failures = new FailureReports(core);
    this.skew = new ClockSkewMonitor(core);
    this.health = new RoundHealth(core.clock, core.settings.trustMs);
  }

  /** Begins; resolves after the first round, whatever is left to do. */
  async start(): Promise<void> {
    const now = this.#core.clock.now();
    this.#isRunning = true;
    this.#leases.start();
    await this.#causes.start(now);
    await this.#recovery.start(now);
    const first = new Promise<void>((resolve) => {
      this.#onFirstRound = resolve;
    });
    this.wake();
    await first;
  }

  /** Schedules a round: something has changed. */
  wake(): void {
    if (!this.#isRunning) return;
    if (this.#round !== null) {
      this.#again = true;
      return;
    }
    this.#round = this.#rounds();
    this.#core.clock.track?.(this.#round, "work");
  }

  /** Another node has changed something in the store: the next round reads the pause of everything, and settings, again. */
  storeChanged(): void {
    this.#global.invalidate();
    this.wake();
  }

  /** Fires and claims no more, but keeps leases alive. */
  stopClaiming(): void {
    this.#isClaiming = false;
    this.#onFirstRound();
  }

  /** Resolves when the active round has ended: after `stopClaiming` it is the last that may begin something. */
  async quiet(): Promise<void> {
    await this.#round;
  }

  /** Ends; resolves when the active round has ended. */
  async stop(): Promise<void> {
    this.#isRunning = false;
    this.#stopTimer?.();
    this.#stopTimer = null;
    await Promise.all([this.#round, this.#leases.stop()]);
  }

  async #rounds(): Promise<void> {
    this.#stopTimer?.();
    this.#stopTimer = null;
    let waitMs = 0;
    do {
      this.#again = false;
      await this.#core.clock.yield?.(); // gathers what else happens in this turn, and serves timers, sockets and signals: a backlog of quick runs is worked off by rounds alone
      waitMs = await this.#safeRound();
      this.#onFirstRound();
    } while (this.#again && waitMs === 0 && this.#isRunning);
    this.#round = null;
    if (this.#isRunning) this.#arm(waitMs);
  }

  /** One round; gives how long to wait at least before the next, ms. */
  async #safeRound(): Promise<number> {
    try {
      await this.#one();
      this.health.succeeded();
      this.#storeHealth.recovered();
      this.#failures.succeeded(ROUND);
      return 0;
    } catch (error) {
      this.health.failed(error);
      if (isStoreError(error)) return this.#storeHealth.failed(error);
      this.#failures.failed(ROUND, error);
      return AFTER_ERROR_MS;
    }
  }

  async #one(): Promise<void> {
    const { clock } = this.#core;
    if (clock.isDoubtful) await this.skew.measure();
    const now = clock.now();
    const steppedMs = this.#jumps.check(now);
    const isStep = steppedMs !== 0;
    this.#causes.look(now, steppedMs, this.#storeHealth.since);
    if (isStep) this.#stepped(now);
    await this.#keepLeases(now, isStep);
    await this.#recovery.stepped(steppedMs, now);
    if (this.#isClaiming) {
      await this.#keepGlobal(now);
      if (this.#global.current.pause === null && !(await fireDue(this.#core, this.#causes, this.#global.current, now)))
        this.#global.dueAt = 0;
      if (this.#storeDueAt <= now || isStep) await this.#expire(now);
      if (this.#isClaiming) await this.#claim(now);
    }
  }

  /** The time has jumped: instants that were kept mean nothing any more. Nobody's work is taken for lost before a wrong clock could be noticed by others. */
  #stepped(now: number): void {
    const { settings, store } = this.#core;
    this.#global.dueAt = 0;
    this.#pausedAt = 0;
    this.#storeDueAt = 0;
    this.#recoverAt = store.pollMs === null ? now : now + settings.leaseMs;
  }

  /** Own leases first, so that a node that slept does not take its own work for lost. */
  async #keepLeases(now: number, isStep: boolean): Promise<void> {
    const third = Math.ceil(this.#core.settings.leaseMs / 3);
    if (this.#runner.hasLeases) await this.#leases.catchUp(now, isStep);
    if (!this.#isClaiming || this.#recoverAt > now) return;
    if (this.#storeHealth.lengthMs(now) >= third) {
      this.#recoverAt = now + this.#core.settings.leaseMs; // no node could extend a lease, nor record what it has done: each has a lease's time for it now
      return;
    }
    this.#recoverAt = now + third;
    await recoverLost(this.#core, this.#runner, this.#failures, now, () => this.#isClaiming);
  }

  async #keepGlobal(now: number): Promise<void> {
    const { store, events, settings } = this.#core;
    const until = this.#global.current.pause?.until ?? null;
    if (until !== null && until <= now) {
      const [pause = null] = await store.resume([{ pipelineId: null }], until);
      await store.recheck(null, now);
      if (pause !== null) events.emit("resumed", () => ({ pipelineId: null, reason: pause.reason, user: pause.user, isAutomatic: true }));
      this.#global.dueAt = 0;
    }
    if (this.#global.dueAt <= now) {
      await store.verifySchema();
      await this.#global.read();
      this.#global.dueAt = now + Math.min(settings.trustMs, store.pollMs ?? settings.trustMs);
      if (this.#pausedAt <= now) await this.#learnPauses(now);
      await this.#refresh();
      await this.skew.measure();
      await this.#recovery.check(now);
    }
  }

  /** Takes over pauses that other nodes have made: one of a pipeline that does not fire here shows nowhere else, and may be left to this node to end. */
  async #learnPauses(now: number): Promise<void> {
    const { store, fireQueue, settings } = this.#core;
    this.#pausedAt = now + settings.trustMs;
    const unknown = (await store.pausedPipelines()).flatMap((id) => fireQueue.get(id) ?? []).filter(({ pause }) => pause === null);
    if (unknown.length === 0) return;
    const states = await store.states(unknown.map(({ pipeline }) => pipeline.id));
    for (const [index, entry] of unknown.entries()) fireQueue.sync(entry, states[index] ?? null, now);
  }

  /** One claim; while there may be more, the next round goes on, so that firing, leases and a stop have their turn in between. */
  async #claim(now: number): Promise<void> {
    if (await this.#claimer.claim()) {
      this.#again = true;
      this.#storeDueAt = now + DUE_MS;
    } else this.#storeDueAt = (await this.#core.store.nextDueAt(now)) ?? Number.POSITIVE_INFINITY;
  }

  async #expire(now: number): Promise<void> {
    const { store, events } = this.#core;
    for (const trigger of await store.expire(now)) events.emit("trigger.expired", ofTrigger, trigger);
  }

  #arm(waitMs: number): void {
    const { clock, fireQueue, settings, store } = this.#core;
    const now = clock.now();
    let next = Math.min(this.#recoverAt, now + (store.pollMs ?? Number.POSITIVE_INFINITY));
    if (this.#isClaiming) {
      const fireAt =
        this.#global.current.pause === null
          ? fireQueue.nextAt()
          : Math.min(this.#global.current.pause.until ?? Number.POSITIVE_INFINITY, this.#global.dueAt);
      next = Math.min(next, fireAt, this.#storeDueAt);
    }
    const delay = waitMs > 0 ? waitMs : Math.max(1, Math.min(next - now, settings.trustMs)); // a round that failed is tried again whatever is due
    if (delay !== Number.POSITIVE_INFINITY) this.#stopTimer = clock.setTimer(delay, () => this.wake());
  }
}
