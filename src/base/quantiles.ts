/** Distribution of measurements. Same unit as the measured values. */
export interface Quantiles {
  readonly count: number;
  readonly mean: number;
  readonly p50: number;
  readonly p95: number;
  readonly max: number;
}

/**
 * Returns the quantiles of numbers; `null` for none. A quantile is the smallest number that at least that share is not above (nearest rank).
 *
 * @see Hyndman and Fan, "Sample Quantiles in Statistical Packages", The American Statistician 50 (1996), definition 1
 */
export function quantilesOf(numbers: ArrayLike<number>): Quantiles | null {
  const count = numbers.length;
  if (count === 0) return null;
  const sorted = Float64Array.from(numbers).sort();
  let sum = 0;
  for (const one of sorted) sum += one;
  return { count, mean: sum / count, p50: quantile(sorted, 0.5), p95: quantile(sorted, 0.95), max: sorted[count - 1] as number };
}

/** @param sorted - ascending, at least one */
function quantile(sorted: ArrayLike<number>, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))] as number;
}
