import { setTimeout as wait } from "node:timers/promises";

export const SILENT = { log: () => {} };

export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** Waits until something is so. */
export async function until(isSo: () => boolean, what: string, seconds = 300): Promise<void> {
  const end = performance.now() + seconds * 1_000;
  while (!isSo()) {
    if (performance.now() > end) throw new Error(`after ${seconds} s still not: ${what}`);
    await wait(1);
  }
}

/** Returns how long something took, ms. */
export async function timed(work: () => unknown): Promise<number> {
  const begin = performance.now();
  await work();
  return performance.now() - begin;
}

/** Does something so many times, `atOnce` at a time. */
export async function times(count: number, atOnce: number, work: (n: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, count) }, worker));
}

export function perSecond(count: number, ms: number): number {
  return (count * 1_000) / ms;
}

export function heapUsed(): number {
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed: used, arrayBuffers } = process.memoryUsage();
  return used + arrayBuffers;
}
