/**
 * The port that keeps all state: a few atomic operations of the domain, split by concern.
 *
 * | concern                                         | operations                                                                                     |
 * |-------------------------------------------------|------------------------------------------------------------------------------------------------|
 * | [pipelines](./store/pipelines.ts)               | register, states, fire, pause, resume, skip, unskip, globalPause, pausedPipelines, retire       |
 * | [queue](./store/queue.ts)                       | enqueue, claim, decide, expire, recheck, nextDueAt, endTrigger, countWaiting, backlog           |
 * | [runs](./store/runs.ts)                         | finish, heartbeat, adopt, expiredRuns, cancelRun, retryRun, countRuns, recentStarts             |
 * | [history](./store/history.ts)                   | trigger, run, listTriggers, listRuns, listDecisions, listFinished, triggersOpenAt, triggersForFireTimes, dropsOfFireTimes, prune |
 * | [documents](./store/documents.ts)               | documents, listDocuments, putDocuments                                                          |
 * | [leases](./store/leases.ts)                     | claimLease, lease, releaseLease                                                                 |
 * | [cursors](./store/cursors.ts)                   | claimCursors, moveCursor, releaseCursors                                                        |
 * | [idempotency](./store/idempotency.ts)           | saveResponse, releaseKey                                                                        |
 * | [audit](./store/audit.ts)                       | appendAudit, listAudit, auditHead, auditTail                                                    |
 * | [events](./store/events.ts)                     | appendEvents, listEvents, lastEventSeq                                                          |
 * | [statistics](./store/statistics.ts)             | rollUps, saveRollUps                                                                            |
 * | [clock recovery](./store/clock-recovery.ts)     | replan, rebase, firesMade                                                                       |
 *
 * What holds for all of them: each operation is one transaction, or one per request where it says so, and receives the time; a list of requests is answered in its order; JSON values are stored as they are and read back equal. An
 * operation that may be tried again rejects with the `HeadgateError` `STORE_UNAVAILABLE`. docs/extending/store.md leads to a store of your own; `describeStore` of `headgate/testing` proves it.
 */
import type { AuditStore } from "./store/audit.js";
import type { ClockRecovery } from "./store/clock-recovery.js";
import type { CursorStore } from "./store/cursors.js";
import type { DocumentStore } from "./store/documents.js";
import type { EventLog } from "./store/events.js";
import type { HistoryStore } from "./store/history.js";
import type { IdempotencyStore } from "./store/idempotency.js";
import type { LeaseStore } from "./store/leases.js";
import type { PipelineStore } from "./store/pipelines.js";
import type { QueueStore } from "./store/queue.js";
import type { RunStore } from "./store/runs.js";
import type { StatisticsStore } from "./store/statistics.js";

export type { Claim, ClaimRequest, DecideRequest, DecideResult, Now, StartRefusal } from "./store/claims.js";
export type { CursorRecord, CursorStore } from "./store/cursors.js";
export type { DocumentRecord, DocumentStore, DocumentWrite } from "./store/documents.js";
export type {
  DecisionQuery,
  EndedQuery,
  HistoryStore,
  Listed,
  ListQuery,
  PruneOptions,
  PruneResult,
  RunQuery,
  TriggerHistory,
  TriggerQuery,
} from "./store/history.js";
export type { IdempotencyRecord, IdempotencyStore } from "./store/idempotency.js";
export type { Fence, LeaseRecord, LeaseStore } from "./store/leases.js";
export type {
  FireRequest,
  FireResult,
  GlobalPause,
  Pause,
  PauseRequest,
  PipelineRegistration,
  PipelineState,
  PipelineStore,
  ResumeRequest,
} from "./store/pipelines.js";
export type { Backlog, BacklogGroup, EnqueueOptions, EnqueueResult, QueueStore } from "./store/queue.js";
export type { FinishRequest, FinishResult, HeartbeatRequest, RunStore } from "./store/runs.js";

/** A store of the scheduler's state. */
export interface Store
  extends PipelineStore,
    QueueStore,
    RunStore,
    HistoryStore,
    DocumentStore,
    LeaseStore,
    CursorStore,
    IdempotencyStore,
    AuditStore,
    EventLog,
    StatisticsStore,
    ClockRecovery {
  /** Such as `postgres`, for logs and `status()`. */
  readonly name: string;
  /** Interval at which to look for work of other nodes without a notification, ms; `null` when there are no other nodes. */
  readonly pollMs: number | null;

  /** Makes it ready; idempotent. When the signal aborts, it gives up, releases what it has, and rejects: it waits for no connection, lock or answer any longer. */
  open(signal?: AbortSignal): Promise<void>;
  /** Releases what it holds, when what it was asked has been answered; idempotent. From when the signal aborts on, without waiting for answers. */
  close(signal?: AbortSignal): Promise<void>;
  /**
   * Checks that no newer version of headgate has migrated the data since it was opened.
   *
   * @throws HeadgateError `STORE_INCOMPATIBLE`: then it keeps leases and records the ends of runs, and refuses everything else, until it is called again and throws nothing
   */
  verifySchema(): Promise<void>;
  /** Calls `onChange` when another writer may have made work or changed a pause; the function returned ends it. */
  subscribe(onChange: () => void): () => void;
  /** Returns the time of the store's server, which all nodes then go by; `null` when it has no clock of its own. */
  serverTime(): Promise<number | null>;
}
