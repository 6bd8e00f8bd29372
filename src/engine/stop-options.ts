import { durationMs } from "../base/duration.js";
import { checkOptions } from "../base/options.js";
import type { StopOptions } from "../ports/scheduler-api/stop-options.js";

/** @throws HeadgateError `INVALID_ARGUMENT`, `INVALID_DURATION` */
export function drainMsOf(options: StopOptions): number {
  checkOptions(options, { drain: true }, "stop");
  return durationMs(options.drain ?? "30s", "drain");
}
