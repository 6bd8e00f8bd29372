import type { TimeWindow } from "../schedule/window.js";

/** A window in which nothing runs, or one pipeline does not, added while the scheduler is in use. */
export interface MaintenanceWindow {
  readonly id: string;
  /** `null`: all pipelines. */
  readonly pipelineId: string | null;
  readonly window: TimeWindow;
  readonly at: Date;
  readonly user: string | null;
}
