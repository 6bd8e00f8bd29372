import { type Duration, durationMs, formatDuration } from "../base/duration.js";
import { HeadgateError } from "../base/errors.js";
import { checkOptions } from "../base/options.js";
import { percent } from "../base/share.js";
import { afterFailureMs, type FreshnessModel, freshnessModel, staleShare } from "./freshness-model.js";
import type { Performance } from "./performance.js";
import type { Tuner, Tuning } from "./tuner.js";

/** Options of {@link freshnessTarget}. */
export interface FreshnessTargetOptions {
  /** Greatest age of data. */
  maxAge: Duration;
  /** Share of the time in which data must not be older, greater than 0 and at most 1. Default 0.99. */
  share?: number;
}

/** Intervals that are considered: `maxAge` times powers of this … */
const STEP = 0.98;
/** … down to about a hundredth of it. */
const STEPS = 228;
/** Factor by which an interval gets longer at most in one change. */
const LENGTHENING = 1.25;
/** Runs since a failure after which an interval that it shortened is restored at once. */
const RECENT = 6;
/** Factor of the runs that outages may cost before the target is given up for the time that they take. */
const OUTAGE_COST = 2;

/**
 * Keeps a promise: data at most `maxAge` old in `share` of the time, with few runs. From the runs of the window it estimates, with upper confidence bounds, how often runs fail and how long outages
 * last, and takes the longest interval that is expected to keep the promise even so. Few runs make for a short interval. It shortens at once and lengthens by at most a quarter at a time; where
 * failures come in a row, the run after a failed one comes sooner. Data is as old as the start of the last run that succeeded.
 *
 * @throws HeadgateError `INVALID_ARGUMENT`, `INVALID_DURATION`
 * @see Charnes and Cooper, "Chance-Constrained Programming", Management Science 6 (1959)
 * @example
 * adaptive({ base: "1h", min: "5m", max: "12h", tuner: freshnessTarget({ maxAge: "3h", share: 0.99 }) });
 */
export function freshnessTarget(options: FreshnessTargetOptions): Tuner {
  checkOptions(options, { maxAge: true, share: true }, "freshnessTarget");
  const { share = 0.99 } = options;
  const maxAgeMs = durationMs(options.maxAge, "freshnessTarget: maxAge");
  if (maxAgeMs < 1_000) throw new HeadgateError("INVALID_ARGUMENT", "freshnessTarget: maxAge must be at least 1 s");
  if (!(share > 0 && share <= 1))
    throw new HeadgateError("INVALID_ARGUMENT", `freshnessTarget: share ${share} must be greater than 0 and at most 1`);
  return (performance, intervalMs) => {
    if (!performance.samples.some(({ isSuccess }) => isSuccess)) return { interval: intervalMs, reason: "no run has succeeded" };
    const model = freshnessModel(performance.samples);
    return towards(longestFor(model, maxAgeMs, share), model, performance, intervalMs);
  };
}

/** An interval and the reason for it. */
interface Choice {
  readonly ms: number;
  readonly reason: string;
}

/** Returns the longest interval that keeps the promise, or comes as near to it as is reasonable. */
function longestFor(model: FreshnessModel, maxAgeMs: number, share: number): Choice {
  const stale = (step: number) => staleShare(model, maxAgeMs * STEP ** step, maxAgeMs);
  const least = stale(STEPS);
  const kept = firstStep((step) => stale(step) <= 1 - share);
  const avoided = firstStep((step) => stale(step) <= 1 - share + least); // promised but for what no interval avoids
  const isKept = kept !== null && (avoided === null || STEP ** (avoided - kept) <= OUTAGE_COST);
  const step = (isKept ? kept : avoided) ?? STEPS;
  const ms = Math.max(1, Math.floor(maxAgeMs * STEP ** step));
  const promise = `at most ${formatDuration(maxAgeMs)} old in ${percent(share)} of the time`;
  const expected = `${percent(1 - stale(step), share)} expected`;
  const every = `every ${formatDuration(ms)}`;
  if (isKept) return { ms, reason: `${every} keeps data ${promise} (${expected})` };
  const why = kept === null ? "no interval keeps" : `only more than ${OUTAGE_COST} times as many runs would keep`;
  return { ms, reason: `${why} data ${promise}: ${every} comes near (${expected})` };
}

/** Returns the first step of a condition that holds from some step on; `null` when it does not hold for the last. */
function firstStep(holds: (step: number) => boolean): number | null {
  if (!holds(STEPS)) return null;
  let [no, yes] = [-1, STEPS];
  while (yes - no > 1) {
    const middle = (no + yes) >> 1;
    if (holds(middle)) yes = middle;
    else no = middle;
  }
  return yes;
}

/** Moves towards the choice: shorter at once, longer in steps. */
function towards(choice: Choice, model: FreshnessModel, { samples, duration }: Performance, intervalMs: number): Tuning {
  const failures = samples.filter(({ isSuccess }) => !isSuccess).length;
  const outages = model.outages.length === 0 ? "" : `, ${model.outages.length} times in a row`;
  const seen = `${samples.length} runs, ${failures} failed${outages}, p95 ${formatDuration(Math.round(duration?.p95 ?? 0))}`;
  const reason = `${choice.reason}; ${seen}`;
  const soonMs = Math.max(1, Math.floor(afterFailureMs(model, choice.ms)));
  if (samples.at(-1)?.isSuccess === false && soonMs < choice.ms)
    return {
      interval: Math.min(soonMs, intervalMs),
      isUrgent: true,
      reason: `the newest run failed and failures tend to repeat: every ${formatDuration(soonMs)} until one succeeds; ${reason}`,
    };
  if (choice.ms <= intervalMs) return { interval: choice.ms, isUrgent: choice.ms < intervalMs, reason };
  if (model.isClustered && samples.slice(-RECENT).some(({ isSuccess }) => !isSuccess))
    return { interval: choice.ms, isUrgent: true, reason };
  const longerMs = Math.floor(intervalMs * LENGTHENING);
  return longerMs >= choice.ms
    ? { interval: choice.ms, reason }
    : { interval: longerMs, reason: `${reason}; at most ${percent(LENGTHENING - 1)} longer at a time` };
}
