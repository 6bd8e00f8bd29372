import { errorFacts } from "../base/error-facts.js";
import { NonRetryableError } from "../base/errors.js";
import type { AttemptOutcome, PrintedOutput, RunError } from "./run.js";

/** Growth of the delay from attempt to attempt; custom functions get the number of the attempt that failed, from 1. */
export type Backoff = "fixed" | "exponential" | ((attempt: number) => number);

/** When a failed attempt is followed by another. Lengths in ms. */
export interface RetryPolicy {
  /** Attempts after the first. */
  readonly retries: number;
  readonly retryDelayMs: number;
  readonly backoff: Backoff;
  /** No delay is longer. */
  readonly maxRetryDelayMs: number;
  /** Share of the delay that is random, 0 to 1: 0.2 gives 80 % to 120 %. */
  readonly jitter: number;
  /** Only failures with these codes are worth another attempt; `null`: all. */
  readonly retryOn: readonly string[] | null;
}

/**
 * The delay before the next attempt in ms, or `null` when there is none: attempts used up, or an end that another
 * attempt would not change (success, cancellation, a {@link NonRetryableError}).
 *
 * @param random - a number in [0, 1) for the jitter
 */
export function retryDelay(policy: RetryPolicy, attempt: number, outcome: AttemptOutcome, error: unknown, random: number): number | null {
  if (outcome === "succeeded" || outcome === "cancelled") return null;
  if (error instanceof NonRetryableError) return null;
  if (attempt > policy.retries) return null;
  if (policy.retryOn !== null && outcome !== "lost" && !policy.retryOn.includes(runErrorOf(error).code ?? "")) return null;
  const { backoff, retryDelayMs } = policy;
  const plain =
    backoff === "fixed" ? retryDelayMs : backoff === "exponential" ? retryDelayMs * 2 ** Math.min(attempt - 1, 50) : backoff(attempt);
  const safe = Number.isFinite(plain) && plain >= 0 ? plain : retryDelayMs;
  const spread = 1 + policy.jitter * (2 * random - 1);
  return Math.round(Math.min(safe * spread, policy.maxRetryDelayMs));
}

/** Returns what is kept with a run of whatever its attempt has thrown. */
export function runErrorOf(error: unknown): RunError {
  return errorFacts(error);
}

/** Characters of one of the two outputs. */
const MAX_OUTPUT = 4_000;

/** Returns what a program had printed when its attempt ended: of its error, or, when it succeeded after it was asked to end, of its output. */
export function printedOf(error: unknown, output: unknown): PrintedOutput | null {
  const { details } = (error ?? {}) as { details?: unknown };
  const { stdout, stderr } = (details ?? (error === null ? output : null) ?? {}) as { stdout?: unknown; stderr?: unknown };
  if (typeof stdout !== "string" || typeof stderr !== "string" || stdout + stderr === "") return null;
  return { stdout: stdout.slice(-MAX_OUTPUT), stderr: stderr.slice(-MAX_OUTPUT) };
}
