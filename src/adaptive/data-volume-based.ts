import { comparedDurations, type Duration, durationMs, formatDuration } from "../base/duration.js";
import { checkOptions } from "../base/options.js";
import { marginOf, meanOf } from "./evidence.js";
import type { Performance, RunSample } from "./performance.js";
import { newestRegime } from "./regime.js";
import { FACTORS, type Factors, factorsOf, type Tuner, type TunerContext, type Tuning } from "./tuner.js";

/** Options of {@link dataVolumeBased}. */
export interface DataVolumeOptions extends Factors {
  /** Records of the newest run. Default 1,000,000. */
  recordsAbove?: number;
  /** Mean duration of a run. Default `"45m"`. */
  processingTimeAbove?: Duration;
}

/** Newest runs whose records count. */
const ARRIVALS = 50;
/** An interval that is shorter than needed by less than this factor is left as it is. */
const NEAR = 1.1;

/**
 * More often while much data arrives, less often while runs take long (which goes first), else at the base interval. Runs say how much by returning `{ metrics: { records } }`. Default factors 0.6 and
 * 1.8. It gets no shorter than `recordsAbove` take to arrive, and goes by the runs since durations, or the data that arrives, last changed from one side of their limits to the other.
 *
 * @throws HeadgateError `INVALID_ARGUMENT`, `INVALID_DURATION`
 */
export function dataVolumeBased(options: DataVolumeOptions = {}): Tuner {
  checkOptions(options, { ...FACTORS, recordsAbove: true, processingTimeAbove: true }, "dataVolumeBased");
  const { recordsAbove = 1_000_000 } = options;
  const { speedUp, slowDown } = factorsOf(options, 0.6, 1.8, "dataVolumeBased");
  const longMs = durationMs(options.processingTimeAbove ?? "45m", "dataVolumeBased: processingTimeAbove");
  return (performance, intervalMs, context) => {
    const { samples, lastRecords, recordsTrend } = performance;
    const baseMs = context?.baseMs ?? intervalMs;
    const duration = durationOf(performance, longMs, context);
    if (duration.mean - longMs > 0 && duration.mean - longMs >= marginOf(duration.standardError, duration.count, intervalMs > baseMs))
      return {
        interval: intervalMs < baseMs ? baseMs : intervalMs * slowDown,
        reason: `runs take ${comparedDurations(duration.mean, longMs).join(", over ")}`,
      };
    const back: Tuning = { interval: baseMs, isUrgent: intervalMs !== baseMs, reason: "no run has reported its number of records" };
    if (lastRecords === null) return back;
    const trend = recordsTrend === null ? "" : `, ${recordsTrend >= 0 ? "+" : ""}${Math.round(recordsTrend * 100)} % over the window`;
    const seen = `${lastRecords} records since the run before${trend}`;
    if (context === undefined) return { interval: lastRecords > recordsAbove ? intervalMs * speedUp : intervalMs, reason: seen };
    const perMs = arrivalRate(samples, recordsAbove / baseMs);
    if (perMs === null) return intervalMs > baseMs ? { ...back, reason: seen } : { interval: intervalMs, reason: seen };
    const needed = perMs * baseMs > recordsAbove ? Math.ceil(recordsAbove / perMs) : baseMs;
    const reason = `${seen}; ${Math.round(perMs * 3_600_000)} an hour, ${recordsAbove} in ${formatDuration(Math.round(recordsAbove / Math.max(perMs, 1e-9)))}`;
    if (intervalMs > baseMs) return { ...back, reason };
    if (needed < intervalMs) return { interval: Math.max(needed, intervalMs * speedUp), reason };
    return {
      interval: needed === baseMs || needed > intervalMs * NEAR ? needed : intervalMs,
      isUrgent: needed === baseMs && intervalMs !== baseMs,
      reason,
    };
  };
}

/** Mean duration; in a schedule, since durations last changed sides. */
function durationOf({ samples }: Performance, longMs: number, context: TunerContext | undefined) {
  const durations = samples.map(({ startedAt, endedAt }) => endedAt - startedAt);
  const from = context === undefined ? 0 : newestRegime(durations.map((one) => one > longMs));
  const count = durations.length - from;
  return count === 0 ? { mean: 0, standardError: 0, count } : { ...meanOf(durations.slice(from)), count };
}

/** Records that arrive per ms, since that last changed sides of a limit; `null` while it is not known. */
function arrivalRate(samples: readonly RunSample[], limit: number): number | null {
  const arrivals: { readonly records: number; readonly ms: number }[] = [];
  let before: number | null = null;
  for (const { startedAt, isSuccess, records } of samples) {
    if (!isSuccess) continue;
    if (before !== null && records !== null && startedAt > before) arrivals.push({ records, ms: startedAt - before });
    before = startedAt;
  }
  const newest = arrivals.slice(-ARRIVALS);
  const regime = newest.slice(newestRegime(newest.map(({ records, ms }) => records > limit * ms)));
  const ms = regime.reduce((sum, one) => sum + one.ms, 0);
  return ms === 0 ? null : regime.reduce((sum, one) => sum + one.records, 0) / ms;
}
