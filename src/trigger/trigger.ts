/**
 * A trigger is a durable request to run a pipeline.
 *
 * ```
 *            claim            decide: run          run ends
 *  pending ─────────► pending ───────────► running ─────────► succeeded | failed | cancelled
 *    ▲               (leased)
 *    │ claim            │ decide: hold
 *    └───────── held ◄──┘
 *
 *  pending | held ──► skipped (decide: skip) | expired (holdFor ran out) | cancelled (by a user) | superseded (queue_one, cancel_running)
 * ```
 *
 * Each arrow is one function of `transitions.ts`, the only place that changes a status.
 */

/** Kind of request for a run. */
export type TriggerKind = "scheduled" | "manual" | "immediate" | "webhook" | "file" | "sensor" | "dependency" | "backfill";

export type TriggerStatus = "pending" | "held" | "running" | TriggerEnd;

/** The statuses that never change again. */
export type TriggerEnd = "succeeded" | "failed" | "skipped" | "expired" | "cancelled" | "superseded";

export type Priority = "critical" | "high" | "normal" | "low";

export const PRIORITIES: readonly Priority[] = ["critical", "high", "normal", "low"];

/** Cause that kept a fire time from being made on time. */
export type CatchupCause = "downtime" | "paused" | "store_unavailable" | "clock_step" | "stalled";

/** Reason why a fire time was made, or dropped, late. Instants are epoch ms. */
export interface CatchupRecord {
  /**
   * `downtime`: no scheduler that has the pipeline was running; `paused`: the pipeline or the scheduler was paused; `store_unavailable`: the store could not be used;
   * `clock_step`: the clock was moved forward past it; `stalled`: the process did nothing, as on a machine that was suspended.
   */
  readonly cause: CatchupCause;
  /** When that began: for `downtime` and `stalled`, the last sign of life before it. `null` when nothing is known of it. */
  readonly from: number | null;
  readonly until: number;
  /** Of `paused`: why, by whom, and whether the whole scheduler was. Absent otherwise. */
  readonly pause?: PauseFacts;
}

/** Facts about a pause besides its time. */
export interface PauseFacts {
  readonly reason: string | null;
  readonly user: string | null;
  readonly isGlobal: boolean;
}

/** A trigger as the store keeps it. Instants are epoch ms. */
export interface TriggerRecord {
  readonly id: string;
  readonly pipelineId: string;
  readonly kind: TriggerKind;
  readonly status: TriggerStatus;
  readonly priority: Priority;
  /** Place in the line, smallest first: see `order.ts`. */
  readonly order: number;
  /** The fire time it stands for; `null` when nothing was scheduled. */
  readonly scheduledFor: number | null;
  /** Beginning of the span of time that its run is for, which ends at `scheduledFor`: the fire time before that one. `null` when nothing was scheduled, or no earlier fire time was known. */
  readonly intervalStart: number | null;
  /** Unique key within its pipeline: an idempotency key, or one of what raised it; `null` for none. */
  readonly key: string | null;
  /** Reason for the request. */
  readonly reason: string | null;
  /** User who requested it. */
  readonly user: string | null;
  /** Sender of the request: the id of a token or of a webhook's signer, at most 200 characters; `null` when it came from this process. */
  readonly requestedBy: string | null;
  readonly parameters: unknown;
  /** Bytes of its stored parameters, as JSON in UTF-8; of parameters that several triggers share, its part. Counts towards limits of the queue. */
  readonly size: number;
  readonly createdAt: number;
  /** Not looked at before this: `notBefore`, or when a held trigger is looked at again. */
  readonly availableAt: number;
  /** When a held trigger gives up; `null` while it was never held. */
  readonly expiresAt: number | null;
  /** Runs although paused and beyond `maxActiveRuns`. */
  readonly isForced: boolean;
  /** Counts its claims: the fencing token of the claim in hand. */
  readonly token: number;
  /** The node that holds the claim, and until when; `null` when unclaimed. */
  readonly node: string | null;
  readonly leaseUntil: number | null;
  readonly runId: string | null;
  /** When it ended, and why in words. */
  readonly endedAt: number | null;
  readonly endReason: string | null;
  /** User who cancelled it, or the run that it started; `null` for every other end, and when no user was named. */
  readonly endedBy: string | null;
  /** The waiting trigger that this one replaced when it was made (`queue_one`), and the one that replaced this (`queue_one`, `cancel_running`). */
  readonly supersedes: string | null;
  readonly supersededBy: string | null;
  /** The run that it repeats, for one that a user has run again; else `null`. */
  readonly rerunOf: string | null;
  /** Set on a scheduled trigger that catchup made after its fire time had passed; else `null`. */
  readonly catchup: CatchupRecord | null;
  /** Fields that the store was not asked to read, or does not read in bulk; they hold `null`. Absent when there are none. */
  readonly omitted?: readonly string[];
}

/** Fields of a trigger before the store has it. */
export interface NewTrigger {
  readonly id: string;
  readonly pipelineId: string;
  readonly kind: TriggerKind;
  readonly priority: Priority;
  readonly scheduledFor: number | null;
  /** Default `null`. */
  readonly intervalStart?: number | null;
  /** Default `null`. */
  readonly rerunOf?: string | null;
  readonly key: string | null;
  readonly reason: string | null;
  readonly user: string | null;
  readonly requestedBy: string | null;
  /** Triggers of one batch whose `parameters` are the same object share them: a store keeps them once. */
  readonly parameters: unknown;
  readonly size: number;
  readonly notBefore: number | null;
  readonly isForced: boolean;
  /** Reason why its fire time is made late. Default `null`. */
  readonly catchup?: CatchupRecord | null;
}

export function isEnded(status: TriggerStatus): status is TriggerEnd {
  return status !== "pending" && status !== "held" && status !== "running";
}

export function isWaiting(trigger: Pick<TriggerRecord, "status">): boolean {
  return trigger.status === "pending" || trigger.status === "held";
}
