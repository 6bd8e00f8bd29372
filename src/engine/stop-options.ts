import { type Duration, durationMs } from "../base/duration.js";
import { checkOptions } from "../base/options.js";

/** Options of `Scheduler.stop`. */
export interface StopOptions {
  /** How long running work may go on. Default `"30s"`. */
  drain?: Duration;
}

/** @throws HeadgateError `INVALID_ARGUMENT`, `INVALID_DURATION` */
export function drainMsOf(options: StopOptions): number {
  checkOptions(options, { drain: true }, "stop");
  return durationMs(options.drain ?? "30s", "drain");
}
