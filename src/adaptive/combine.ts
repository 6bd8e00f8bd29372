import { durationMs } from "../base/duration.js";
import { invalidTuner, type Tuner } from "./tuner.js";

/**
 * Combines tuners: the most cautious wins, which is the one that wants the longest interval.
 *
 * @throws HeadgateError `INVALID_ARGUMENT` when there is none
 */
export function combine(...tuners: readonly Tuner[]): Tuner {
  if (tuners.length === 0) throw invalidTuner("combine", "at least one tuner is required");
  const combined: Tuner = (performance, interval, context) => {
    const wanted = tuners
      .map((tuner) => tuner(performance, interval, context))
      .map((one) => ({ ...one, ms: durationMs(one.interval, "tuner") }));
    const { ms, reason, isUrgent } = wanted.reduce((most, one) => (one.ms > most.ms ? one : most));
    return {
      interval: ms,
      reason: wanted.length === 1 ? reason : `the most cautious of ${wanted.length}: ${reason}`,
      ...(isUrgent === undefined ? {} : { isUrgent }),
    };
  };
  return Object.assign(combined, { followsLoad: tuners.some(({ followsLoad }) => followsLoad === true) });
}
