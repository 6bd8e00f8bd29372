/** Runs handed to BullMQ by headgate (each with a trigger, a decision and a run recorded) beside BullMQ used directly, at concurrency 50, side by side, in turns. */
import { Queue, QueueEvents, Worker } from "bullmq";
import { createScheduler, memoryStore, pipeline } from "headgate";
import { bullmqExecutor, createWorker } from "headgate/bullmq";
import { median, row } from "../support.js";

const RUNS = 5_000;
const ROUNDS = 3;
const CONCURRENCY = 50;
const redis = process.env.REDIS_URL ?? "redis://127.0.0.1:6379";
const connection = { url: redis, maxRetriesPerRequest: null };
const prefix = `headgate-bench-${process.pid}`;

/** Adds jobs, at most 50 under way, and waits for each one's result as an application does that must know it. */
async function direct(): Promise<{ rate: () => Promise<number>; close: () => Promise<void> }> {
  const queue = new Queue("direct", { connection, prefix });
  const events = new QueueEvents("direct", { connection, prefix });
  const worker = new Worker("direct", async ({ data }) => ({ n: data.n }), { connection, prefix, concurrency: CONCURRENCY });
  await Promise.all([queue.waitUntilReady(), events.waitUntilReady(), worker.waitUntilReady()]);
  queue.setMaxListeners(0);
  events.setMaxListeners(0);
  return {
    rate: async () => {
      const begin = performance.now();
      let next = 0;
      const one = async () => {
        while (next < RUNS) {
          const job = await queue.add("job", { n: next++ }, { attempts: 1, removeOnComplete: { age: 3_600 } });
          await job.waitUntilFinished(events);
        }
      };
      await Promise.all(Array.from({ length: CONCURRENCY }, one));
      return RUNS / ((performance.now() - begin) / 1_000);
    },
    close: async () => {
      await worker.close();
      await events.close();
      await queue.obliterate({ force: true });
      await queue.close();
    },
  };
}

async function throughHeadgate(): Promise<{ rate: () => Promise<number>; close: () => Promise<void> }> {
  const at = { redis, prefix, queue: "headgate" };
  const job = pipeline({ id: "job", execution: { maxActiveRuns: CONCURRENCY }, run: ({ parameters }) => ({ n: parameters.n }) });
  const scheduler = createScheduler({ pipelines: [job], store: memoryStore(), executor: bullmqExecutor(at), logger: { log: () => {} } });
  const worker = createWorker([job], { ...at, concurrency: CONCURRENCY });
  await Promise.all([scheduler.start(), worker.ready()]);
  return {
    rate: async () => {
      let left = RUNS;
      const begin = performance.now();
      const done = new Promise<void>((resolve) => {
        const end = scheduler.on("run.succeeded", () => {
          if (--left > 0) return;
          end();
          resolve();
        });
      });
      await Promise.all(Array.from({ length: RUNS }, (_, n) => scheduler.trigger("job", { parameters: { n } })));
      await done;
      return RUNS / ((performance.now() - begin) / 1_000);
    },
    close: async () => {
      await scheduler.stop({ drain: 0 });
      await worker.close();
      const queue = new Queue("headgate", { connection, prefix });
      await queue.obliterate({ force: true });
      await queue.close();
    },
  };
}

console.log("BullMQ on Redis, results awaited, concurrency 50, runs per second");
const [own, ours] = [await direct(), await throughHeadgate()];
await own.rate();
await ours.rate();
const rates: { own: number[]; ours: number[] } = { own: [], ours: [] };
for (let round = 0; round < ROUNDS; round++) {
  rates.own.push(await own.rate());
  rates.ours.push(await ours.rate());
}
const [bare, through] = [median(rates.own), median(rates.ours)];
row("BullMQ directly", Math.round(bare).toLocaleString("en"));
row("through headgate", Math.round(through).toLocaleString("en"), `${((through / bare) * 100).toFixed(0)} % of it; target 70`);
await ours.close();
await own.close();
process.exit(0);
