import { comparedDurations, type Duration, durationMs } from "../base/duration.js";
import { checkOptions } from "../base/options.js";
import { percent } from "../base/share.js";
import { marginOf, meanOf } from "./evidence.js";
import type { RunSample } from "./performance.js";
import { newestRegime } from "./regime.js";
import { FACTORS, type Factors, factorsOf, invalidTuner, type Tuner } from "./tuner.js";

/** Options of {@link performanceBased}. */
export interface PerformanceOptions extends Factors {
  /** Runs more often when more of the runs than this share succeeded … Default 0.95. */
  successRateAbove?: number;
  /** … and took less than this on average. Default `"30m"`. */
  meanDurationBelow?: Duration;
  /** Runs less often when fewer succeeded than this share. Default 0.8. */
  successRateBelow?: number;
}

/** Runs that a change of regime needs before it is reacted to. */
const ENOUGH = 3;
/** Newest runs whose durations count. */
const DURATIONS = 20;

/**
 * More often while runs succeed quickly, less often while they fail, else at the base interval. Default factors 0.8 and 1.5. It goes by the runs since their success rate last changed.
 *
 * @throws HeadgateError `INVALID_ARGUMENT`, `INVALID_DURATION`
 * @example
 * adaptive({ base: "1h", min: "30m", max: "4h", tuner: performanceBased() });
 */
export function performanceBased(options: PerformanceOptions = {}): Tuner {
  checkOptions(options, { ...FACTORS, successRateAbove: true, meanDurationBelow: true, successRateBelow: true }, "performanceBased");
  const { successRateAbove = 0.95, successRateBelow = 0.8 } = options;
  const { speedUp, slowDown } = factorsOf(options, 0.8, 1.5, "performanceBased");
  const quickMs = durationMs(options.meanDurationBelow ?? "30m", "performanceBased: meanDurationBelow");
  if (!(successRateBelow <= successRateAbove && successRateBelow >= 0 && successRateAbove <= 1))
    throw invalidTuner("performanceBased", "successRateBelow and successRateAbove must be shares from 0 to 1, in this order");
  return ({ samples }, intervalMs, context) => {
    if (samples.length === 0) return { interval: intervalMs, reason: "there were no runs" };
    const { baseMs } = context ?? { baseMs: intervalMs };
    const from = context === undefined ? 0 : newestRegime(samples.map(({ isSuccess }) => isSuccess));
    const { rate, standardError, duration, count } = measured(samples.slice(from));
    const since = from === 0 ? "" : ` in the ${count} runs since that changed`;
    /** Returns what was seen, so exactly that it does not look like the limit that it is compared with. */
    const seenBeside = (limit: number) =>
      `${percent(rate, limit)} succeeded${since}, ${comparedDurations(duration.mean, quickMs)[0]} on average`;
    const seen = seenBeside(rate);
    const base = { interval: baseMs, isUrgent: true };
    if (from > 0 && count < ENOUGH) return { ...base, reason: `${seen}: back to the base interval` };
    const failing = successRateBelow - rate;
    if (failing > 0 && failing >= marginOf(standardError, count, intervalMs > baseMs))
      return {
        interval: intervalMs < baseMs ? baseMs : intervalMs * slowDown,
        reason: `${seenBeside(successRateBelow)}: fewer than ${percent(successRateBelow)}`,
      };
    const isFast = intervalMs < baseMs;
    const [succeeding, quick] = [rate - successRateAbove, quickMs - duration.mean];
    const isQuick = quick > 0 && quick >= marginOf(duration.standardError, count, isFast);
    if (isQuick && succeeding > 0 && succeeding >= marginOf(standardError, count, isFast))
      return {
        interval: intervalMs > baseMs ? baseMs : intervalMs * speedUp,
        isUrgent: intervalMs > baseMs,
        reason: `${seenBeside(successRateAbove)}: over ${percent(successRateAbove)}, in less than ${comparedDurations(duration.mean, quickMs)[1]}`,
      };
    return intervalMs === baseMs
      ? { interval: baseMs, reason: seen }
      : { ...base, reason: `${seen}: no reason to leave the base interval` };
  };
}

function measured(samples: readonly RunSample[]) {
  const count = samples.length;
  const rate = samples.filter(({ isSuccess }) => isSuccess).length / count;
  const duration = meanOf(samples.slice(-DURATIONS).map(({ startedAt, endedAt }) => endedAt - startedAt));
  return { count, rate, standardError: Math.sqrt((rate * (1 - rate)) / count), duration };
}
