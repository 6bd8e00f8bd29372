import { type Duration, durationMs } from "../base/duration.js";
import { HeadgateError } from "../base/errors.js";
import { checkInteger, checkOptions, type OptionNames } from "../base/options.js";
import { shown } from "../base/shown.js";
import type { Catchup } from "../schedule/misfire.js";
import { OVERLAPS, type Overlap } from "../trigger/overlap.js";
import { PRIORITIES, type Priority } from "../trigger/trigger.js";
import type { Backoff, RetryPolicy } from "./retry.js";

/** Execution options of a pipeline's runs. */
export interface ExecutionOptions {
  /** Attempts after the first, 0 to 1,000. Default 3. */
  retries?: number;
  /** Wait before the next attempt. Default `"5m"`. */
  retryDelay?: Duration;
  /** Growth of the delay: `"fixed"`, `"exponential"` (doubles), or a function of the failed attempt's number giving ms. Default `"fixed"`. */
  backoff?: Backoff;
  /** No wait is longer. Default `"24h"`. */
  maxRetryDelay?: Duration;
  /** Random share of the wait, 0 to 1. Default 0. */
  jitter?: number;
  /** Only failures with one of these codes (an error's `code`, else its name) are tried again; a lost attempt always is. Default: all. */
  retryOn?: readonly string[];
  /** Longest an attempt may take. Default `"2h"`. */
  timeout?: Duration;
  /** Longest a run may take, its attempts and the waits between them together. Default: as long as its attempts. */
  totalTimeout?: Duration | null;
  /** Runs of the pipeline at once, over all nodes. Default 1. */
  maxActiveRuns?: number;
  /** Policy for a scheduled trigger while all run slots are in use. Default `"queue_one"`; with `catchup: "all"` `"queue"`. */
  overlap?: Overlap;
  /** Policy for missed fire times. Default `"latest"`. */
  catchup?: Catchup;
  /** Missed fire times older than this are dropped. Default `"24h"`. */
  catchupWindow?: Duration;
  /** Of its triggers, unless they say otherwise. Default `"normal"`. */
  priority?: Priority;
  /** The pool whose slots its runs take. Default none. */
  pool?: string | null;
}

/** {@link ExecutionOptions} checked, with every default filled in; lengths in ms. */
export interface ExecutionPolicy extends RetryPolicy {
  readonly timeoutMs: number;
  readonly totalTimeoutMs: number | null;
  readonly maxActiveRuns: number;
  readonly overlap: Overlap;
  readonly catchup: Catchup;
  readonly catchupWindowMs: number;
  readonly priority: Priority;
  readonly pool: string | null;
}

const DEFAULT_EXECUTION: ExecutionPolicy = Object.freeze({
  retries: 3,
  retryDelayMs: 5 * 60_000,
  backoff: "fixed",
  maxRetryDelayMs: 24 * 3_600_000,
  jitter: 0,
  retryOn: null,
  timeoutMs: 2 * 3_600_000,
  totalTimeoutMs: null,
  maxActiveRuns: 1,
  overlap: "queue_one",
  catchup: "latest",
  catchupWindowMs: 24 * 3_600_000,
  priority: "normal",
  pool: null,
});

const CATCHUPS: readonly Catchup[] = ["none", "latest", "all"];
const BACKOFFS = ["fixed", "exponential"] as const;
const EXECUTION_OPTIONS: OptionNames<ExecutionOptions> = {
  retries: true,
  retryDelay: true,
  backoff: true,
  maxRetryDelay: true,
  jitter: true,
  retryOn: true,
  timeout: true,
  totalTimeout: true,
  maxActiveRuns: true,
  overlap: true,
  catchup: true,
  catchupWindow: true,
  priority: true,
  pool: true,
};

/**
 * Checks options and fills in the defaults.
 *
 * @param where - whose options they are, for messages
 * @throws HeadgateError `INVALID_PIPELINE`, `INVALID_DURATION`
 */
export function executionPolicy(options: ExecutionOptions | undefined, where: string): ExecutionPolicy {
  if (options === undefined) return DEFAULT_EXECUTION;
  checkOptions(options, EXECUTION_OPTIONS, where, (name, problem) => bad(where, name, problem));
  const catchup = oneOf(options.catchup ?? DEFAULT_EXECUTION.catchup, CATCHUPS, where, "catchup");
  const length = (name: "retryDelay" | "maxRetryDelay" | "timeout" | "catchupWindow", fallback: number) => {
    const value = options[name];
    return value === undefined ? fallback : durationMs(value, `${where}.${name}`);
  };
  const policy: ExecutionPolicy = {
    retries: whole(options.retries ?? DEFAULT_EXECUTION.retries, 0, 1_000, where, "retries"),
    retryDelayMs: length("retryDelay", DEFAULT_EXECUTION.retryDelayMs),
    backoff: typeof options.backoff === "function" ? options.backoff : oneOf(options.backoff ?? "fixed", BACKOFFS, where, "backoff"),
    maxRetryDelayMs: length("maxRetryDelay", DEFAULT_EXECUTION.maxRetryDelayMs),
    jitter: options.jitter ?? 0,
    retryOn: codesOf(options.retryOn, where),
    timeoutMs: length("timeout", DEFAULT_EXECUTION.timeoutMs),
    totalTimeoutMs:
      options.totalTimeout === undefined || options.totalTimeout === null
        ? null
        : durationMs(options.totalTimeout, `${where}.totalTimeout`),
    maxActiveRuns: whole(options.maxActiveRuns ?? 1, 1, 100_000, where, "maxActiveRuns"),
    overlap: oneOf(options.overlap ?? (catchup === "all" ? "queue" : "queue_one"), OVERLAPS, where, "overlap"),
    catchup,
    catchupWindowMs: length("catchupWindow", DEFAULT_EXECUTION.catchupWindowMs),
    priority: oneOf(options.priority ?? "normal", PRIORITIES, where, "priority"),
    pool: options.pool ?? null,
  };
  if (!(typeof policy.jitter === "number" && policy.jitter >= 0 && policy.jitter <= 1))
    throw bad(where, "jitter", `must be a number from 0 to 1 (got ${shown(policy.jitter)})`);
  if (policy.timeoutMs < 1) throw bad(where, "timeout", "must be at least 1 ms");
  if (policy.pool !== null && (typeof policy.pool !== "string" || policy.pool === "")) throw bad(where, "pool", "must be a name");
  return policy;
}

function codesOf(codes: readonly string[] | undefined, where: string): readonly string[] | null {
  if (codes === undefined) return null;
  if (Array.isArray(codes) && codes.every((one) => typeof one === "string" && one !== "")) return [...codes];
  throw bad(where, "retryOn", "must be a list of codes");
}

function whole(value: number, from: number, to: number, where: string, name: string): number {
  checkInteger(value, { least: from, most: to }, name, (_, problem) => bad(where, name, problem));
  return value;
}

function oneOf<T extends string>(value: T, allowed: readonly T[], where: string, name: string): T {
  if (allowed.includes(value)) return value;
  throw bad(where, name, `${shown(value)} is unknown; allowed: ${allowed.join(", ")}`);
}

function bad(where: string, name: string | null, problem: string): HeadgateError {
  const at = name === null ? where : `${where}.${name}`;
  return new HeadgateError("INVALID_PIPELINE", `${at}: ${problem}`, { details: name === null ? { where } : { where, option: name } });
}
