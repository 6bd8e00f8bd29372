import { closeSync, fdatasyncSync, openSync, writeSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { median } from "./support.js";

/** What else the machine does. */
export interface Load {
  /** Of the last minute, this benchmark included. */
  readonly average: number;
  /** Processors that others use while this process does nothing. */
  readonly others: number;
}

const SAMPLES = 4;
const SAMPLE_MS = 1_000;
/** The share of all processors that others may use. */
const QUIET = 0.1;

/** Looks at the processors while this process waits; a second more when something just ends, such as a checkpoint. */
export async function measureLoad(): Promise<Load> {
  let others = Number.POSITIVE_INFINITY;
  for (let sample = 0; sample < SAMPLES && isBusy(others); sample++) others = Math.min(others, await busyProcessors());
  return { average: loadavg()[0] ?? 0, others };
}

async function busyProcessors(): Promise<number> {
  const before = busyMs();
  const begin = performance.now();
  await wait(SAMPLE_MS);
  return (busyMs() - before) / (performance.now() - begin);
}

function busyMs(): number {
  return cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0);
}

function isBusy(others: number): boolean {
  return others > QUIET * cpus().length;
}

/** Says why figures taken between the two looks deserve no verdict; `null` where they do. */
export function disturbance(before: Load, after: Load): string | null {
  const others = Math.max(before.others, after.others);
  return isBusy(others) ? `others used ${others.toFixed(1)} of ${cpus().length} processors` : null;
}

export function describeMachine(folder: string): string {
  const disk = `a commit of 8 kB to the disk takes ${syncMs(join(folder, "sync")).toFixed(2)} ms`;
  return `Node ${process.version}, ${process.platform}, ${cpus().length} × ${cpus()[0]?.model.trim() ?? "unknown"}, ${disk}`;
}

/** The median time of a synchronous write: what a commit cannot be faster than. */
function syncMs(file: string): number {
  const fd = openSync(file, "w");
  const page = Buffer.alloc(8_192, 1);
  const times = Array.from({ length: 50 }, (_, n) => {
    const begin = performance.now();
    writeSync(fd, page, 0, page.length, n * page.length);
    fdatasyncSync(fd);
    return performance.now() - begin;
  });
  closeSync(fd);
  return median(times);
}
