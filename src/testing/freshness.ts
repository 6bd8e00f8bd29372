import type { PlayedRun } from "./played-run.js";

/** Age of the data over time; ms. `null` where no run had succeeded. */
export interface Freshness {
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  readonly maxMs: number | null;
  /** The share of the time in which it was no older than the target; `null` without one. */
  readonly withinShare: number | null;
}

/** While data ages from one age to another, ms. */
interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Returns how old data was from the first success to an end: as old as the start of the last run that had succeeded. */
export function freshnessOf(runs: readonly PlayedRun[], until: number, maxAgeMs: number | null): Freshness {
  const good = runs.filter(({ status, endedAt }) => status === "succeeded" && endedAt <= until).sort((a, b) => a.endedAt - b.endedAt);
  const spans: Span[] = [];
  let [newest, total] = [Number.NEGATIVE_INFINITY, 0];
  for (const [index, { startedAt, endedAt }] of good.entries()) {
    newest = Math.max(newest, startedAt); // a run that started later may have ended earlier
    const end = good[index + 1]?.endedAt ?? until;
    spans.push({ fromMs: endedAt - newest, toMs: end - newest });
    total += end - endedAt;
  }
  if (total === 0) return { p50Ms: null, p99Ms: null, maxMs: null, withinShare: null };
  const shareWithin = (age: number) => spans.reduce((sum, { fromMs, toMs }) => sum + Math.max(0, Math.min(age, toMs) - fromMs), 0) / total;
  const maxMs = spans.reduce((most, { toMs }) => Math.max(most, toMs), 0);
  const quantile = (share: number) => {
    let [low, high] = [0, maxMs];
    while (high - low > 500) {
      const middle = (low + high) / 2;
      if (shareWithin(middle) >= share) high = middle;
      else low = middle;
    }
    return Math.round(high);
  };
  return { p50Ms: quantile(0.5), p99Ms: quantile(0.99), maxMs, withinShare: maxAgeMs === null ? null : shareWithin(maxAgeMs) };
}
