import { TurnBudget } from "../../base/turn-budget.js";
import type { Clock } from "../../ports/clock.js";

/** A difference between wall and monotonic clock that is no mere slewing, ms. */
export const STEP_MS = 2_000;
/** Answers that took longer say too little about the time, ms. */
const LONGEST_ANSWER_MS = 4_000;

/** Comparison of the node's wall clock with the store's. Lengths in ms. */
export interface ClockComparison {
  readonly aheadMs: number;
  /** Time the store took to answer. */
  readonly answerMs: number;
  /** The least difference that counts. */
  readonly toleranceMs: number;
}

/**
 * The clock that the engine goes by. Until it is compared with a store's clock for the first time it is the node's own. From then on:
 *
 * ```
 *            wall clock steps            compared: differs from the store's
 *   own ─────────────────────► doubtful ────────────────────────────────────► corrected
 *    ▲                          │    ▲                                        │   │
 *    └──────────────────────────┘    └────────────────────────────────────────┘   │
 *    ▲   compared: it agrees              wall clock steps                         │ compared: it agrees
 *    └─────────────────────────────────────────────────────────────────────────────┘
 * ```
 *
 * A doubtful clock goes on by the monotonic clock, a corrected one by the wall clock and a constant: neither jumps when the wall clock does.
 */
export class StoreClock implements Clock {
  readonly #own: Clock;
  #isCompared = false;
  #isDoubtful = false;
  #correctionMs = 0;
  #wall = 0;
  #monotonic = 0;
  readonly isSimulated: boolean;
  readonly yield?: () => Promise<void>;
  /** Budget of the engine for a turn of the event loop. */
  readonly turns: TurnBudget;
  readonly track?: NonNullable<Clock["track"]>;

  constructor(own: Clock) {
    this.#own = own;
    this.isSimulated = own.isSimulated === true;
    this.turns = new TurnBudget(own);
    if (own.yield !== undefined) this.yield = () => own.yield?.() ?? Promise.resolve();
    if (own.track !== undefined) this.track = (promise, kind, name) => own.track?.(promise, kind, name);
  }

  now(): number {
    const wall = this.#own.now();
    if (!this.#isCompared) return wall;
    const monotonic = this.#own.monotonic();
    const steppedMs = Math.round(wall - this.#wall - (monotonic - this.#monotonic));
    this.#wall = wall;
    this.#monotonic = monotonic;
    if (Math.abs(steppedMs) >= STEP_MS) {
      this.#correctionMs -= steppedMs;
      this.#isDoubtful = true;
    }
    return wall + this.#correctionMs;
  }

  /** The node's own wall clock. */
  wall(): number {
    return this.#own.now();
  }

  monotonic(): number {
    return this.#own.monotonic();
  }

  setTimer(delayMs: number, fn: () => void): () => void {
    return this.#own.setTimer(delayMs, fn);
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return this.#own.sleep(ms, signal);
  }

  /** True if the wall clock has stepped since it was compared with the store's. */
  get isDoubtful(): boolean {
    this.now();
    return this.#isDoubtful;
  }

  /** Correction added to the wall clock, ms; 0 while it is trusted. */
  get correctionMs(): number {
    return this.#correctionMs;
  }

  /** Believes the wall clock if it agrees with the store's, else follows the store's. */
  compared({ aheadMs, answerMs, toleranceMs }: ClockComparison): void {
    if (!this.#isCompared) {
      this.#isCompared = true;
      this.#wall = this.#own.now();
      this.#monotonic = this.#own.monotonic();
    }
    this.now(); // a step that nobody has noticed yet belongs to what was measured
    if (answerMs > LONGEST_ANSWER_MS) return;
    const wasCorrected = this.#correctionMs !== 0;
    this.#isDoubtful = false;
    const errorMs = answerMs / 2;
    const agreesWithin = (wasCorrected ? toleranceMs / 2 : toleranceMs) + errorMs; // less to come back than to leave, so that it does not go to and fro
    if (Math.abs(aheadMs) <= agreesWithin) this.#correctionMs = 0;
    else if (!wasCorrected || Math.abs(aheadMs + this.#correctionMs) > toleranceMs / 2 + errorMs)
      this.#correctionMs = 0 - Math.round(aheadMs);
  }
}
