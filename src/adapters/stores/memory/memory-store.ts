import { type Duration, durationMs } from "../../../base/duration.js";
import { checkInteger, checkOptions, invalidArgument } from "../../../base/options.js";
import { countsOf } from "../../../trigger/retention.js";
import type { PrunedRecord } from "./history.js";
import { InMemory, type MemoryStore } from "./in-memory.js";

export type { MemoryStore } from "./in-memory.js";

/** Options of {@link memoryStore}. */
export interface MemoryStoreOptions {
  /**
   * The history that is kept: at most `count` (default 10,000), and `countPerPipeline` of each pipeline (default `null`: no limit but `count`), with at most `bytes` of parameters and
   * outputs (default 64 MiB), none older than `maxAge` (default `"30d"`). Beyond `count` the pipeline that has most loses its oldest, beyond `bytes` the oldest of all goes.
   */
  retention?: { count?: number; countPerPipeline?: number | null; bytes?: number; maxAge?: Duration };
  /** Called with everything that is removed. Default: nothing is called. */
  onPrune?: (forgotten: PrunedRecord) => void;
}

const ENDED_BYTES = 67_108_864;

/**
 * The default store: everything in this process's memory, nothing survives it. Bounded by its retention; answers under idempotency keys are kept up to 10,000 and 32 MiB.
 *
 * @throws HeadgateError `INVALID_ARGUMENT` unless the counts and `retention.bytes` are integers ≥ 0, `INVALID_DURATION`
 * @example
 * createScheduler({ pipelines, store: memoryStore({ retention: { count: 1_000, maxAge: "7d" } }) });
 */
export function memoryStore(options: MemoryStoreOptions = {}): MemoryStore {
  checkOptions(options, { retention: true, onPrune: true }, "memoryStore");
  if (options.retention !== undefined)
    checkOptions(options.retention, { count: true, countPerPipeline: true, bytes: true, maxAge: true }, "memoryStore: retention");
  const counts = countsOf(options.retention ?? {}, { count: 10_000 }, "memoryStore: retention");
  const bytes = options.retention?.bytes ?? ENDED_BYTES;
  checkInteger(bytes, { least: 0 }, "retention.bytes", invalidArgument("memoryStore"));
  return new InMemory({ ...counts, bytes, maxAgeMs: durationMs(options.retention?.maxAge ?? "30d", "retention.maxAge") }, options.onPrune);
}
