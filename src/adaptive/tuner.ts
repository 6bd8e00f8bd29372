import { type Duration, durationMs, formatDuration } from "../base/duration.js";
import { HeadgateError } from "../base/errors.js";
import { checkOptions, type OptionNames } from "../base/options.js";
import type { Performance } from "./performance.js";

/** What a tuner wants. */
export interface Tuning {
  /** The interval it would have; the same as before for no change. */
  readonly interval: Duration;
  /** Why, in words, with the numbers that it went by. */
  readonly reason: string;
}

/**
 * A pure function of recent performance and the current interval (ms). What it wants is kept within the schedule's `min` and `max`, and waits for its `cooldown`.
 */
export type Tuner = (performance: Performance, intervalMs: number) => Tuning;

/** By how much an interval moves. */
interface Factors {
  /** Factor of the interval when it may run more often; below 1. */
  speedUp?: number;
  /** Factor of the interval when it should run less often; above 1. */
  slowDown?: number;
}

const FACTORS: OptionNames<Factors> = { speedUp: true, slowDown: true };

/** Options of {@link performanceBased}. */
export interface PerformanceOptions extends Factors {
  /** Runs more often when more of the runs than this share succeeded … Default 0.95. */
  successRateAbove?: number;
  /** … and took less than this on average. Default `"30m"`. */
  meanDurationBelow?: Duration;
  /** Runs less often when fewer succeeded than this share. Default 0.8. */
  successRateBelow?: number;
}

/**
 * More often while runs succeed quickly, less often while they fail. Default factors 0.8 and 1.5.
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
    throw bad("performanceBased", "successRateBelow and successRateAbove must be shares from 0 to 1, in this order");
  return ({ successRate, duration }, interval) => {
    if (successRate === null || duration === null) return { interval, reason: "there were no runs" };
    const told = `${percent(successRate)} succeeded, ${formatDuration(Math.round(duration.mean))} on average`;
    if (successRate < successRateBelow)
      return { interval: interval * slowDown, reason: `${told}: fewer than ${percent(successRateBelow)}` };
    if (successRate > successRateAbove && duration.mean < quickMs)
      return {
        interval: interval * speedUp,
        reason: `${told}: over ${percent(successRateAbove)}, in less than ${formatDuration(quickMs)}`,
      };
    return { interval, reason: told };
  };
}

/** Options of {@link loadBased}. */
export interface LoadOptions extends Factors {
  /** Shares, 0 to 1. Defaults 0.8 and 0.85. */
  cpuAbove?: number;
  memoryAbove?: number;
  /** Triggers that wait. Default 5. */
  queueLengthAbove?: number;
  /** It counts as calm when everything is below this part of its limit, 0 to 1. Default 0.75; what is between changes nothing. */
  calm?: number;
}

/**
 * Less often while the system is loaded by any of processor, memory and queue; more often while all of it is calm. Default factors 0.7 and 2.
 *
 * @throws HeadgateError `INVALID_ARGUMENT`
 */
export function loadBased(options: LoadOptions = {}): Tuner {
  checkOptions(options, { ...FACTORS, cpuAbove: true, memoryAbove: true, queueLengthAbove: true, calm: true }, "loadBased");
  const { cpuAbove = 0.8, memoryAbove = 0.85, queueLengthAbove = 5, calm = 0.75 } = options;
  const { speedUp, slowDown } = factorsOf(options, 0.7, 2, "loadBased");
  if (!(calm >= 0 && calm <= 1)) throw bad("loadBased", "calm must be from 0 to 1");
  return ({ cpu, memory, queueLength }, interval) => {
    const measures = [
      { told: `cpu ${cpu === null ? "?" : percent(cpu)}`, value: cpu, limit: cpuAbove },
      { told: `memory ${memory === null ? "?" : percent(memory)}`, value: memory, limit: memoryAbove },
      { told: `queue ${queueLength ?? "?"}`, value: queueLength, limit: queueLengthAbove },
    ];
    const known = measures.filter(({ value }) => value !== null);
    if (known.length === 0) return { interval, reason: "the load is not known" };
    const high = known.filter(({ value, limit }) => (value as number) > limit);
    const told = (some: typeof measures) => some.map((one) => one.told).join(", ");
    if (high.length > 0) return { interval: interval * slowDown, reason: `loaded: ${told(high)}` };
    const isCalm = known.every(({ value, limit }) => (value as number) <= limit * calm);
    return { interval: isCalm ? interval * speedUp : interval, reason: `${isCalm ? "calm" : "neither calm nor loaded"}: ${told(known)}` };
  };
}

/** Options of {@link dataVolumeBased}. */
export interface DataVolumeOptions extends Factors {
  /** Records of the newest run. Default 1,000,000. */
  recordsAbove?: number;
  /** Mean duration of a run. Default `"45m"`. */
  processingTimeAbove?: Duration;
}

/**
 * More often while much data arrives, less often while runs take long (which goes first). Runs say how much by returning `{ metrics: { records } }`. Default factors 0.6 and 1.8.
 *
 * @throws HeadgateError `INVALID_ARGUMENT`, `INVALID_DURATION`
 */
export function dataVolumeBased(options: DataVolumeOptions = {}): Tuner {
  checkOptions(options, { ...FACTORS, recordsAbove: true, processingTimeAbove: true }, "dataVolumeBased");
  const { recordsAbove = 1_000_000 } = options;
  const { speedUp, slowDown } = factorsOf(options, 0.6, 1.8, "dataVolumeBased");
  const longMs = durationMs(options.processingTimeAbove ?? "45m", "dataVolumeBased: processingTimeAbove");
  return ({ lastRecords, duration, recordsTrend }, interval) => {
    if (duration !== null && duration.mean > longMs)
      return {
        interval: interval * slowDown,
        reason: `runs take ${formatDuration(Math.round(duration.mean))}, over ${formatDuration(longMs)}`,
      };
    if (lastRecords === null) return { interval, reason: "no run said how many records it had" };
    const trend = recordsTrend === null ? "" : `, ${recordsTrend >= 0 ? "+" : ""}${Math.round(recordsTrend * 100)} % over the window`;
    const told = `${lastRecords} records since the run before${trend}`;
    return { interval: lastRecords > recordsAbove ? interval * speedUp : interval, reason: told };
  };
}

/**
 * Asks several tuners; the most cautious wins, which is the one that wants the longest interval.
 *
 * @throws HeadgateError `INVALID_ARGUMENT` when there is none
 */
export function combine(...tuners: readonly Tuner[]): Tuner {
  if (tuners.length === 0) throw bad("combine", "give at least one tuner");
  return (performance, interval) => {
    const wanted = tuners.map((tuner) => tuner(performance, interval)).map((one) => ({ ...one, ms: durationMs(one.interval, "tuner") }));
    const longest = wanted.reduce((most, one) => (one.ms > most.ms ? one : most));
    return {
      interval: longest.ms,
      reason: wanted.length === 1 ? longest.reason : `the most cautious of ${wanted.length}: ${longest.reason}`,
    };
  };
}

function factorsOf({ speedUp, slowDown }: Factors, faster: number, slower: number, where: string): { speedUp: number; slowDown: number } {
  const factors = { speedUp: speedUp ?? faster, slowDown: slowDown ?? slower };
  if (!(factors.speedUp > 0 && factors.speedUp <= 1)) throw bad(where, `speedUp ${factors.speedUp} must be over 0 and at most 1`);
  if (!(factors.slowDown >= 1 && factors.slowDown <= 100)) throw bad(where, `slowDown ${factors.slowDown} must be from 1 to 100`);
  return factors;
}

export function percent(share: number): string {
  return `${Math.round(share * 1_000) / 10} %`;
}

function bad(where: string, problem: string): HeadgateError {
  return new HeadgateError("INVALID_ARGUMENT", `${where}: ${problem}`);
}
