import type { DecisionRecord } from "../../gate/finding.js";
import type { StartLimit } from "../../gate/start-limit.js";
import type { RunRecord } from "../../run/run.js";
import type { TriggerRecord } from "../../trigger/trigger.js";

/**
 * Reads the clock. A store calls it when it has what it waited for (a lock, a connection, its turn) and has read what its decision rests on, and again when it tries
 * a transaction again: what it records is when something happened, and not when it was requested.
 */
export type Now = () => number;

export interface ClaimRequest {
  readonly node: string;
  readonly limit: number;
  /** Time the claimed triggers are this node's to decide on, ms from when they were claimed. */
  readonly claimLeaseMs: number;
  /** The lease of an attempt that starts with the claim (a retry), ms from its start. */
  readonly attemptLeaseMs: number;
  /** Active attempts allowed over all nodes; `null` is no limit. */
  readonly globalLimit: number | null;
  /** Slots of each pool. A pool not named here is closed. */
  readonly pools: ReadonlyMap<string, number>;
  /** True if this node can run a pipeline. */
  readonly canRun: (pipelineId: string) => boolean;
  /**
   * Decides on a claimed trigger where that needs no waiting; what it decides is recorded with the claim, in one transaction, and given as `decided`. For `null`
   * the trigger stays claimed. Called again, with a later `now`, when the transaction is tried again.
   */
  readonly judge?: (trigger: TriggerRecord, isOverlapping: boolean, now: number) => DecideRequest | null;
}

export interface Claim {
  /** Triggers that were decided on at once, in order. */
  readonly decided: readonly { readonly request: DecideRequest; readonly result: DecideResult }[];
  /** Triggers to decide on, in order; each holds a slot until it is decided. */
  readonly triggers: readonly TriggerRecord[];
  /** Scheduled triggers whose pipeline's `overlap` is `skip` and whose run slots are all in use, also by what this claim has started: to be decided as skipped. */
  readonly overlapping: readonly TriggerRecord[];
  /** Runs whose next attempt starts now. */
  readonly attempts: readonly { readonly run: RunRecord; readonly trigger: TriggerRecord }[];
  /** Running runs whose end this claim has requested for a newer fire time (`cancel_running`), each in one claim only. */
  readonly cancelled: readonly RunRecord[];
  /** Runs between two attempts that were cancelled for a newer fire time: they have ended, and their triggers with them. */
  readonly ended: readonly { readonly run: RunRecord; readonly trigger: TriggerRecord }[];
  /** Scheduled triggers that a newer fire time has replaced (`cancel_running`). */
  readonly superseded: readonly TriggerRecord[];
  /** True when there is more that could be claimed now, and was left for the next claim to keep this one small. */
  readonly isPartial?: boolean;
}

/** The decision on one claimed trigger. */
export interface DecideRequest {
  readonly triggerId: string;
  /** The claim's fencing token. */
  readonly token: number;
  /** The trigger as it was claimed, which may spare the store reading it again. */
  readonly trigger?: TriggerRecord;
  readonly decision: DecisionRecord;
  /** For `run`: the run's id, its node, and its lease, ms from its start. */
  readonly run: { readonly id: string; readonly node: string; readonly leaseMs: number } | null;
  /** For `run`: the limits on the pipeline's starts that the decision rests on. Default: none. */
  readonly limits?: readonly StartLimit[];
  /** For `hold`. */
  readonly hold: { readonly recheckAt: number; readonly expiresAt: number } | null;
}

export interface DecideResult {
  /**
   * False when the claim no longer stands (cancelled, superseded, or taken over), or for a {@link StartRefusal}. Nothing was recorded. A decision whose id is recorded already, by a request that was not answered, is accepted
   * whatever its token is, with the trigger and the run as they are now.
   */
  readonly isAccepted: boolean;
  readonly trigger: TriggerRecord | null;
  readonly run: RunRecord | null;
  /** The decision as it is recorded, when it was folded into the hold before it that says the same. Absent otherwise. */
  readonly decision?: DecisionRecord;
  /** Reason why the claim stands but the run did not start. Absent otherwise. */
  readonly refusal?: StartRefusal;
}

/**
 * Reason why a run did not start. `paused`: the pipeline or everything is paused and the trigger is not forced; it waits again, claimed by nobody. `limit`: a limit of the request has no room before `opensAt`, epoch
 * ms; the trigger stays claimed, to be decided on again.
 */
export type StartRefusal = { readonly kind: "paused" } | { readonly kind: "limit"; readonly opensAt: number };
