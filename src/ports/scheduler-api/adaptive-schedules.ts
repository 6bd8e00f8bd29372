import type { Performance } from "../../adaptive/performance.js";
import type { ActionContext } from "../../pipeline/request-options.js";

/** One change of an interval. Lengths in ms. */
export interface IntervalChange {
  readonly at: Date;
  readonly fromMs: number;
  readonly toMs: number;
  readonly reason: string;
  /** `null`: the tuner; else who reset it. */
  readonly user: string | null;
}

/** State of a pipeline's adaptive schedule. Lengths in ms. */
export interface AdaptiveStatus {
  readonly pipelineId: string;
  readonly intervalMs: number;
  readonly baseMs: number;
  readonly minMs: number;
  readonly maxMs: number;
  /** The setting `isAdaptive` (over HTTP `auto_scaling_enabled`) is false: it stays as it is. */
  readonly isFrozen: boolean;
  /** The setting `scheduleIntervalMs` stands in its place. */
  readonly isOverridden: boolean;
  /** The newest 20, newest first; all of them are in the audit log. */
  readonly changes: readonly IntervalChange[];
  /** The tuner's last answer on this node. */
  readonly lastLook: { readonly at: Date; readonly reason: string } | null;
}

/** The numbers that a tuner went by, without the runs themselves. */
export type PerformanceNumbers = Omit<Performance, "samples"> & { readonly runs: number };

/** The intervals of adaptive schedules. */
export interface AdaptiveSchedules {
  /** Reads what other nodes have changed. */
  refresh(): Promise<void>;

  /**
   * Returns the state of a pipeline's adaptive schedule; `null` when its schedule does not adapt.
   *
   * @throws HeadgateError `UNKNOWN_PIPELINE`
   */
  get(pipelineId: string): AdaptiveStatus | null;

  /**
   * Goes back to the base interval and forgets how it came to be what it is. To freeze it, or to set an interval by hand, change the settings `isAdaptive` and `scheduleIntervalMs`.
   *
   * @throws HeadgateError `UNKNOWN_PIPELINE`, `INVALID_ARGUMENT` when its schedule does not adapt
   */
  reset(pipelineId: string, act?: ActionContext): Promise<void>;
}
