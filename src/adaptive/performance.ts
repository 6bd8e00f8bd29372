import { type Quantiles, quantilesOf } from "../base/quantiles.js";
import type { RunRecord } from "../run/run.js";

/** One run that has ended, as tuners see it. Instants are epoch ms. */
export interface RunSample {
  readonly startedAt: number;
  readonly endedAt: number;
  readonly isSuccess: boolean;
  /** Attempts beyond the first. */
  readonly retries: number;
  /** Number of records processed, as the run reported in `{ metrics: { records } }`; `null` when it reported none. */
  readonly records: number | null;
}

/** Load of the machine and of the queue. */
export interface Load {
  /** Share of the processors' time that was taken, 0 to 1; `null` when it is not known. */
  readonly cpu: number | null;
  /** Share of the memory that is taken, 0 to 1. */
  readonly memory: number | null;
  /** Triggers that wait, over all pipelines. */
  readonly queueLength: number | null;
}

/** Recent performance, the input of a tuner. Lengths in ms. */
export interface Performance extends Load {
  /** The runs in the window, oldest first. */
  readonly samples: readonly RunSample[];
  /** Share of the runs that succeeded, 0 to 1; `null` when there were none. */
  readonly successRate: number | null;
  /** Of all runs in the window, retries and the waits between them included. */
  readonly duration: Quantiles | null;
  /** Records of the newest run that said, and per run on average. */
  readonly lastRecords: number | null;
  readonly meanRecords: number | null;
  /** Change in records from the older to the newer half of the runs: 0.5 is half as many again. `null` with fewer than four that reported them. */
  readonly recordsTrend: number | null;
}

const NO_LOAD: Load = Object.freeze({ cpu: null, memory: null, queueLength: null });

/** Returns the performance of runs, which must be sorted oldest first. */
export function performanceOf(samples: readonly RunSample[], load: Load = NO_LOAD): Performance {
  const records: number[] = [];
  let succeeded = 0;
  for (const one of samples) {
    if (one.isSuccess) succeeded++;
    if (one.records !== null) records.push(one.records);
  }
  const half = Math.floor(records.length / 2);
  const [older, newer] = [mean(records, 0, half), mean(records, records.length - half)];
  let duration: Quantiles | null | undefined;
  return {
    ...load,
    samples,
    successRate: samples.length === 0 ? null : succeeded / samples.length,
    get duration() {
      duration ??= quantilesOf(samples.map(({ startedAt, endedAt }) => endedAt - startedAt)); // sorts, which few tuners need
      return duration;
    },
    lastRecords: records.at(-1) ?? null,
    meanRecords: mean(records),
    recordsTrend: records.length < 4 || older === null || newer === null || older === 0 ? null : newer / older - 1,
  };
}

/** A run as a tuner sees it; `null` for one that is active, or that somebody cancelled. */
export function sampleOf(run: Pick<RunRecord, "status" | "startedAt" | "endedAt" | "attempt" | "output">): RunSample | null {
  const { status, startedAt, endedAt, attempt, output } = run;
  if (endedAt === null || status === "cancelled" || status === "running" || status === "retrying") return null;
  return { startedAt, endedAt, isSuccess: status === "succeeded", retries: attempt - 1, records: recordsOf(output) };
}

function recordsOf(output: unknown): number | null {
  const records = (output as { metrics?: { records?: unknown } } | null | undefined)?.metrics?.records;
  return typeof records === "number" && Number.isFinite(records) && records >= 0 ? records : null;
}

function mean(numbers: readonly number[], from = 0, to = numbers.length): number | null {
  let sum = 0;
  for (let n = from; n < to; n++) sum += numbers[n] as number;
  return to <= from ? null : sum / (to - from);
}
