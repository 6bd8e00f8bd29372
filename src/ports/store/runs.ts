/**
 * Runs: attempts that execute under a lease, from their start by `decide` or `claim` to their end. Called by `engine/running`.
 *
 * ```
 *  decide: run                finish, no attempt left
 *  ─────────────► running ──────────────────────────► succeeded | failed | timed_out | cancelled
 *                  ▲ │ │ ▲
 *                  │ │ │ └── heartbeat, adopt (a higher token)
 *                  │ ▼ finish, retryAt
 *          ┌──── retrying ── cancelRun ──► cancelled
 *          └ retryRun ▲
 *       claim, when it is due
 * ```
 *
 * The transitions are the functions of `run/transitions`: a store calls them, and repeats none.
 *
 * Invariants: an attempt ends once; a writer of a run must have its current token, so that the late result of a node that was taken for dead is refused; the run, its trigger, its pipeline's last success and the triggers
 * that follow change in one transaction.
 */
import type { RecentStarts } from "../../gate/start-limit.js";
import type { CancelRequest, RunError, RunRecord } from "../../run/run.js";
import type { AttemptEnd } from "../../run/transitions.js";
import type { NewTrigger, TriggerRecord } from "../../trigger/trigger.js";
import type { NotedResult } from "./audit.js";
import type { Now } from "./claims.js";

/** The end of one attempt. */
export interface FinishRequest {
  readonly runId: string;
  /** The attempt's fencing token. */
  readonly token: number;
  readonly end: AttemptEnd;
  /** Triggers of pipelines that follow this one's success, enqueued in the same transaction. */
  readonly follow: readonly NewTrigger[];
  /** Only if the attempt's lease has run out: closes the attempt of a node that died. */
  readonly onlyIfExpired: boolean;
  /** It was sent before and not answered: if this very end is recorded, it is answered as accepted, with the run and the trigger as they are now. Not together with `onlyIfExpired`. Default false. */
  readonly isRepeated?: boolean;
  /**
   * The run and its trigger as the attempt's node knows them, where nothing of them but the lease and a wish to end the run can have changed since the attempt began: a store need not read them then. Whether the
   * attempt is still running, and whether the run is to be ended, it looks at in any case. Default: none.
   */
  readonly known?: { readonly run: RunRecord; readonly trigger: TriggerRecord };
}

export interface FinishResult {
  /** False when the token is not the current one: the result came too late and was refused. */
  readonly isAccepted: boolean;
  readonly run: RunRecord | null;
  readonly trigger: TriggerRecord | null;
  readonly followed: readonly TriggerRecord[];
}

export interface HeartbeatRequest {
  readonly runId: string;
  readonly token: number;
  /** `undefined` leaves the last one. */
  readonly progress?: unknown;
  /** Where the attempt runs; `undefined` leaves what is there. */
  readonly reference?: unknown;
  /** Problem while the attempt runs, such as an executor that cannot be reached; `null`: nothing any more, `undefined` leaves what is there. */
  readonly error?: RunError | null;
}

/** The runs of a store. */
export interface RunStore {
  /** Closes attempts and what follows from it, each atomically, answered in order. Idempotent for requests that say that they are repeated. */
  finish(requests: readonly FinishRequest[], now: Now): Promise<readonly FinishResult[]>;
  /** Extends leases; returns, per request, the run, or `null` when the attempt is no longer the caller's. Waits for no other operation, where the store can arrange it. */
  heartbeat(requests: readonly HeartbeatRequest[], leaseUntil: number, now: number): Promise<readonly (RunRecord | null)[]>;
  /** Hands a run that is running and whose lease ran out to another node, with a higher fencing token, atomically; returns `null` when it is not, or its token is another. */
  adopt(runId: string, token: number, node: string, leaseUntil: number, now: number): Promise<RunRecord | null>;
  /** Returns running runs whose lease ran out, `limit` at most. */
  expiredRuns(now: number, limit: number): Promise<readonly RunRecord[]>;
  /** Requests a run to end; one between attempts ends at once; atomic, and the first request stays. Returns `null` when there is no such run. */
  cancelRun(
    runId: string,
    request: CancelRequest,
    noted?: NotedResult<{ run: RunRecord; trigger: TriggerRecord | null }>,
  ): Promise<{ run: RunRecord; trigger: TriggerRecord | null } | null>;
  /** Makes the next attempt of a run between two attempts due now, as the pure function `retryNow` says, atomically with its audit entries. Returns the run as it is then, `null` when there is none. Idempotent. */
  retryRun(runId: string, now: number, noted?: NotedResult<RunRecord>): Promise<RunRecord | null>;
  /** Counts runs of a pipeline that started in [from, until). */
  countRuns(pipelineId: string, from: number, until: number): Promise<number>;
  /** Returns the newest runs of a pipeline that started in [from, until), counted no further than `limit`, with the oldest of those; reads `limit` entries of an index at most. */
  recentStarts(pipelineId: string, from: number, until: number, limit: number): Promise<RecentStarts>;
}
