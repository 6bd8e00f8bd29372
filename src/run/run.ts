import type { ErrorFacts } from "../base/error-facts.js";
import { bool, int, json, oneOf, type RecordOf, text } from "../base/fields.js";

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
export type RunStatus = (typeof RUN_STATUSES)[number];

/** The statuses that never change again. */
export const RUN_ENDS = ["succeeded", "failed", "timed_out", "cancelled"] as const;

/** A status that never changes again. */
export type RunEnd = (typeof RUN_ENDS)[number];

export const RUN_STATUSES = ["running", "retrying", ...RUN_ENDS] as const;

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

/** Fields of a run, each defined once. Instants are epoch ms. */
export const RUN_FIELDS = {
  id: text(),
  pipelineId: text(),
  triggerId: text(),
  status: oneOf<RunStatus>(RUN_STATUSES).changing(),
  scheduledFor: int().nullable(),
  /** The active attempt, or the last one; from 1. */
  attempt: int().changing(),
  /** Fencing token of the active attempt: a result with a lower one is refused. */
  token: int().changing(),
  node: text().changing(),
  leaseUntil: int().changing(),
  /** Start of the first attempt, and of the current one. */
  startedAt: int(),
  attemptStartedAt: int().changing(),
  endedAt: int().nullable().changing(),
  /** When the next attempt is due; `null` unless retrying. */
  retryAt: int().nullable().changing(),
  output: json<unknown>().nullable().changing().large(null),
  error: json<RunError>().nullable().changing().large(null),
  progress: json<unknown>().nullable().changing().large(null),
  cancelRequest: json<CancelRequest>().nullable().changing(),
  /** Attempts that ended without deciding the run, oldest first (at most 100 are kept). */
  attempts: json<readonly Attempt[]>().changing().large([]),
  /** It runs although its pipeline or the scheduler is paused. */
  isForced: bool(),
  /** Remote reference of the active attempt, as its executor knows it; `null` for a local one. */
  reference: json<unknown>().nullable().changing().large(null).since(2),
};

/** A run as the store keeps it. Instants are epoch ms. */
export interface RunRecord extends RecordOf<typeof RUN_FIELDS> {
  /** Fields that the store was not asked to read; they hold `null`, or nothing. Absent when there are none. */
  readonly omitted?: readonly string[];
}

export function isActive(run: Pick<RunRecord, "status">): boolean {
  return run.status === "running" || run.status === "retrying";
}
