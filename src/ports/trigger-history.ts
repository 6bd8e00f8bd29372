import type { DecisionRecord } from "../gate/finding.js";
import type { TriggerRecord } from "../trigger/trigger.js";

/** Triggers that ended sooner than this after they were accepted, ms, are not found by {@link TriggerHistory.triggersOpenAt}. */
export const LEAST_OPEN_MS = 60_000;

interface HistoryQuery {
  readonly pipelineId: string;
  readonly limit: number;
  /** Parameters and findings of more bytes than this are not read: see `ListQuery.valueLimit`. Default: everything is read. */
  readonly valueLimit?: number;
}

/** Query for the triggers that were open at an instant. Epoch ms. */
export interface OpenAtQuery extends HistoryQuery {
  readonly at: number;
}

/** Query for fire times in [from, until). Instants are epoch ms. */
export interface FireTimesQuery extends HistoryQuery {
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
