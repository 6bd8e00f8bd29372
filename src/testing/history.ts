import type { Instant } from "../base/instant.js";

/** An attempt that was recorded, as a run names it in `attempts`. */
export interface HistoricalAttempt {
  /** From 1. */
  readonly attempt: number;
  readonly startedAt: Instant;
  readonly endedAt: Instant;
  readonly outcome: string;
  readonly error?: { readonly message: string; readonly code: string | null } | null;
}

/** A run that was recorded: as `scheduler.runs()` returns it, or as it was exported to JSON. */
export interface HistoricalRun {
  readonly pipelineId?: string;
  readonly triggerId?: string;
  readonly status: string;
  readonly scheduledFor: Instant | null;
  readonly startedAt: Instant;
  readonly endedAt: Instant | null;
  /** Attempts that it took. */
  readonly attempt: number;
  /** Start of the last attempt. Default: when the one before would have been followed by it. */
  readonly attemptStartedAt?: Instant;
  /** The attempts before the last one, and the last one too if it was lost. Default: the run's time is spread over its attempts, and the result says so. */
  readonly attempts?: readonly HistoricalAttempt[];
  /** When its next attempt is due, if it waits for one. */
  readonly retryAt?: Instant | null;
  readonly error?: { readonly message: string; readonly code: string | null } | null;
  readonly cancelRequest?: { readonly at: Instant; readonly user: string | null; readonly reason: string | null } | null;
  readonly output?: unknown;
}

/** A trigger that was recorded: as `scheduler.triggers()` returns it, or as it was exported to JSON. */
export interface HistoricalTrigger {
  readonly id: string;
  readonly pipelineId: string;
  readonly kind: string;
  readonly status: string;
  readonly priority: string;
  readonly scheduledFor: Instant | null;
  /** The span of time that its run is for. Default: not known. */
  readonly interval?: { readonly start: Instant; readonly end: Instant } | null;
  readonly idempotencyKey: string | null;
  readonly reason: string | null;
  readonly user: string | null;
  readonly requestedBy?: string | null;
  readonly parameters: unknown;
  readonly createdAt: Instant;
  readonly availableAt: Instant;
  readonly isForced: boolean;
  readonly endedAt: Instant | null;
  readonly endReason: string | null;
  /** User who cancelled it. Default: an unnamed user. */
  readonly endedBy?: string | null;
  /** The run that it repeats. Default: none. */
  readonly rerunOf?: string | null;
  /** Reason why its fire time was made late, for one that catchup made. Default: found in the pauses; else not known. */
  readonly catchup?: { readonly cause: string } | null;
}

/** A decision that was recorded: as `scheduler.decisions()` returns it, or as it was exported to JSON. */
export interface HistoricalDecision {
  readonly pipelineId: string;
  /** `null` when a fire time was dropped before it became a trigger. */
  readonly triggerId: string | null;
  readonly at: Instant;
  readonly scheduledFor: Instant | null;
  readonly outcome: string;
  readonly reason: string;
  readonly findings: readonly HistoricalFinding[];
  /** Fire times dropped in a row that were recorded as one, and the pause that covered them; or one that a user has skipped. */
  readonly missed: { readonly count: number; readonly lastAt: Instant; readonly pause?: unknown; readonly skip?: unknown } | null;
  /** Holds in a row that were recorded as one: how many looks, and the last of them, of which the findings are. Default: one look. */
  readonly repeated?: { readonly count: number; readonly lastAt: Instant } | null;
}

/** A condition's finding that was recorded. */
export interface HistoricalFinding {
  /** The condition's name. */
  readonly condition: string;
  readonly result: string;
  readonly reason: string;
  readonly evidence?: Readonly<Record<string, unknown>>;
  readonly recheckAt?: Instant;
}

/** A pause or a resume, as the audit log has it. */
export interface HistoricalPause {
  readonly at: Instant;
  readonly action: "pause" | "resume";
  /** `null`: of everything. */
  readonly pipelineId: string | null;
  /** Of a pause: when it ends by itself; `null` or absent: never. */
  readonly until?: Instant | null;
  readonly reason?: string | null;
  readonly user?: string | null;
}

/** Recorded history of one pipeline. `readHistory` reads it from a scheduler; it may go through JSON. */
export interface History {
  /** In any order, like all of these lists. */
  readonly runs: readonly HistoricalRun[];
  /** Default: not known; a run without a fire time counts as requested when it started. */
  readonly triggers?: readonly HistoricalTrigger[];
  /** Default: not known; conditions that look outside count as passing. */
  readonly decisions?: readonly HistoricalDecision[];
  /** Default: not known; nothing counts as paused. */
  readonly pauses?: readonly HistoricalPause[];
}
