/** One worker of the queue: `worker.fixture.ts <settings as JSON>`. */
import { createWorker } from "../../src/entry/bullmq.js";
import { LogWriter } from "./log.js";
import type { NodeSettings } from "./orders.js";
import { LEASE_MS, PIPELINES, pipelinesOf } from "./pipelines.js";

const { node, log: path, redis } = JSON.parse(process.argv[2] ?? "{}") as NodeSettings;
const log = new LogWriter(path, node);
process.on("uncaughtExceptionMonitor", (error, origin) =>
  log.write({ line: "uncaught", text: `${origin}: ${error instanceof Error ? error.stack : String(error)}` }),
);
const specs = PIPELINES.filter(({ isQueued }) => isQueued === true);
const worker = createWorker(pipelinesOf(specs, log), {
  redis: redis ?? "",
  queue: "chaos",
  concurrency: 4,
  lockDuration: LEASE_MS,
  maxStalledCount: 20,
});
process.once("SIGTERM", async () => {
  await worker.close({ force: true });
  log.write({ line: "down", text: null });
  process.exit(0);
});
await worker.ready();
log.write({ line: "up", text: null });
process.send?.({ n: 0, value: "up", error: null });
