import { auditSealer } from "../monitor/audit-seal.js";
import type { GlobalPause } from "../ports/store.js";
import type { Claimer } from "./claim.js";
import { ClockWatch, replanFarAhead } from "./clock-watch.js";
import type { Core } from "./core.js";
import { fireDue } from "./fire.js";
import { LeaseKeeper } from "./lease-keeper.js";
import { isUnavailable, type Outage } from "./outage.js";
import { recoverLost } from "./recover.js";
import type { Runner } from "./runner.js";
import { Skew } from "./skew.js";
import { ofTrigger } from "./tell.js";

const AFTER_ERROR_MS = 1_000;

/**
 * The one loop: it wakes when something is due or has changed, does everything that is due in the order of the flow, and
 * sleeps until the next thing. Never two rounds at once.
 */
export class Loop {
  readonly #core: Core;
  readonly #runner: Runner;
  readonly #claimer: Claimer;
  readonly #outage: Outage;
  readonly #watch: ClockWatch;
  readonly #leases: LeaseKeeper;
  readonly #refresh: () => Promise<void>;
  readonly skew: Skew;
  #global: GlobalPause = { pause: null, lastPause: null };
  #isRunning = false;
  #isClaiming = true;
  #round: Promise<void> | null = null;
  #again = false;
  #stopTimer: (() => void) | null = null;
  #storeDueAt = 0;
  #recoverAt = 0;
  #pruneAt = 0;
  #globalAt = 0;
  lastRoundAt: number | null = null;

  /** @param refresh - takes over what other nodes have changed of settings */
  constructor(core: Core, runner: Runner, claimer: Claimer, outage: Outage, refresh: () => Promise<void>) {
    this.#core = core;
    this.#runner = runner;
    this.#claimer = claimer;
    this.#outage = outage;
    this.#refresh = refresh;
    this.#watch = new ClockWatch(core);
    this.#leases = new LeaseKeeper(core, runner);
    this.skew = new Skew(core);
  }

  get globalPause(): GlobalPause {
    return this.#global;
  }

  /** Begins; resolves after the first round. */
  async start(): Promise<void> {
    const now = this.#core.clock.now();
    this.#pruneAt = now + this.#core.settings.pruneMs;
    this.#isRunning = true;
    this.#leases.start();
    await replanFarAhead(this.#core, now);
    this.wake();
    await this.#round;
  }

  /** Has a round soon: something changed. */
  wake(): void {
    if (!this.#isRunning) return;
    if (this.#round !== null) {
      this.#again = true;
      return;
    }
    this.#round = this.#rounds();
    this.#core.clock.track?.(this.#round, "work");
  }

  /** Reads the pause of everything again before the next round. */
  refreshGlobal(): void {
    this.#globalAt = 0;
    this.wake();
  }

  /** Reads the pause of everything now, so that this node's own change of it shows at once, and again before the next round. */
  async readGlobal(): Promise<void> {
    this.#global = await this.#core.store.globalPause();
    this.refreshGlobal();
  }

  /** Fires and claims no more, but keeps leases alive. */
  stopClaiming(): void {
    this.#isClaiming = false;
  }

  /** Ends; resolves when the round under way has ended. */
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
    } while (this.#again && waitMs === 0 && this.#isRunning);
    this.#round = null;
    if (this.#isRunning) this.#arm(waitMs);
  }

  /** One round; gives how long to wait at least before the next, ms. */
  async #safeRound(): Promise<number> {
    try {
      await this.#one();
      this.#outage.recovered();
      return 0;
    } catch (error) {
      if (isUnavailable(error)) return this.#outage.failed(error as Error);
      this.#core.events.report(error, "a round of the scheduler");
      return AFTER_ERROR_MS;
    }
  }

  async #one(): Promise<void> {
    const { clock, store, settings } = this.#core;
    const now = clock.now();
    this.lastRoundAt = now;
    const isStep = this.#watch.look(now);
    if (isStep) await replanFarAhead(this.#core, now);
    await this.#keepLeases(now, isStep);
    if (this.#isClaiming) {
      await this.#keepGlobal(now);
      if (this.#global.pause === null && !(await fireDue(this.#core, this.#global, now))) this.#globalAt = 0;
      if (this.#storeDueAt <= now || isStep) await this.#expire(now);
      while ((await this.#claimer.claim(clock.now())) && this.#isClaiming) await clock.yield?.();
      this.#storeDueAt = (await store.nextDueAt(now)) ?? Number.POSITIVE_INFINITY;
    }
    if (this.#pruneAt <= now) {
      this.#pruneAt = now + settings.pruneMs;
      await store.prune(now, auditSealer(this.#core.audit.keys));
    }
  }

  /** Own leases first, so that a node that slept does not take its own work for lost. */
  async #keepLeases(now: number, isStep: boolean): Promise<void> {
    const third = Math.ceil(this.#core.settings.leaseMs / 3);
    if (this.#runner.size > 0) await this.#leases.catchUp(now, isStep);
    if (this.#isClaiming && (this.#recoverAt <= now || isStep)) {
      this.#recoverAt = now + third;
      await recoverLost(this.#core, this.#runner, now);
    }
  }

  async #keepGlobal(now: number): Promise<void> {
    const { store, events, settings } = this.#core;
    const until = this.#global.pause?.until ?? null;
    if (until !== null && until <= now) {
      const pause = await store.resume(null, until);
      if (pause !== null) events.tell("resumed", () => ({ pipelineId: null, reason: pause.reason, user: pause.user, isAutomatic: true }));
      this.#globalAt = 0;
    }
    if (this.#globalAt <= now) {
      this.#global = await store.globalPause();
      this.#globalAt = now + Math.min(settings.trustMs, store.pollMs ?? settings.trustMs);
      await this.#refresh();
      await this.skew.measure();
    }
  }

  async #expire(now: number): Promise<void> {
    const { store, events } = this.#core;
    for (const trigger of await store.expire(now)) events.tell("trigger.expired", ofTrigger, trigger);
  }

  #arm(waitMs: number): void {
    const { clock, registry, settings, store } = this.#core;
    const now = clock.now();
    let next = Math.min(this.#recoverAt, this.#pruneAt, now + (store.pollMs ?? Number.POSITIVE_INFINITY));
    if (this.#isClaiming) {
      const fireAt =
        this.#global.pause === null ? registry.nextAt() : Math.min(this.#global.pause.until ?? Number.POSITIVE_INFINITY, this.#globalAt);
      next = Math.min(next, fireAt, this.#storeDueAt);
    }
    const delay = Math.max(waitMs, 1, Math.min(next - now, settings.trustMs));
    if (delay !== Number.POSITIVE_INFINITY) this.#stopTimer = clock.setTimer(delay, () => this.wake());
  }
}
