/**
 * The queue: triggers that wait, from the moment they are accepted until their run starts or they end. Called by `engine/intake` (enqueue, cancel), `engine/gating` (claim, decide) and the loop (expire, nextDueAt).
 *
 * ```
 *  enqueue, fire                  claim                     decide: run
 *  ─────────────► pending ─────────────────► claimed ──────────────────► running
 *                   ▲ ▲                      │  │
 *                   │ └── lease ran out ─────┘  │ decide: hold, skip
 *                   │                           ▼
 *                   └─ due, or recheck ─ held / skipped        expire: held ► expired       endTrigger: waiting ► cancelled, superseded
 * ```
 *
 * The transitions are the functions of `trigger/transitions`, the overlap rule is `trigger/overlap`, the limits are `trigger/queue-limits`: a store calls them, and repeats none.
 *
 * Invariants: a trigger is claimed by one node at a time, and every claim has a higher token; active runs and claimed triggers together never exceed the limits of their pipeline, pool and store; triggers are handed out by `order`, then id; a
 * trigger has at most one decision `run`.
 */
import type { ActiveRun } from "../../monitor/alert.js";
import type { CancelRequest, RunRecord } from "../../run/run.js";
import type { QueueLimits } from "../../trigger/queue-limits.js";
import type { NewTrigger, Priority, TriggerEnd, TriggerRecord } from "../../trigger/trigger.js";
import type { NotedResult } from "./audit.js";
import type { Claim, ClaimRequest, DecideRequest, DecideResult, Now } from "./claims.js";

export interface EnqueueOptions {
  /** A client of the store's database with a transaction open: the triggers are accepted when that commits. Default: a transaction of the store's own. */
  readonly transaction?: unknown;
  /** Refuses the whole batch with `QUEUE_FULL` when it would exceed one of them. Default: no limits. */
  readonly limits?: QueueLimits;
  /** Entries of the audit log, kept in one transaction with the triggers; not together with `transaction`. Default: none. */
  readonly noted?: NotedResult<readonly EnqueueResult[]>;
}

export interface EnqueueResult {
  readonly trigger: TriggerRecord;
  /** False when another trigger with this key was there before; it is the one returned. */
  readonly isNew: boolean;
}

/** Waiting triggers of one pipeline and priority. Instants are epoch ms. */
export interface BacklogGroup {
  readonly pipelineId: string;
  readonly priority: Priority;
  readonly waiting: number;
  readonly oldestAt: number;
  /** The oldest fire time among them, and among those that are pending and not held; `null` if none stands for a fire time. */
  readonly oldestFireTimeAt: number | null;
  readonly oldestPendingFireTimeAt: number | null;
}

/** Waiting triggers and active runs on all nodes. */
export interface Backlog {
  /** One per pipeline and priority that has waiting triggers. */
  readonly groups: readonly BacklogGroup[];
  readonly activeRuns: readonly (ActiveRun & { readonly pipelineId: string })[];
}

/** The queue of a store. */
export interface QueueStore {
  /**
   * Accepts triggers, all or none; idempotent by id, and by pipeline and key. Limits are checked in the same transaction, exactly over all nodes: triggers whose key is
   * taken count nothing.
   *
   * @throws HeadgateError `UNKNOWN_PIPELINE`, `QUEUE_FULL`
   */
  enqueue(triggers: readonly NewTrigger[], now: number, options?: EnqueueOptions): Promise<readonly EnqueueResult[]>;
  /** Hands out work in order, under all limits, to one claimant each, in one transaction. */
  claim(request: ClaimRequest, now: Now): Promise<Claim>;
  /**
   * Records decisions and moves their triggers, each atomically, answered in order; `run` creates the run, which starts at that instant, unless the pipeline or everything is paused or a limit of the request has no room: neither
   * can change, on any node, between being looked at and the start. Idempotent by the decision's id.
   */
  decide(requests: readonly DecideRequest[], now: Now): Promise<readonly DecideResult[]>;
  /** Ends held triggers whose time to be held ran out, and returns them. */
  expire(now: number): Promise<readonly TriggerRecord[]>;
  /** Makes held triggers (of the given pipelines, or all) due now. Idempotent. */
  recheck(pipelineIds: readonly string[] | null, now: number): Promise<void>;
  /** Returns the first instant at which {@link claim} or {@link expire} may find something new by time alone; `null` if none. */
  nextDueAt(now: number): Promise<number | null>;
  /** Ends a waiting trigger; a running one gets a cancel request on its run; atomic, and idempotent for one that has ended. Returns `null` when there is no such trigger. */
  endTrigger(
    triggerId: string,
    end: TriggerEnd,
    request: CancelRequest,
    noted?: NotedResult<{ trigger: TriggerRecord; run: RunRecord | null }>,
  ): Promise<{ trigger: TriggerRecord; run: RunRecord | null } | null>;
  /** Counts waiting triggers, no further than `limit`. */
  countWaiting(limit: number): Promise<number>;
  /**
   * Counts what waits, of a pipeline or of all, without reading parameters; and lists active runs, the newest 10,000. Exact up to 100,000 waiting triggers: beyond
   * that, counts and oldest instants are a lower bound.
   */
  backlog(pipelineId?: string): Promise<Backlog>;
}
