import type { Clock } from "../../ports/clock.js";

/** Longer than a round may take that has much to do: how long after the next round was due a node counts as stuck, ms. */
const LATE_MS = 15_000;

/** Failure of rounds, and since when they have failed. */
export interface RoundFailure {
  readonly since: number;
  readonly error: unknown;
}

/** Knows whether the rounds of the loop succeed. */
export class RoundHealth {
  readonly #clock: Clock;
  readonly #lateMs: number;
  #succeeded: number | null = null;
  /** When a whole round last succeeded. */
  lastSuccessAt: number | null = null;
  /** The error of the last round; `null` when it succeeded. */
  failure: RoundFailure | null = null;

  /** @param trustMs - the longest time between two rounds */
  constructor(clock: Clock, trustMs: number) {
    this.#clock = clock;
    this.#lateMs = trustMs + LATE_MS;
  }

  /** True if the last round that succeeded is longer ago than the loop ever sleeps. */
  get isLate(): boolean {
    return this.#succeeded !== null && this.#clock.monotonic() - this.#succeeded > this.#lateMs;
  }

  succeeded(): void {
    this.lastSuccessAt = this.#clock.now();
    this.#succeeded = this.#clock.monotonic();
    this.failure = null;
  }

  failed(error: unknown): void {
    this.failure = { since: this.failure?.since ?? this.#clock.now(), error };
  }
}
