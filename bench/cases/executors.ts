/** Runs handed to BullMQ by headgate (each with a trigger, a decision and a run recorded) beside BullMQ used directly, at concurrency 50. */
import { Queue, QueueEvents, Worker } from "bullmq";
import { createScheduler, memoryStore, pipeline } from "headgate";
import { bullmqExecutor, createWorker } from "headgate/bullmq";
import type { MakeCase } from "../model.js";
import { perSecond, SILENT, timed, times } from "../support.js";

const CONCURRENCY = 50;
const WARM_UP = 500;

interface Way {
  work(count: number): Promise<void>;
  close(): Promise<void>;
}

/** Adds jobs, at most 50 at once, and waits for each one's result as an application does that must know it. */
async function direct(redis: string, prefix: string): Promise<Way> {
  const connection = { url: redis, maxRetriesPerRequest: null };
  const queue = new Queue("direct", { connection, prefix });
  const events = new QueueEvents("direct", { connection, prefix });
  const worker = new Worker("direct", async ({ data }) => ({ n: data.n }), { connection, prefix, concurrency: CONCURRENCY });
  await Promise.all([queue.waitUntilReady(), events.waitUntilReady(), worker.waitUntilReady()]);
  queue.setMaxListeners(0);
  events.setMaxListeners(0);
  return {
    work: (count) =>
      times(count, CONCURRENCY, async (n) => {
        const job = await queue.add("job", { n }, { attempts: 1, removeOnComplete: { age: 3_600 } });
        await job.waitUntilFinished(events);
      }),
    close: async () => {
      await worker.close();
      await events.close();
      await queue.obliterate({ force: true });
      await queue.close();
    },
  };
}

async function throughHeadgate(redis: string, prefix: string): Promise<Way> {
  const at = { redis, prefix, queue: "headgate" };
  const job = pipeline({ id: "job", execution: { maxActiveRuns: CONCURRENCY }, run: ({ parameters }) => ({ n: parameters.n }) });
  const scheduler = createScheduler({ pipelines: [job], store: memoryStore(), executor: bullmqExecutor(at), logger: SILENT });
  const worker = createWorker([job], { ...at, concurrency: CONCURRENCY });
  await Promise.all([scheduler.start(), worker.ready()]);
  return {
    work: async (count) => {
      let left = count;
      const done = new Promise<void>((resolve) => {
        const end = scheduler.on("run.succeeded", () => {
          if (--left > 0) return;
          end();
          resolve();
        });
      });
      await Promise.all(Array.from({ length: count }, (_, n) => scheduler.trigger("job", { parameters: { n } })));
      await done;
    },
    close: async () => {
      await scheduler.stop({ drain: 0 });
      await worker.close();
      const queue = new Queue("headgate", { connection: { url: redis, maxRetriesPerRequest: null }, prefix });
      await queue.obliterate({ force: true });
      await queue.close();
    },
  };
}

const makeCase: MakeCase = ({ redis, isShort }) => {
  const count = isShort ? 200 : 5_000;
  const prefix = `headgate-bench-${process.pid}`;
  const turn = (open: typeof direct) => async () => {
    const way = await open(redis, prefix);
    await way.work(WARM_UP);
    const ms = await timed(() => way.work(count));
    await way.close();
    return { rate: perSecond(count, ms) };
  };
  return {
    title: `BullMQ on Redis, results awaited, concurrency ${CONCURRENCY}`,
    measures: [{ name: "rate", unit: "runs per s", better: "higher" }],
    participants: [
      { name: "headgate", targets: { rate: { ratio: 0.7 } }, turn: turn(throughHeadgate) },
      { name: "BullMQ directly", isReference: true, turn: turn(direct) },
    ],
    rounds: isShort ? 1 : 3,
  };
};
export default makeCase;
