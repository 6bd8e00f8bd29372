/** One command: a scheduler that hands runs to BullMQ, and two workers that carry them out; one of them is killed on the way. */
import { type ChildProcess, spawn } from "node:child_process";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { bullmqExecutor } from "../../src/entry/bullmq.js";
import { createScheduler } from "../../src/index.js";
import { connection, pipelines } from "./pipelines.js";

const startWorker = (): ChildProcess =>
  spawn(process.execPath, ["--import", "tsx", fileURLToPath(new URL("worker.ts", import.meta.url))], { stdio: "inherit" });

const scheduler = createScheduler({ pipelines, executor: bullmqExecutor({ ...connection, pollInterval: "1s" }) });
scheduler.on("run.succeeded", ({ run }) =>
  console.log(`run ${run.id} by worker ${(run.output as { worker: number }).worker}, attempt ${run.attempt}`),
);
scheduler.on("run.retrying", ({ run }) =>
  console.log(`run ${run.id} failed, again at ${run.retryAt?.toISOString()}: ${run.error?.message}`),
);
/** Half the time, and longer on a busy machine: until a run has succeeded. */
const half = () =>
  Promise.all([wait(Number(process.env.EXAMPLE_SECONDS ?? 12) * 500), new Promise((resolve) => scheduler.once("run.succeeded", resolve))]);
const [first, second] = [startWorker(), startWorker()];
await scheduler.start();
await half();
console.log(`worker ${first.pid} is killed`);
first.kill("SIGKILL");
await half();
await scheduler.stop();
second.kill("SIGTERM");
