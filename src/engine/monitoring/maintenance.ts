/**
 * Keeps the store small, beside the rounds of the loop: statistics are rolled up, then what is beyond the retention is removed.
 *
 * ```
 *            due, and this node has the lease
 *   waiting ──────────────────────────────────► a step ──┐ more to do: another step, after as long as the last one took
 *      ▲                                        │  ▲     │
 *      └── nothing left, or another node's turn ┘  └─────┘
 * ```
 *
 * One node at a time works, as long as leases are kept. A step is one short transaction; how much it does is adapted to how long the last one took, so that none holds a lock, or on SQLite the
 * event loop, for long. It goes on until nothing is left. After a jump of the clock nothing is removed before a wrong clock could be noticed.
 */
import { auditSealer } from "../../monitor/audit-seal.js";
import type { Core } from "../context/core.js";
import { FailureReports } from "../context/failure-reports.js";
import { LeaderElector } from "../context/leader-elector.js";
import { STEP_MS } from "../context/store-clock.js";
import { isStoreError, isUnavailable } from "../context/store-health.js";
import { rollUpStatistics } from "./statistics-roll-up.js";

/** The lease by which one node does it. */
const LEASE = "headgate: maintenance";
/** The interval between two looks for something to do, ms; and the one where there are no other nodes, so that idle and simulated schedulers do little. */
const EVERY_MS = 60_000;
const EVERY_ALONE_MS = 300_000;
/** For how long nothing is done after a jump of the clock, ms. */
const AFTER_JUMP_MS = 300_000;
const AFTER_ERROR_MS = 5_000;
/** A step that took less than the first of these does more the next time, one that took more than the second does less, ms. */
const SHORT_MS = 3;
const LONG_MS = 8;
/** Records of a step. */
const LEAST = 25;
const MOST = 1_000;
const WORK = "the maintenance of the store";

type MaintenanceCore = Pick<Core, "audit" | "clock" | "events" | "logger" | "node" | "settings" | "store">;

export class Maintenance {
  readonly #core: MaintenanceCore;
  readonly #failures: FailureReports;
  readonly #elector: LeaderElector;
  #isRunning = false;
  #stopTimer: (() => void) | null = null;
  #step: Promise<void> | null = null;
  #dueAt = 0;
  #limit = LEAST;
  /** Wall and monotonic clock at the last look. */
  #seen = { now: 0, monotonic: 0 };

  constructor(core: MaintenanceCore) {
    this.#core = core;
    this.#failures = new FailureReports(core);
    this.#elector = new LeaderElector(core, LEASE);
  }

  start(): void {
    this.#isRunning = true;
    const { clock } = this.#core;
    this.#seen = { now: clock.now(), monotonic: clock.monotonic() };
    this.#dueAt = this.#seen.now + this.#everyMs;
    this.#arm();
  }

  /** Stops the active step, and lets another node take over. */
  async stop(): Promise<void> {
    this.#isRunning = false;
    this.#stopTimer?.();
    await this.#step;
    try {
      await this.#elector.release();
    } catch (error) {
      if (!isUnavailable(error)) this.#core.events.report(error, `releasing the lease of ${WORK}`); // it runs out
    }
  }

  get #everyMs(): number {
    return this.#core.store.pollMs === null ? EVERY_ALONE_MS : EVERY_MS;
  }

  #arm(): void {
    if (!this.#isRunning) return;
    const { clock, settings } = this.#core;
    this.#stopTimer = clock.setTimer(Math.max(1, Math.min(this.#dueAt - clock.now(), settings.trustMs)), () => {
      this.#step = this.#wake().finally(() => {
        this.#step = null;
        this.#arm();
      });
      clock.track?.(this.#step, "work");
    });
  }

  async #wake(): Promise<void> {
    const { clock } = this.#core;
    const now = clock.now();
    if (this.#hasJumped(now)) this.#dueAt = now + AFTER_JUMP_MS;
    if (now < this.#dueAt) return;
    const startedAt = clock.monotonic();
    try {
      const isDone = !(await this.#elector.leads(now)) || (await this.#work(now));
      const tookMs = clock.monotonic() - startedAt;
      if (tookMs > LONG_MS) this.#limit = Math.max(LEAST, Math.floor(this.#limit / 2));
      else if (tookMs < SHORT_MS) this.#limit = Math.min(MOST, this.#limit * 2);
      this.#dueAt = clock.now() + (isDone ? this.#everyMs : Math.min(tookMs, this.#everyMs));
      this.#failures.succeeded(WORK);
    } catch (error) {
      this.#elector.resign(); // the lease is claimed again before anything is written
      this.#dueAt = now + AFTER_ERROR_MS;
      if (!isStoreError(error)) this.#failures.failed(WORK, error); // the rounds of the loop report a store that is away
    }
  }

  #hasJumped(now: number): boolean {
    const monotonic = this.#core.clock.monotonic();
    const passedMs = monotonic - this.#seen.monotonic;
    const isJump = Math.abs(now - this.#seen.now - passedMs) >= STEP_MS;
    this.#seen = { now, monotonic };
    return isJump;
  }

  /** One step. Returns true when there is nothing left to do. */
  async #work(now: number): Promise<boolean> {
    const { store, audit } = this.#core;
    const lease = { name: LEASE, token: this.#elector.lease?.token ?? 0 };
    if (store.pollMs !== null && !(await rollUpStatistics(this.#core, lease, now, this.#limit))) return false;
    const { isDone } = await store.prune(now, { limit: this.#limit, sealer: auditSealer(audit.keys) });
    return isDone;
  }
}
