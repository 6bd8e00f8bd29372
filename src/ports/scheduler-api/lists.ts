import type { Instant } from "../../base/instant.js";
import type { DecisionOutcome } from "../../gate/finding.js";
import type { PipelineSelection } from "../../pipeline/request-options.js";
import type { RunStatus } from "../../run/run.js";
import type { TriggerKind, TriggerStatus } from "../../trigger/trigger.js";

/** A part of a list, newest first. */
export interface Page<T> {
  /**
   * At most `limit`. There may be fewer, even none, while `nextCursor` is not `null`: a page ends after looking at some thousands of records that do not match its filters, so that none takes long. A pipeline, or a
   * status other than `succeeded`, is found without looking at others.
   */
  readonly items: readonly T[];
  /** Hand it in as `cursor` for what follows; `null` at the end. */
  readonly nextCursor: string | null;
}

/** Filters of every list. The pipelines are selected as in {@link PipelineSelection}; default: all. */
export interface ListOptions extends PipelineSelection {
  /** Only of this trigger. Default: of all. */
  triggerId?: string;
  /** Only from this instant on, by fire time, or by creation for what has none. Default: no bound. */
  from?: Instant;
  /** Only before this instant. Default: no bound. */
  until?: Instant;
  /** Items in a page, 1 to 1,000. Default 50. */
  limit?: number;
  /** The `nextCursor` of the page before. Default: from the newest on. */
  cursor?: string;
  /**
   * Bytes of JSON: larger parameters, outputs, progress, errors, attempts and findings are not read from the store; the item has `null` (or an empty list) in
   * their place and names them in `omitted`. Default: everything is read.
   */
  valueLimit?: number;
}

export interface TriggerListOptions extends ListOptions {
  /** Only with one of these statuses. Default: with any. */
  status?: TriggerStatus | readonly TriggerStatus[];
  /** Only of one of these kinds. Default: of any. */
  kind?: TriggerKind | readonly TriggerKind[];
}

export interface RunListOptions extends ListOptions {
  /** Only with one of these statuses. Default: with any. */
  status?: RunStatus | readonly RunStatus[];
}

export interface DecisionListOptions extends ListOptions {
  /** Only with one of these outcomes. Default: with any. */
  outcome?: DecisionOutcome | readonly DecisionOutcome[];
}
