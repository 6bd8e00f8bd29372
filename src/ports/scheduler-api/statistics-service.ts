import type { Statistics } from "../../monitor/statistics.js";
import type { Priority } from "../../trigger/trigger.js";

/** Queue length and age. */
export interface QueueStatistics {
  readonly length: number;
  readonly oldestAt: Date | null;
}

/** A pipeline's statistics, over all nodes. */
export interface PipelineStatistics extends Statistics {
  readonly pipelineId: string;
  readonly activeRuns: number;
  readonly queue: QueueStatistics;
}

/** The statistics of all pipelines, over all nodes. */
export interface SchedulerStatistics extends Statistics {
  readonly activeRuns: number;
  readonly queue: QueueStatistics & { readonly byPriority: Readonly<Record<Priority, QueueStatistics>> };
  /** Load of this machine, shares from 0 to 1. */
  readonly load: { readonly cpu: number | null; readonly memory: number | null };
}

/** Statistics of the pipelines over a sliding window, over all nodes. */
export interface StatisticsService {
  /**
   * Returns a pipeline's statistics over the window (`statisticsWindow` of the scheduler, 24 h).
   *
   * @throws HeadgateError `UNKNOWN_PIPELINE`
   */
  get(pipelineId: string): Promise<PipelineStatistics>;

  /** Returns the statistics of all pipelines together. */
  total(): Promise<SchedulerStatistics>;

  /** Reads what has ended since the last read. */
  refresh(): Promise<void>;
}
