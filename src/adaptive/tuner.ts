import type { Duration } from "../base/duration.js";
import { HeadgateError } from "../base/errors.js";
import type { OptionNames } from "../base/options.js";
import type { Performance } from "./performance.js";

/** Result of a {@link Tuner}. */
export interface Tuning {
  /** Interval that it wants; the current one for no change. */
  readonly interval: Duration;
  /** Reason in words, with the numbers that it is based on. */
  readonly reason: string;
  /** Applies however small the change is, without the tuner wanting it at two runs in a row. The cooldown holds. Default false. */
  readonly isUrgent?: boolean;
}

/** Schedule that a tuner tunes, as it is at this look. Lengths in ms. */
export interface TunerContext {
  readonly baseMs: number;
  readonly minMs: number;
  readonly maxMs: number;
}

/**
 * A pure function of recent performance and the current interval (ms). Its result is kept within the schedule's `min` and `max`, and waits for its `cooldown`.
 *
 * The context is absent when a tuner is called outside a schedule: the built-in tuners then return a single step of their reaction.
 */
export interface Tuner {
  (performance: Performance, intervalMs: number, context?: TunerContext): Tuning;
  /** Goes by the load of the machine or the queue: it is called between runs, too. Default false. */
  readonly followsLoad?: boolean;
}

/** Factors by which an interval moves. */
export interface Factors {
  /** Factor applied to the interval to run more often; below 1. */
  speedUp?: number;
  /** Factor applied to the interval to run less often; above 1. */
  slowDown?: number;
}

/** Names of the options of {@link Factors}. */
export const FACTORS: OptionNames<Factors> = { speedUp: true, slowDown: true };

/** Returns the factors, checked, with these defaults. */
export function factorsOf(
  { speedUp, slowDown }: Factors,
  faster: number,
  slower: number,
  where: string,
): { readonly speedUp: number; readonly slowDown: number } {
  const factors = { speedUp: speedUp ?? faster, slowDown: slowDown ?? slower };
  if (!(factors.speedUp > 0 && factors.speedUp <= 1))
    throw invalidTuner(where, `speedUp ${factors.speedUp} must be greater than 0 and at most 1`);
  if (!(factors.slowDown >= 1 && factors.slowDown <= 100)) throw invalidTuner(where, `slowDown ${factors.slowDown} must be from 1 to 100`);
  return factors;
}

export function invalidTuner(where: string, problem: string): HeadgateError {
  return new HeadgateError("INVALID_ARGUMENT", `${where}: ${problem}`);
}
