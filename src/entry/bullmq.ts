import { systemClock } from "../adapters/clocks/system-clock.js";
import { type BullmqWorker, type BullmqWorkerOptions, workerOn } from "../adapters/executors/bullmq/worker.js";
import { consoleLogger } from "../adapters/loggers/console-logger.js";
import type { Pipeline } from "../pipeline/pipeline.js";

export { type BullmqExecutorOptions, bullmqExecutor } from "../adapters/executors/bullmq/bullmq.js";
export type { BullmqConnection } from "../adapters/executors/bullmq/connection.js";
export type { BullmqWorker, BullmqWorkerOptions } from "../adapters/executors/bullmq/worker.js";

/**
 * Creates the other side of `bullmqExecutor`: executes runs with the `run` functions of the same pipelines, in a process of its own.
 *
 * @throws HeadgateError `INVALID_ARGUMENT`, `INVALID_DURATION`; `ready()` rejects with `MISSING_PEER`
 * @example
 * const worker = createWorker([daily, hourly], { redis: "redis://127.0.0.1:6379", concurrency: 20 });
 * process.once("SIGTERM", () => worker.close());
 */
export function createWorker(pipelines: readonly Pipeline[], options: BullmqWorkerOptions = {}): BullmqWorker {
  return workerOn({ clock: systemClock(), logger: consoleLogger() }, pipelines, options);
}
