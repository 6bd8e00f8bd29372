import type { ErrorFacts } from "../base/error-facts.js";

/**
 * A run is one execution of a pipeline for one trigger; it has attempts.
 *
 * ```
 *            attempt ends well
 *  running ──────────────────────► succeeded
 *   │  ▲ │ no attempts left, or not worth one
 *   │  │ └───────────────────────► failed | timed_out | cancelled
 *   │  │ claim
 *   ▼  │
 *  retrying   (an attempt failed, timed out or was lost with its node, there are attempts left, and nobody has cancelled the run)
 *   │ cancel
 *   └────────────────────────────► cancelled
 * ```
 *
 * Each arrow is one function of `transitions.ts`, the only place that changes a status.
 */
export type RunStatus = "running" | "retrying" | RunEnd;

/** The statuses that never change again. */
export type RunEnd = "succeeded" | "failed" | "timed_out" | "cancelled";

/** Outcome of one attempt; `lost` when its node died or stopped under it. */
export type AttemptOutcome = RunEnd | "lost";

/** Error of an attempt, as it is stored: without secrets, and at most about 8 kB with its stack and causes. */
export interface RunError extends ErrorFacts {
  /** Output that a program printed before its attempt failed. Absent for other errors, and for all but the newest 5 attempts of a run. */
  readonly output?: PrintedOutput;
}
/** The beginning and the end of what a program printed, without secrets. */
export interface PrintedOutput {
  readonly stdout: string;
  readonly stderr: string;
}

/** A closed attempt. Of a run's attempts the newest 5 keep their errors' `stack`, `cause` and `output`. */
export interface Attempt {
  readonly attempt: number;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly outcome: AttemptOutcome;
  readonly error: RunError | null;
  readonly node: string;
}

/** Somebody's wish that a run end. */
export interface CancelRequest {
  readonly at: number;
  readonly user: string | null;
  readonly reason: string | null;
}

/** A run as the store keeps it. Instants are epoch ms. */
export interface RunRecord {
  readonly id: string;
  readonly pipelineId: string;
  readonly triggerId: string;
  readonly status: RunStatus;
  readonly scheduledFor: number | null;
  /** The active attempt, or the last one; from 1. */
  readonly attempt: number;
  /** Fencing token of the active attempt: a result with a lower one is refused. */
  readonly token: number;
  readonly node: string;
  readonly leaseUntil: number;
  /** Start of the first attempt, and of the current one. */
  readonly startedAt: number;
  readonly attemptStartedAt: number;
  readonly endedAt: number | null;
  /** When the next attempt is due; `null` unless retrying. */
  readonly retryAt: number | null;
  readonly output: unknown;
  readonly error: RunError | null;
  readonly progress: unknown;
  /** Remote reference of the active attempt, as its executor knows it; `null` for a local one. */
  readonly reference: unknown;
  readonly cancelRequest: CancelRequest | null;
  /** Attempts that ended without deciding the run, oldest first (at most 100 are kept). */
  readonly attempts: readonly Attempt[];
  /** It runs although its pipeline or the scheduler is paused. */
  readonly isForced: boolean;
  /** Fields that the store was not asked to read; they hold `null`, or nothing. Absent when there are none. */
  readonly omitted?: readonly string[];
}

export function isActive(run: Pick<RunRecord, "status">): boolean {
  return run.status === "running" || run.status === "retrying";
}
