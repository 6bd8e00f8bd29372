import { bool, int, json, oneOf, type RecordOf, real, text } from "../base/fields.js";

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

/** Kinds of requests for a run. */
export const TRIGGER_KINDS = ["scheduled", "manual", "immediate", "webhook", "file", "sensor", "dependency", "backfill"] as const;

/** Kind of request for a run. */
export type TriggerKind = (typeof TRIGGER_KINDS)[number];

/** The statuses that never change again. */
export const TRIGGER_ENDS = ["succeeded", "failed", "skipped", "expired", "cancelled", "superseded"] as const;

/** A status that never changes again. */
export type TriggerEnd = (typeof TRIGGER_ENDS)[number];

export const TRIGGER_STATUSES = ["pending", "held", "running", ...TRIGGER_ENDS] as const;

export type TriggerStatus = (typeof TRIGGER_STATUSES)[number];

export const PRIORITIES = ["critical", "high", "normal", "low"] as const;

export type Priority = (typeof PRIORITIES)[number];

export const CATCHUP_CAUSES = ["downtime", "paused", "store_unavailable", "clock_step", "stalled"] as const;

/** Cause that kept a fire time from being made on time. */
export type CatchupCause = (typeof CATCHUP_CAUSES)[number];

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

/** Fields of a trigger, each defined once. Instants are epoch ms. */
export const TRIGGER_FIELDS = {
  id: text(),
  pipelineId: text(),
  kind: oneOf<TriggerKind>(TRIGGER_KINDS),
  status: oneOf<TriggerStatus>(TRIGGER_STATUSES).changing(),
  priority: oneOf<Priority>(PRIORITIES),
  /** Place in the line, smallest first: see `order.ts`. */
  order: real(),
  /** The fire time it stands for; `null` when nothing was scheduled. */
  scheduledFor: int().nullable(),
  /** Unique key within its pipeline: an idempotency key, or one of what raised it; `null` for none. */
  key: text().nullable(),
  /** Reason for the request. */
  reason: text().nullable(),
  /** User who requested it. */
  user: text().nullable(),
  parameters: json<unknown>().nullable().large(null),
  createdAt: int(),
  /** Not looked at before this: `notBefore`, or when a held trigger is looked at again. */
  availableAt: int().changing(),
  /** When a held trigger gives up; `null` while it was never held. */
  expiresAt: int().nullable().changing(),
  /** Runs although paused and beyond `maxActiveRuns`. */
  isForced: bool(),
  /** Counts its claims: the fencing token of the claim in hand. */
  token: int().changing(),
  /** The node that holds the claim, and until when; `null` when unclaimed. */
  node: text().nullable().changing(),
  leaseUntil: int().nullable().changing(),
  runId: text().nullable().changing(),
  /** When it ended, and why in words. */
  endedAt: int().nullable().changing(),
  endReason: text().nullable().changing(),
  /** The waiting trigger that this one replaced when it was made (`queue_one`), and the one that replaced this (`queue_one`, `cancel_running`). */
  supersedes: text().nullable(),
  supersededBy: text().nullable().changing(),
  /** Sender of the request: the id of a token or of a webhook's signer, at most 200 characters; `null` when it came from this process. */
  requestedBy: text().nullable().since(5),
  /** Bytes of its stored parameters, as JSON in UTF-8; of parameters that several triggers share, its part. Counts towards limits of the queue. */
  size: int().since(5, 0),
  /** User who cancelled it, or the run that it started; `null` for every other end, and when no user was named. */
  endedBy: text().nullable().changing().since(5),
  /** Set on a scheduled trigger that catchup made after its fire time had passed; else `null`. */
  catchup: json<CatchupRecord>().nullable().since(5),
  /** Beginning of the span of time that its run is for, which ends at `scheduledFor`: the fire time before that one. `null` when nothing was scheduled, or no earlier fire time was known. */
  intervalStart: int().nullable().since(5),
  /** The run that it repeats, for one that a user has run again; else `null`. */
  rerunOf: text().nullable().since(5),
};

/** A trigger as the store keeps it. Instants are epoch ms. */
export interface TriggerRecord extends RecordOf<typeof TRIGGER_FIELDS> {
  /** Fields that the store was not asked to read, or does not read in bulk; they hold `null`. Absent when there are none. */
  readonly omitted?: readonly string[];
}

/** Fields that a request gives. */
type Given = "id" | "pipelineId" | "kind" | "priority" | "scheduledFor" | "key" | "reason" | "user" | "requestedBy" | "size" | "isForced";
/** Fields that a request may give; `null` by default. */
type MayBeGiven = "intervalStart" | "rerunOf" | "catchup";

/** Fields of a trigger before the store has it. */
export interface NewTrigger extends Pick<TriggerRecord, Given>, Partial<Pick<TriggerRecord, MayBeGiven>> {
  /** Triggers of one batch whose `parameters` are the same object share them: a store keeps them once. */
  readonly parameters: unknown;
  readonly notBefore: number | null;
}

export function isEnded(status: TriggerStatus): status is TriggerEnd {
  return status !== "pending" && status !== "held" && status !== "running";
}

export function isWaiting(trigger: Pick<TriggerRecord, "status">): boolean {
  return trigger.status === "pending" || trigger.status === "held";
}
