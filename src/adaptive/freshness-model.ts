import type { RunSample } from "./performance.js";

/** Standard errors by which independent failures may turn out more than they were: about three in four chances that they do not. */
const MARGIN = 0.7;
/** The same where failures cluster, which say as much as a quarter of as many independent ones (a design effect of 4). */
const CLUSTERED_MARGIN = 1.4;
/** The same of outages. */
const OUTAGE_MARGIN = 0.8;
/** Failures cluster when one follows another this many standard errors more often than by chance. */
const CLUSTERED_ABOVE = 2.5;
/** Successes whose durations count: enough for a day and a night, few enough to follow a drift … */
const DURATIONS = 30;
/** … which is seen between the newest of them and the rest. */
const NEWEST = 10;
/** Durations are reckoned with in so many groups of equal size. */
const GROUPS = 10;
/** Instants at which an outage may begin within an interval. */
const PHASES = 4;
/** Where failures cluster, the next run after one comes after this part of the interval. */
const AFTER_FAILURE = 1 / 3;

/** Model of how old data would get at other intervals, built from the runs of a window. Lengths in ms. */
export interface FreshnessModel {
  /** Share of runs that fail independently of each other, 0 to 1: an upper bound. */
  readonly failureShare: number;
  /** True if failures come in a row more often than by chance. */
  readonly isClustered: boolean;
  /** Lengths of outages, in which every run fails. */
  readonly outages: readonly number[];
  /** Outages to expect for each that was seen, per ms: an upper bound. */
  readonly outageRate: number;
  /** Durations to expect of runs that succeed, ascending, equally likely. */
  readonly durations: readonly number[];
}

/**
 * Separates outages from failures that hit single runs, with upper confidence bounds of both, and takes durations from the newest runs, moved on by their drift.
 *
 * @param samples - oldest first, at least one of them succeeded
 * @see Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 22 (1927)
 */
export function freshnessModel(samples: readonly RunSample[]): FreshnessModel {
  const { failures, outages, isClustered } = failuresOf(samples);
  const margin = isClustered ? CLUSTERED_MARGIN : MARGIN;
  const spanMs = Math.max(1, (samples.at(-1)?.endedAt ?? 0) - (samples[0]?.startedAt ?? 0));
  const inOutages = outages.reduce((sum, { runs }) => sum + runs, 0);
  return {
    failureShare: upperBound(failures - inOutages, samples.length - inOutages, margin),
    isClustered,
    outages: outages.map(({ lengthMs }) => lengthMs),
    outageRate: (1 + OUTAGE_MARGIN / Math.sqrt(Math.max(1, outages.length))) / spanMs,
    durations: durationsOf(samples),
  };
}

/** Failures in a row. */
interface Streak {
  readonly runs: number;
  /** Between the successes around it, less one spacing of its runs. */
  readonly lengthMs: number;
}

/** Failures of two runs or more in a row are outages if failures cluster, compared with what independent ones would do (a test of the first lag of a Bernoulli sequence). */
function failuresOf(samples: readonly RunSample[]): { failures: number; outages: readonly Streak[]; isClustered: boolean } {
  const streaks: Streak[] = [];
  let [runs, failures, inARow, beforeAt] = [0, 0, 0, samples[0]?.startedAt ?? 0];
  for (const { isSuccess, startedAt } of samples) {
    if (isSuccess) {
      if (runs > 1) streaks.push({ runs, lengthMs: ((startedAt - beforeAt) * runs) / (runs + 1) });
      [runs, beforeAt] = [0, startedAt];
    } else {
      failures++;
      if (runs > 0) inARow++;
      runs++;
    }
  }
  if (runs > 1) streaks.push({ runs, lengthMs: (samples.at(-1) as RunSample).startedAt - beforeAt });
  const share = failures / samples.length;
  const byChance = failures * share;
  const isClustered = inARow >= 2 && inARow - byChance > CLUSTERED_ABOVE * Math.sqrt(byChance * (1 - share));
  return { failures, outages: isClustered ? streaks : [], isClustered };
}

/** Wilson's upper bound of a share. */
function upperBound(count: number, of: number, z: number): number {
  const share = count / of;
  const z2 = (z * z) / of;
  return (share + z2 / 2 + z * Math.sqrt((share * (1 - share) + z2 / 4) / of)) / (1 + z2);
}

function durationsOf(samples: readonly RunSample[]): readonly number[] {
  const all = samples.flatMap(({ isSuccess, startedAt, endedAt }) => (isSuccess ? [endedAt - startedAt] : [])).slice(-DURATIONS);
  const older = all.slice(0, -NEWEST);
  const drift = older.length < NEWEST ? 0 : Math.max(0, mean(all.slice(-NEWEST)) - mean(older));
  const longest = Math.max(...all);
  const sorted = all.map((one) => Math.min(longest, one + drift)).sort((a, b) => a - b);
  const groups = Math.min(GROUPS, sorted.length);
  const part = (n: number) => Math.floor((n * sorted.length) / groups);
  return Array.from({ length: groups }, (_, n) => mean(sorted.slice(part(n), part(n + 1))));
}

const mean = (numbers: readonly number[]) => numbers.reduce((sum, one) => sum + one, 0) / numbers.length;

/** The interval after a run that failed, ms: shorter where another failure is likely to follow. */
export function afterFailureMs({ isClustered }: FreshnessModel, intervalMs: number): number {
  return isClustered ? intervalMs * AFTER_FAILURE : intervalMs;
}

/**
 * Returns the share of the time, 0 to 1, in which data is expected to be older than `maxAgeMs` at an interval: the time from when the data of one success gets too old to the end of the next
 * success, over the time between their starts.
 *
 * @see Crane and Lemoine, "An Introduction to the Regenerative Method for Simulation Analysis", Springer (1977): ratios of expectations over cycles
 */
export function staleShare(model: FreshnessModel, intervalMs: number, maxAgeMs: number): number {
  const { failureShare, outages, outageRate, durations } = model;
  const againMs = afterFailureMs(model, intervalMs);
  let [staleMs, totalMs] = [0, 0];
  for (const durationMs of durations) {
    const [firstMs, allowedMs] = [Math.max(intervalMs, durationMs), maxAgeMs - durationMs];
    const repeatMs = Math.max(againMs, durationMs); // one run at a time
    const fitting = firstMs > allowedMs ? 0 : Math.floor((allowedMs - firstMs) / repeatMs) + 1; // failures that still leave time for a success
    const beyondMs = firstMs + fitting * repeatMs - allowedMs;
    const failedMs = (repeatMs * failureShare) / (1 - failureShare); // the number of failures before a success is geometric
    totalMs += firstMs + failedMs;
    staleMs += failureShare ** fitting * (beyondMs + failedMs);
  }
  let outageMs = 0;
  for (const lengthMs of outages) {
    for (let phase = 1; phase < 2 * PHASES; phase += 2) {
      const leftMs = (intervalMs * phase) / (2 * PHASES) + lengthMs - intervalMs; // of the outage, when the next run is due
      if (leftMs <= 0) continue;
      const gapMs = intervalMs + Math.ceil(leftMs / againMs) * againMs;
      for (const durationMs of durations) outageMs += Math.max(0, gapMs + durationMs - maxAgeMs);
    }
  }
  return Math.min(1, staleMs / totalMs + (outageMs * outageRate) / (PHASES * durations.length));
}
