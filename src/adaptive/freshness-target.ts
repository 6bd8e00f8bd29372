import { type Duration, durationMs, formatDuration } from "../base/duration.js";
import { HeadgateError } from "../base/errors.js";
import { checkOptions } from "../base/options.js";
import type { RunSample } from "./performance.js";
import { percent, type Tuner } from "./tuner.js";

/** Options of {@link freshnessTarget}. */
export interface FreshnessTargetOptions {
  /** How old data may be. */
  maxAge: Duration;
  /** In which share of the time it must not be older, over 0 to 1. Default 0.99. */
  share?: number;
}

/** Intervals that are tried, each this part of the one before. */
const STEP = 0.98;
const SHORTEST_PART = 1_000;

/**
 * Chooses the longest interval that keeps a promise: data at most `maxAge` old, in `share` of the time. It plays the runs of the window again at other intervals, with
 * the durations, failures and retries that they had, and sees how old the data would have been. Data is as old as the start of the last run that succeeded.
 *
 * @throws HeadgateError `INVALID_ARGUMENT`, `INVALID_DURATION`
 * @example
 * adaptive({ base: "1h", min: "5m", max: "12h", tuner: freshnessTarget({ maxAge: "3h", share: 0.99 }), window: { runs: 100 } });
 */
export function freshnessTarget(options: FreshnessTargetOptions): Tuner {
  checkOptions(options, { maxAge: true, share: true }, "freshnessTarget");
  const { share = 0.99 } = options;
  const maxAgeMs = durationMs(options.maxAge, "freshnessTarget: maxAge");
  if (maxAgeMs < 1_000) throw new HeadgateError("INVALID_ARGUMENT", "freshnessTarget: maxAge must be at least 1 s");
  if (!(share > 0 && share <= 1))
    throw new HeadgateError("INVALID_ARGUMENT", `freshnessTarget: share ${share} must be over 0 and at most 1`);
  return ({ samples, successRate, duration }, intervalMs) => {
    if (successRate === null || successRate === 0 || duration === null) return { interval: intervalMs, reason: "no run has succeeded" };
    const failures = samples.filter(({ isSuccess }) => !isSuccess).length;
    const seen = `${samples.length} runs, ${failures} failed, p95 ${formatDuration(Math.round(duration.p95))}`;
    const promise = `at most ${formatDuration(maxAgeMs)} old in ${percent(share)} of the time`;
    let best = { interval: intervalMs, kept: -1 };
    for (let interval = maxAgeMs; interval >= maxAgeMs / SHORTEST_PART; interval *= STEP) {
      const kept = freshShare(samples, interval, maxAgeMs);
      if (kept >= share) {
        const rounded = Math.max(1, Math.floor(interval));
        return { interval: rounded, reason: `every ${formatDuration(rounded)} keeps it ${promise} (${percent(kept)}; ${seen})` };
      }
      if (kept > best.kept) best = { interval, kept };
    }
    const nearest = Math.max(1, Math.floor(best.interval));
    return {
      interval: nearest,
      reason: `no interval keeps it ${promise}: every ${formatDuration(nearest)} comes nearest (${percent(best.kept)}; ${seen})`,
    };
  };
}

/**
 * The share of the time in which data would have been no older than `maxAgeMs`, had these runs been started every `intervalMs`, one at a time, over and over.
 */
export function freshShare(samples: readonly RunSample[], intervalMs: number, maxAgeMs: number): number {
  let [total, stale] = [0, 0];
  let startAt = 0;
  /** Start and end of the last run that succeeded. */
  let last: { readonly startedAt: number; readonly endedAt: number } | null = null;
  for (let turn = 0; turn < 2; turn++) {
    for (const { startedAt, endedAt, isSuccess } of samples) {
      const endAt = startAt + (endedAt - startedAt);
      if (isSuccess) {
        if (last !== null) {
          total += endAt - last.endedAt;
          stale += Math.max(0, endAt - Math.max(last.startedAt + maxAgeMs, last.endedAt));
        }
        last = { startedAt: startAt, endedAt: endAt };
      }
      startAt = endAt <= startAt + intervalMs ? startAt + intervalMs : startAt + intervalMs * Math.ceil((endAt - startAt) / intervalMs);
    }
  }
  return total === 0 ? 1 : 1 - stale / total;
}
