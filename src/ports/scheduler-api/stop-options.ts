import type { Duration } from "../../base/duration.js";

/** Options of `Scheduler.stop`. */
export interface StopOptions {
  /** Time running work may go on. Default `"30s"`. */
  drain?: Duration;
}
