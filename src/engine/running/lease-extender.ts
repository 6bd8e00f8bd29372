import { messageOf } from "../../base/errors.js";
import type { Core } from "../context/core.js";
import { isUnavailable } from "../context/store-health.js";
import type { Runner } from "./runner.js";

/** Delay after which a failed heartbeat is sent again, ms. */
const AGAIN_MS = 1_000;

/**
 * Extends the leases of what runs on this node, three times within each lease, on a timer of its own: a round that waits for another node's lock or for a slow answer
 * must not cost a healthy node its runs.
 */
export class LeaseExtender {
  readonly #core: Pick<Core, "clock" | "events" | "settings">;
  readonly #runner: Runner;
  #isRunning = false;
  #stopTimer: (() => void) | null = null;
  #beating: Promise<void> | null = null;
  #lastBeatAt: number | null = null;
  /** The message of the last failure, so that one is reported once. */
  #failure: string | null = null;

  constructor(core: Pick<Core, "clock" | "events" | "settings">, runner: Runner) {
    this.#core = core;
    this.#runner = runner;
  }

  /** Milliseconds between two heartbeats. */
  get #intervalMs(): number {
    return Math.ceil(this.#core.settings.leaseMs / 3);
  }

  start(): void {
    this.#isRunning = true;
    this.#lastBeatAt = this.#core.clock.now();
    this.#arm(this.#intervalMs);
  }

  /** Resolves when a heartbeat in flight has been answered. */
  async stop(): Promise<void> {
    this.#isRunning = false;
    this.#stopTimer?.();
    this.#stopTimer = null;
    await this.#beating;
  }

  /** Sends a heartbeat now if one is overdue or `isForced`: after a sleep, before anything is taken for lost. */
  async catchUp(now: number, isForced: boolean): Promise<void> {
    const isOverdue = this.#lastBeatAt === null || Math.abs(now - this.#lastBeatAt) >= 1.5 * this.#intervalMs;
    if (isForced || isOverdue) await this.#beat();
  }

  #arm(delayMs: number): void {
    this.#stopTimer?.();
    if (!this.#isRunning) return;
    this.#stopTimer = this.#core.clock.setTimer(delayMs, () => {
      this.#core.clock.track?.(this.#beat(), "work");
    });
  }

  #beat(): Promise<void> {
    this.#beating ??= this.#once().finally(() => {
      this.#beating = null;
    });
    return this.#beating;
  }

  async #once(): Promise<void> {
    const now = this.#core.clock.now();
    try {
      await this.#runner.heartbeat();
      this.#lastBeatAt = now;
      this.#failure = null;
      this.#arm(this.#intervalMs);
    } catch (error) {
      const message = messageOf(error);
      if (!isUnavailable(error) && message !== this.#failure) this.#core.events.report(error, "extending the leases of this node's runs");
      this.#failure = message;
      this.#arm(Math.min(AGAIN_MS, this.#intervalMs));
    }
  }
}
