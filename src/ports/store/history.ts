/**
 * History: what was requested, decided and run, for lists, `explain`, statistics and forecasts (`engine/reading`, `engine/monitoring`); and its removal when it is old (`engine/monitoring/maintenance`).
 *
 * Invariants: reading changes nothing; every list reads what it returns and a bounded number of other records, however long the history is; whatever waits or runs is never removed, nor are its decisions.
 */
import type { DecisionRecord } from "../../gate/finding.js";
import type { AuditSealer } from "../../monitor/audit-seal.js";
import type { FinishedSummary } from "../../monitor/finished-record.js";
import type { RunRecord, RunStatus } from "../../run/run.js";
import type { TriggerKind, TriggerRecord, TriggerStatus } from "../../trigger/trigger.js";

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

/** Triggers that ended sooner than this after they were accepted, ms, are not found by {@link TriggerHistory.triggersOpenAt}. */
export const LEAST_OPEN_MS = 60_000;

interface PastQuery {
  readonly pipelineId: string;
  readonly limit: number;
  /** Parameters and findings of more bytes than this are not read: see `ListQuery.valueLimit`. Default: everything is read. */
  readonly valueLimit?: number;
}

/** Query for the triggers that were open at an instant. Epoch ms. */
export interface OpenAtQuery extends PastQuery {
  readonly at: number;
}

/** Query for fire times in [from, until). Instants are epoch ms. */
export interface FireTimesQuery extends PastQuery {
  readonly from: number;
  readonly until: number;
}

/**
 * Queries about one instant of a pipeline's history, however long that is: each reads the rows that it returns by an index, and a bounded number of
 * others.
 */
export interface TriggerHistory {
  /**
   * Returns the triggers of a pipeline that waited or ran at an instant (accepted at or before it, not ended then), those accepted last first. One that ended within
   * a minute (`LEAST_OPEN_MS`) of being accepted is left out.
   */
  triggersOpenAt(query: OpenAtQuery): Promise<readonly TriggerRecord[]>;
  /** Returns the triggers of a pipeline that stand for fire times in a span, backfills included: the latest fire time first, the newest trigger of each first. */
  triggersForFireTimes(query: FireTimesQuery): Promise<readonly TriggerRecord[]>;
  /** Returns the decisions on dropped fire times that reach into a span, the latest fire time first. */
  dropsOfFireTimes(query: FireTimesQuery): Promise<readonly DecisionRecord[]>;
}

/** The history of a store. */
export interface HistoryStore extends TriggerHistory {
  /**
   * Returns a trigger; `null` when there is none with this id.
   *
   * @throws HeadgateError `STORE_CORRUPT` when its row cannot be read
   */
  trigger(id: string): Promise<TriggerRecord | null>;
  /** Returns a run; `null` when there is none with this id. */
  run(id: string): Promise<RunRecord | null>;
  /** Lists triggers, newest id first. */
  listTriggers(query: TriggerQuery): Promise<Listed<TriggerRecord>>;
  /** Lists runs, newest id first. */
  listRuns(query: RunQuery): Promise<Listed<RunRecord>>;
  /** Lists decisions, newest id first. */
  listDecisions(query: DecisionQuery): Promise<Listed<DecisionRecord>>;
  /**
   * Returns what has ended in [from, until): triggers with their runs and decisions, and dropped fire times; in the order in which it ended. What ended at the same instant as the last one may be
   * missing when there are `limit`. Parameters and outputs are not read.
   */
  listFinished(query: EndedQuery): Promise<readonly FinishedSummary[]>;
  /**
   * Removes a little of what is beyond the store's retention (ended triggers with their runs and decisions, dropped fire times, answers, events, audit records) in one short transaction, in a time that does not depend on what
   * is kept. Whatever waits or runs stays, with its decisions. Called again until nothing is left, by one node at a time as far as a lease ensures it.
   */
  prune(now: number, options?: PruneOptions): Promise<PruneResult>;
}
