/** One worker: takes jobs until SIGTERM. */
import { createWorker } from "../../src/entry/bullmq.js";
import { consoleLogger } from "../../src/index.js";
import { connection, pipelines } from "./pipelines.js";

const worker = createWorker(pipelines, { ...connection, concurrency: 4, lockDuration: "3s", logger: consoleLogger({ level: "error" }) });
await worker.ready();
console.log(`worker ${process.pid} is ready`);
process.once("SIGTERM", async () => {
  await worker.close();
  process.exit(0);
});
