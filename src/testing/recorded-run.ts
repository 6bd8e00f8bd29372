import { HeadgateError } from "../base/errors.js";
import { epochMs } from "../base/instant.js";
import { checkInteger, invalidArgument } from "../base/options.js";
import { shown } from "../base/shown.js";
import type { ExecutionPolicy } from "../run/policy.js";
import { retryDelay } from "../run/retry.js";
import { type AttemptOutcome, type CancelRequest, RUN_STATUSES, type RunError, type RunStatus } from "../run/run.js";
import type { HistoricalAttempt, HistoricalRun } from "./history.js";

/** An attempt as it was recorded. Instants are epoch ms. */
export interface RecordedAttempt {
  /** From 1. */
  readonly attempt: number;
  readonly startedAt: number;
  /** `null`: it had not ended. */
  readonly endedAt: number | null;
  readonly outcome: AttemptOutcome | null;
  readonly error: RunError | null;
}

/** A run as it was recorded. Instants are epoch ms. */
export interface RecordedRun {
  /** Of its trigger: see {@link keyOf}. */
  readonly key: string;
  readonly status: RunStatus;
  readonly scheduledFor: number | null;
  /** Its fire time if that was not long ago, else its start. */
  readonly dueAt: number;
  readonly startedAt: number;
  readonly endedAt: number | null;
  /** Number of its last attempt. */
  readonly attempt: number;
  readonly attempts: readonly RecordedAttempt[];
  /** Its attempts were recorded, and not made up from its time. */
  readonly hasAttempts: boolean;
  /** When its next attempt is due, if it waits for one. */
  readonly retryAt: number | null;
  readonly cancel: CancelRequest | null;
  readonly output: unknown;
}

/** Returns what names a trigger both in a history and in its play: its fire time, or the request's id. */
export function keyOf(kind: string, scheduledFor: number | null, id: string): string {
  return kind === "scheduled" ? `fire time ${scheduledFor}` : `request ${id}`;
}

/**
 * Checks one run.
 *
 * @param keys - of the history's triggers, by id
 * @throws HeadgateError `INVALID_ARGUMENT`, `INVALID_INSTANT`
 */
export function recordedRun(run: HistoricalRun, index: number, keys: ReadonlyMap<string, string>, policy: ExecutionPolicy): RecordedRun {
  const where = `history.runs[${index}]`;
  const { attempt, output = null, triggerId } = run;
  if (!RUN_STATUSES.includes(run.status as RunStatus)) throw bad(`${where}.status`, `${shown(run.status)} is unknown`);
  checkInteger(attempt, { least: 1 }, `${where}.attempt`, invalidArgument("backtest"));
  const status = run.status as RunStatus;
  const scheduledFor = run.scheduledFor === null ? null : epochMs(run.scheduledFor, `${where}.scheduledFor`);
  const startedAt = epochMs(run.startedAt, `${where}.startedAt`);
  const endedAt = run.endedAt === null ? null : epochMs(run.endedAt, `${where}.endedAt`);
  const isOfSchedule = scheduledFor !== null && startedAt - scheduledFor <= policy.catchupWindowMs;
  const ownKey = keyOf(isOfSchedule ? "scheduled" : "manual", scheduledFor, triggerId ?? `of run ${index}`);
  const made = { status, startedAt, endedAt, attempt };
  return {
    ...made,
    key: (triggerId === undefined ? undefined : keys.get(triggerId)) ?? ownKey,
    scheduledFor,
    dueAt: isOfSchedule ? Math.min(scheduledFor, startedAt) : startedAt,
    attempts: run.attempts === undefined ? spread(made, errorOf(run.error), policy) : attemptsOf(run, run.attempts, made, where),
    hasAttempts: run.attempts !== undefined || attempt === 1,
    retryAt: run.retryAt ? epochMs(run.retryAt, `${where}.retryAt`) : null,
    cancel: run.cancelRequest ? { ...run.cancelRequest, at: epochMs(run.cancelRequest.at, `${where}.cancelRequest.at`) } : null,
    output,
  };
}

type Ends = Pick<RecordedRun, "status" | "startedAt" | "endedAt" | "attempt">;

/** The attempts that a run names, and the last one, which it does not name unless it was lost or a retry was cancelled. */
function attemptsOf(run: HistoricalRun, named: readonly HistoricalAttempt[], ends: Ends, where: string): RecordedAttempt[] {
  const attempts = named.map((one, index): RecordedAttempt => {
    const at = (name: "startedAt" | "endedAt") => epochMs(one[name], `${where}.attempts[${index}].${name}`);
    const { attempt, outcome, error } = one;
    return { attempt, startedAt: at("startedAt"), endedAt: at("endedAt"), outcome: outcome as AttemptOutcome, error: errorOf(error) };
  });
  if (attempts.some(({ attempt }) => attempt === ends.attempt)) return attempts;
  const startedAt =
    run.attemptStartedAt !== undefined
      ? epochMs(run.attemptStartedAt, `${where}.attemptStartedAt`)
      : (attempts.at(-1)?.endedAt ?? ends.startedAt);
  return [
    ...attempts,
    { attempt: ends.attempt, startedAt, endedAt: ends.endedAt, outcome: outcomeOf(ends.status), error: errorOf(run.error) },
  ];
}

/** A run's time spread over its attempts, without the waits between them as far as they fit. */
function spread({ status, startedAt, endedAt, attempt: count }: Ends, error: RunError | null, policy: ExecutionPolicy): RecordedAttempt[] {
  if (endedAt === null && count === 1) return [{ attempt: 1, startedAt, endedAt, outcome: null, error: null }];
  const end = endedAt ?? startedAt;
  const all = Array.from({ length: count - 1 }, (_, index) => plainDelay(policy, index + 1));
  const sum = all.reduce((total, ms) => total + ms, 0);
  const waits = sum <= end - startedAt ? all : all.map(() => 0);
  const workMs = (end - startedAt - waits.reduce((total, ms) => total + ms, 0)) / count;
  let waited = 0;
  return Array.from({ length: count }, (_, index) => {
    const from = startedAt + Math.round(index * workMs) + waited;
    const to = startedAt + Math.round((index + 1) * workMs) + waited;
    waited += waits[index] ?? 0;
    const isLast = index === count - 1;
    return {
      attempt: index + 1,
      startedAt: from,
      endedAt: to,
      outcome: isLast ? outcomeOf(status) : "failed",
      error: isLast ? error : null,
    };
  });
}

/** The wait after an attempt without its jitter, ms. */
export function plainDelay(policy: ExecutionPolicy, attempt: number): number {
  const { backoff, retryDelayMs, maxRetryDelayMs } = policy;
  const unlimited = { backoff, retryDelayMs, maxRetryDelayMs, retries: Number.POSITIVE_INFINITY, jitter: 0, retryOn: null };
  return retryDelay(unlimited, attempt, "failed", null, 0.5) ?? retryDelayMs;
}

function outcomeOf(status: RunStatus): AttemptOutcome | null {
  return status === "running" || status === "retrying" ? null : status;
}

function errorOf(error: { readonly message: string; readonly code: string | null } | null | undefined): RunError | null {
  return error ? { message: error.message, code: error.code } : null;
}

function bad(name: string, problem: string): HeadgateError {
  return new HeadgateError("INVALID_ARGUMENT", `backtest: ${name}: ${problem}`, { details: { option: name } });
}
