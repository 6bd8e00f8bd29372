import type { DecisionRecord } from "../gate/finding.js";
import type { RecentStarts } from "../gate/start-limit.js";
import type { ActiveRun } from "../monitor/alert.js";
import type { AuditSealer } from "../monitor/audit-seal.js";
import type { FinishedSummary } from "../monitor/finished-record.js";
import type { CancelRequest, RunError, RunRecord, RunStatus } from "../run/run.js";
import type { AttemptEnd } from "../run/transitions.js";
import type { EndedPause } from "../schedule/ended-pauses.js";
import type { Overlap } from "../trigger/overlap.js";
import type { QueueLimits } from "../trigger/queue-limits.js";
import type { NewTrigger, Priority, TriggerEnd, TriggerKind, TriggerRecord, TriggerStatus } from "../trigger/trigger.js";
import type { AuditedWrite, AuditStore, NotedResult } from "./audit-store.js";
import type { Claim, ClaimRequest, DecideRequest, DecideResult, Now } from "./claims.js";
import type { ClockRecovery } from "./clock-recovery.js";
import type { EventLog } from "./event-log.js";
import type { StatisticsStore } from "./statistics-store.js";
import type { TriggerHistory } from "./trigger-history.js";

export type { Claim, ClaimRequest, DecideRequest, DecideResult, Now, StartRefusal } from "./claims.js";

/** Facts about a pipeline that a store needs for planning and limits. */
export interface PipelineRegistration {
  readonly id: string;
  /** The schedule's identity: when it differs from the stored one, `nextFireAt` replaces the stored one. */
  readonly scheduleKey: string;
  /** The first fire time, if the pipeline is new or its schedule has changed. */
  readonly nextFireAt: number | null;
  readonly maxActiveRuns: number;
  readonly overlap: Overlap;
  readonly pool: string | null;
}

/** A pause: since when, until when (`null`: until resumed), why and by whom. */
export interface Pause {
  readonly at: number;
  readonly until: number | null;
  readonly reason: string | null;
  readonly user: string | null;
}

/** The pause of everything, and those that have ended and may cover fire times that are not decided on, oldest first. */
export interface GlobalPause {
  readonly pause: Pause | null;
  readonly endedPauses: readonly EndedPause[];
}

/** State of a pipeline in a store. Instants are epoch ms. */
export interface PipelineState {
  readonly id: string;
  readonly scheduleKey: string;
  readonly nextFireAt: number | null;
  readonly lastFireAt: number | null;
  readonly lastSuccessAt: number | null;
  readonly pause: Pause | null;
  /** Pauses that have ended and cover fire times that are not decided on, oldest first; at most 100. */
  readonly endedPauses: readonly EndedPause[];
  readonly activeRuns: number;
  readonly waitingTriggers: number;
}

/** One pipeline's fire times made and dropped, and where its schedule goes on. */
export interface FireRequest {
  readonly pipelineId: string;
  readonly scheduleKey: string;
  /** Nothing happens unless this is still the stored `nextFireAt`: another node was faster, or the schedule changed. */
  readonly expectedFireAt: number | null;
  readonly nextFireAt: number | null;
  readonly lastFireAt: number | null;
  readonly triggers: readonly NewTrigger[];
  readonly dropped: readonly DecisionRecord[];
}

export interface FireResult {
  /** `moved`: not the stored `nextFireAt` or schedule any more; `paused`: nothing fires now; `gone`: never registered. */
  readonly outcome: "fired" | "moved" | "paused" | "gone";
  readonly state: PipelineState | null;
  readonly triggers: readonly TriggerRecord[];
  /** Waiting triggers that the new ones replaced. */
  readonly superseded: readonly TriggerRecord[];
}

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
   * attempt is still active, and whether the run is to be ended, it looks at in any case. Default: none.
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
  /** Remote reference of the attempt; `undefined` leaves the stored one. */
  readonly reference?: unknown;
  /** Problem while the attempt runs, such as an executor that cannot be reached; `null`: nothing any more, `undefined` leaves what is there. */
  readonly error?: RunError | null;
}

/** Filters of a list, newest first. Instants are epoch ms. */
export interface ListQuery {
  readonly pipelineId?: string;
  readonly triggerId?: string;
  /** Only records of fire times, or with `at`, in [from, until). */
  readonly scheduledFrom?: number;
  readonly scheduledUntil?: number;
  /** Only records older than the one with this id. */
  readonly before?: string;
  readonly limit: number;
  /**
   * JSON values (parameters, output, progress, reference, error, attempts, findings) of more bytes than this are not read: the record has
   * `null` (or an empty list) in their place and names them in `omitted`. Default: everything is read.
   */
  readonly valueLimit?: number;
}

/**
 * A part of a list. It may have fewer records than its limit, even none, because too many that were looked at do not match: then `next` is there.
 */
export interface Listed<T> extends ReadonlyArray<T> {
  /** The list goes on `before` this id. Absent when there are `limit` records, or no more. */
  readonly next?: string;
}

export interface TriggerQuery extends ListQuery {
  readonly statuses?: readonly TriggerStatus[];
  readonly kinds?: readonly TriggerKind[];
}

export interface RunQuery extends ListQuery {
  readonly statuses?: readonly RunStatus[];
}

export interface DecisionQuery extends ListQuery {
  readonly outcomes?: readonly DecisionRecord["outcome"][];
}

/** Instants are epoch ms. */
export interface EndedQuery {
  readonly from: number;
  readonly until: number;
  readonly limit: number;
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

/** A remembered place of a sensor, and who may move it now. Instants are epoch ms. */
export interface CursorRecord {
  readonly name: string;
  readonly value: unknown;
  /** Counts the nodes that had it: the fencing token of the one that has. */
  readonly token: number;
  readonly node: string | null;
  readonly leaseUntil: number | null;
  readonly updatedAt: number;
}

/** First request under an idempotency key, and its response. */
export interface IdempotencyRecord {
  /** Unique over all callers. */
  readonly key: string;
  /** A digest of what was asked. */
  readonly request: string;
  /** When it was asked, epoch ms. */
  readonly at: number;
  /** JSON; `null` while it is not answered. */
  readonly answer: unknown;
}

/** A setting kept at run time. */
export interface ConfigRecord {
  readonly key: string;
  readonly value: unknown;
  /** From 1, one more with every change. */
  readonly version: number;
  readonly updatedAt: number;
  readonly updatedBy: string | null;
}

export interface PruneOptions {
  /** About how many records to remove or to count, at most. Default 100. */
  readonly limit?: number;
  /** Seals the place up to which the audit log was removed. Default: it is kept unsealed. */
  readonly sealer?: AuditSealer;
}

export interface PruneResult {
  /** Ended triggers and dropped fire times that were removed. */
  readonly removed: number;
  /** False when there may be more to do. */
  readonly isDone: boolean;
}

/**
 * The port that keeps all state: a few atomic domain operations, each one transaction, each given the time.
 * Every list of requests is answered in its order. Errors are `HeadgateError` with `STORE_UNAVAILABLE` when it may be tried again.
 */
export interface Store extends AuditStore, EventLog, ClockRecovery, TriggerHistory, StatisticsStore {
  readonly name: string;
  /** Interval at which to look for work of other nodes without a notification, ms; `null` when there are no other nodes. */
  readonly pollMs: number | null;

  /** Makes it ready; idempotent. When the signal aborts, it gives up, releases what it has, and rejects: it waits for no connection, lock or answer any longer. */
  open(signal?: AbortSignal): Promise<void>;
  /** Releases what it holds, when what it was asked has been answered; idempotent. From when the signal aborts on, without waiting for answers. */
  close(signal?: AbortSignal): Promise<void>;
  /**
   * Looks whether a newer version of headgate has migrated the data since it was opened.
   *
   * @throws HeadgateError `STORE_INCOMPATIBLE`: then it keeps leases and records the ends of runs, and refuses everything else, until it is called again and throws nothing
   */
  verifySchema(): Promise<void>;
  /** Calls `onChange` when another writer may have made work or changed a pause; the function returned ends it. */
  subscribe(onChange: () => void): () => void;

  /** Adds or updates pipelines; a new schedule key re-plans once. Idempotent: what is as it is stored is read and not written. A call that was interrupted is completed by the next one. */
  register(pipelines: readonly PipelineRegistration[], now: number): Promise<readonly PipelineState[]>;
  states(pipelineIds: readonly string[]): Promise<readonly (PipelineState | null)[]>;
  /** Advances schedules and enqueues their triggers, each pipeline atomically; a paused pipeline does not fire. */
  fire(requests: readonly FireRequest[], now: number): Promise<readonly FireResult[]>;

  /**
   * Accepts triggers, all or none; idempotent by id, and by pipeline and key. Limits are checked in the same transaction, exactly over all nodes: triggers whose key is
   * taken count nothing.
   *
   * @throws HeadgateError `UNKNOWN_PIPELINE`, `QUEUE_FULL`
   */
  enqueue(triggers: readonly NewTrigger[], now: number, options?: EnqueueOptions): Promise<readonly EnqueueResult[]>;
  /** Hands out work in order, under all limits, to one claimant each. */
  claim(request: ClaimRequest, now: Now): Promise<Claim>;
  /**
   * Records decisions and moves their triggers, each atomically; `run` creates the run, which starts at that instant, unless the pipeline or everything is paused or a limit of the request has no room: neither
   * can change, on any node, between being looked at and the start.
   */
  decide(requests: readonly DecideRequest[], now: Now): Promise<readonly DecideResult[]>;
  /** Closes attempts and what follows from it, each atomically. */
  finish(requests: readonly FinishRequest[], now: Now): Promise<readonly FinishResult[]>;
  /** Extends leases; answers, per request, `null` when the attempt is no longer the caller's, else the run. */
  heartbeat(requests: readonly HeartbeatRequest[], leaseUntil: number, now: number): Promise<readonly (RunRecord | null)[]>;
  /** Hands an active run whose lease has expired to another node, with a higher fencing token; `null` when it is not, or its token is another. */
  adopt(runId: string, token: number, node: string, leaseUntil: number, now: number): Promise<RunRecord | null>;
  /** Returns active runs whose lease has expired. */
  expiredRuns(now: number, limit: number): Promise<readonly RunRecord[]>;
  /** Ends held triggers whose time to be held ran out. */
  expire(now: number): Promise<readonly TriggerRecord[]>;
  /** Makes held triggers (of the given pipelines, or all) worth a look now. */
  recheck(pipelineIds: readonly string[] | null, now: number): Promise<void>;
  /** The first instant at which {@link claim} or {@link expire} may find something new by time alone; `null` if none. */
  nextDueAt(now: number): Promise<number | null>;

  /** Ends a waiting trigger; a running one gets a cancel request on its run. `null` when there is no such trigger. */
  endTrigger(
    triggerId: string,
    end: TriggerEnd,
    request: CancelRequest,
    noted?: NotedResult<{ trigger: TriggerRecord; run: RunRecord | null }>,
  ): Promise<{ trigger: TriggerRecord; run: RunRecord | null } | null>;
  /** Requests the cancellation of a run; one between attempts ends at once. `null` when there is no such run. */
  cancelRun(
    runId: string,
    request: CancelRequest,
    noted?: NotedResult<{ run: RunRecord; trigger: TriggerRecord | null }>,
  ): Promise<{ run: RunRecord; trigger: TriggerRecord | null } | null>;

  /** Pauses a pipeline, or everything (`null`). */
  pause(pipelineId: string | null, pause: Pause, noted?: AuditedWrite): Promise<void>;
  /** Ends a pause, at its own end if that has passed; gives the one that ended, `null` (and nothing noted) if there was none. */
  resume(pipelineId: string | null, now: number, noted?: AuditedWrite): Promise<Pause | null>;
  globalPause(): Promise<GlobalPause>;
  /** Returns the ids of pipelines that are paused by themselves, also those whose pause has run out and was not ended yet. */
  pausedPipelines(): Promise<readonly string[]>;

  trigger(id: string): Promise<TriggerRecord | null>;
  run(id: string): Promise<RunRecord | null>;
  listTriggers(query: TriggerQuery): Promise<Listed<TriggerRecord>>;
  listRuns(query: RunQuery): Promise<Listed<RunRecord>>;
  listDecisions(query: DecisionQuery): Promise<Listed<DecisionRecord>>;
  /**
   * Returns what finished in [from, until): triggers with their runs and decisions, and dropped fire times; in the order in which it ended. What ended at the same instant as the last one may be
   * missing when there are `limit`. Parameters and outputs are not read.
   */
  listFinished(query: EndedQuery): Promise<readonly FinishedSummary[]>;
  /**
   * Counts what waits, of a pipeline or of all, without reading parameters; and lists active runs, the newest 10,000. Exact up to 100,000 waiting triggers: beyond
   * that, counts and oldest instants are a lower bound.
   */
  backlog(pipelineId?: string): Promise<Backlog>;
  /** Runs of a pipeline that started in [from, until). */
  countRuns(pipelineId: string, from: number, until: number): Promise<number>;
  /** The newest runs of a pipeline that started in [from, until), counted no further than `limit`, with the oldest of those; reads `limit` entries of an index at most. */
  recentStarts(pipelineId: string, from: number, until: number, limit: number): Promise<RecentStarts>;
  /** Takes a pipeline out of use on all nodes: it fires no more, what waits is cancelled; registering it again brings it back. Gives the cancelled triggers, `null` if unknown. */
  retire(
    pipelineId: string,
    request: CancelRequest,
    noted?: NotedResult<readonly TriggerRecord[]>,
  ): Promise<readonly TriggerRecord[] | null>;

  /**
   * Returns cursors to one node until its lease runs out, or extends its lease; `null` for those that another node has. Made with value `null` if new. The token grows
   * when a cursor changes hands.
   */
  claimCursors(names: readonly string[], node: string, leaseUntil: number, now: number): Promise<readonly (CursorRecord | null)[]>;
  /** Moves a claimed cursor and enqueues what was found, in one transaction; the claim stays. `null` (and nothing done) when the token is not the current one. */
  moveCursor(
    name: string,
    token: number,
    value: unknown,
    triggers: readonly NewTrigger[],
    now: number,
  ): Promise<readonly EnqueueResult[] | null>;
  /** Releases those of the cursors that the node has. */
  releaseCursors(names: readonly string[], node: string): Promise<void>;

  config(key: string): Promise<ConfigRecord | null>;
  /** Writes a setting if its version is still `expected` (0: not there yet; `null`: whatever it is); gives `null` (and notes nothing) when it is not. */
  putConfig(
    key: string,
    value: unknown,
    expected: number | null,
    by: string | null,
    now: number,
    noted?: AuditedWrite,
  ): Promise<ConfigRecord | null>;

  /**
   * Keeps what was asked, and its answer, under its key; gives what is kept. The first one stays: another request, or another answer to the same one, changes
   * nothing.
   */
  saveResponse(record: IdempotencyRecord): Promise<IdempotencyRecord>;
  /** Frees a key under which this was asked and nothing answered. */
  releaseKey(key: string, request: string): Promise<void>;

  /** Returns the number of waiting triggers, counted up to `limit`. */
  countWaiting(limit: number): Promise<number>;

  /** Returns the time of the store's server, which all nodes then go by; `null` when it has no clock of its own. */
  serverTime(): Promise<number | null>;
  /**
   * Removes a little of what is beyond the store's retention (ended triggers with their runs and decisions, dropped fire times, answers, events, audit records), in a time that does not depend on what
   * is kept, and returns whether that was all. Whatever waits or runs stays, with its decisions. Called again until nothing is left, by one node at a time, as far as a lease ensures it.
   */
  prune(now: number, options?: PruneOptions): Promise<PruneResult>;
}
