import { endTrigger } from "../trigger/transitions.js";
import type { TriggerRecord } from "../trigger/trigger.js";
import { type Attempt, type AttemptOutcome, type CancelRequest, isActive, type RunEnd, type RunError, type RunRecord } from "./run.js";

const NO_ATTEMPTS: readonly Attempt[] = [];
const MAX_ATTEMPTS_KEPT = 100;
/** Newest attempts that keep the stack, the causes and the output of their error: the list is written with each attempt. */
const MAX_STACKS_KEPT = 5;

/** The end of an attempt, and what becomes of its run. */
export interface AttemptEnd {
  readonly outcome: AttemptOutcome;
  readonly error: RunError | null;
  readonly output: unknown;
  /** Latest progress of the attempt; `undefined` leaves the previous one. */
  readonly progress?: unknown;
  /** When the next attempt is due; `null` ends the run. */
  readonly retryAt: number | null;
}

/** Nothing ──► running, attempt 1. */
export function startRun(id: string, trigger: TriggerRecord, node: string, leaseMs: number, now: number): RunRecord {
  return {
    id,
    pipelineId: trigger.pipelineId,
    triggerId: trigger.id,
    status: "running",
    scheduledFor: trigger.scheduledFor,
    attempt: 1,
    token: 1,
    node,
    leaseUntil: now + leaseMs,
    startedAt: now,
    attemptStartedAt: now,
    endedAt: null,
    retryAt: null,
    output: null,
    error: null,
    progress: null,
    reference: null,
    cancelRequest: null,
    attempts: NO_ATTEMPTS,
    isForced: trigger.isForced,
  };
}

/** retrying ──► running, with the next attempt and a higher fencing token. */
export function startAttempt(run: RunRecord, node: string, leaseMs: number, now: number): RunRecord {
  if (run.status !== "retrying") throw impossible(run, "running");
  const startedAt = Math.max(now, run.attempts.at(-1)?.endedAt ?? now);
  return {
    ...run,
    status: "running",
    attempt: run.attempt + 1,
    token: run.token + 1,
    node,
    leaseUntil: now + leaseMs,
    attemptStartedAt: startedAt,
    retryAt: null,
    reference: null,
  };
}

/** running ──► running, on another node with a higher fencing token: the attempt is remote, and continues. */
export function adoptAttempt(run: RunRecord, node: string, leaseUntil: number): RunRecord {
  if (run.status !== "running") throw impossible(run, "running");
  return { ...run, node, leaseUntil, token: run.token + 1 };
}

/**
 * running ──► retrying | succeeded | failed | timed_out | cancelled. Ends no earlier than it started, whatever the clocks of two nodes say. A run that was to be cancelled ends as cancelled with
 * an attempt that failed, timed out or was lost; a success stays one.
 */
export function endAttempt(run: RunRecord, end: AttemptEnd, now: number): RunRecord {
  if (run.status !== "running") throw impossible(run, end.outcome);
  const endedAt = Math.max(now, run.attemptStartedAt);
  const { progress = run.progress } = end;
  if (run.cancelRequest !== null && isFailure(end.outcome))
    return { ...run, status: "cancelled", endedAt, output: null, error: end.error, progress, attempts: withAttempt(run, end, endedAt) };
  if (end.retryAt === null) {
    const status: RunEnd = end.outcome === "lost" ? "failed" : end.outcome;
    const attempts = end.outcome === "lost" ? withAttempt(run, end, endedAt) : run.attempts;
    return { ...run, status, endedAt, output: end.output, error: end.error, progress, attempts };
  }
  return { ...run, status: "retrying", retryAt: end.retryAt, error: end.error, progress, attempts: withAttempt(run, end, endedAt) };
}

/** Returns true if a run shows that this very end of an attempt was recorded before. */
export function isRecordedEnd(run: RunRecord, { token, end }: { readonly token: number; readonly end: AttemptEnd }): boolean {
  const isCurrent = run.token === token;
  const last = run.attempts.at(-1);
  const isSameEnd = last?.outcome === end.outcome && isSameError(last.error, end.error);
  if (isCurrent && run.status === "cancelled" && run.cancelRequest !== null && isFailure(end.outcome))
    return last?.attempt === run.attempt && isSameEnd;
  if (end.retryAt === null) {
    const status: RunEnd = end.outcome === "lost" ? "failed" : end.outcome;
    return isCurrent && run.status === status && isSameError(run.error, end.error);
  }
  const isFollowed = isCurrent
    ? run.status === "retrying" && run.retryAt === end.retryAt
    : run.token === token + 1 && run.attemptStartedAt >= end.retryAt; // the next attempt, not one that was taken over
  return isFollowed && isSameEnd;
}

/** An end of an attempt after which there may be another attempt. */
function isFailure(outcome: AttemptOutcome): boolean {
  return outcome !== "succeeded" && outcome !== "cancelled";
}

function isSameError(one: RunError | null, other: RunError | null): boolean {
  return one?.message === other?.message && one?.code === other?.code;
}

/** retrying ──► retrying, due now; a run that is not between attempts, or is due already, stays as it is. */
export function retryNow(run: RunRecord, now: number): RunRecord {
  return run.status !== "retrying" || run.cancelRequest !== null || run.retryAt === null || run.retryAt <= now
    ? run
    : { ...run, retryAt: now };
}

/** retrying ──► cancelled. */
export function cancelRetry(run: RunRecord, now: number): RunRecord {
  if (run.status !== "retrying") throw impossible(run, "cancelled");
  const endedAt = Math.max(now, run.attempts.at(-1)?.endedAt ?? now);
  return { ...run, status: "cancelled", endedAt, retryAt: null };
}

/** Ends the trigger of a run that has ended: running ──► succeeded | failed | cancelled. */
export function endTriggerOf(trigger: TriggerRecord, { status, error, cancelRequest, endedAt }: RunRecord, now: number): TriggerRecord {
  const at = endedAt ?? now;
  if (status === "succeeded") return endTrigger(trigger, "succeeded", null, at);
  if (status === "cancelled")
    return endTrigger(trigger, "cancelled", cancelRequest?.reason ?? "its run was cancelled", at, { user: cancelRequest?.user ?? null });
  return endTrigger(trigger, "failed", error?.message ?? "its run failed", at);
}

/** An attempt that ended at an instant that is still to come is tried again as long after `now` as after that. */
export function rebaseRetry(run: RunRecord, now: number): RunRecord {
  const endedAt = run.attempts.at(-1)?.endedAt ?? now;
  if (run.retryAt === null || endedAt <= now) return run;
  return { ...run, retryAt: run.retryAt - (endedAt - now) };
}

/** A wish to end it is remembered; the node that holds the run acts on it. */
export function requestCancel(run: RunRecord, request: CancelRequest): RunRecord {
  return run.cancelRequest !== null || !isActive(run) ? run : { ...run, cancelRequest: request };
}

function withAttempt(run: RunRecord, end: AttemptEnd, endedAt: number): readonly Attempt[] {
  const closed: Attempt = {
    attempt: run.attempt,
    startedAt: run.attemptStartedAt,
    endedAt,
    outcome: end.outcome,
    error: end.error,
    node: run.node,
  };
  const attempts = [...run.attempts, closed].slice(-MAX_ATTEMPTS_KEPT);
  const older = attempts.at(-MAX_STACKS_KEPT - 1);
  return older === undefined ? attempts : attempts.with(-MAX_STACKS_KEPT - 1, withoutStack(older));
}

function withoutStack(attempt: Attempt): Attempt {
  const { error } = attempt;
  return error === null ? attempt : { ...attempt, error: { message: error.message, code: error.code } };
}

function impossible(run: RunRecord, to: string): Error {
  return new Error(`headgate: run ${run.id} cannot go from ${run.status} to ${to}; this is a bug in the store`);
}
