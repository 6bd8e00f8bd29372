/** Triggers accepted, run and picked up on PostgreSQL, beside graphile-worker and pg-boss on the same server. */
import { setTimeout as wait } from "node:timers/promises";
import { makeWorkerUtils, run as runWorker } from "graphile-worker";
import { createScheduler, functionExecutor, pipeline } from "headgate";
import { postgresStore } from "headgate/postgres";
import pg from "pg";
import PgBoss from "pg-boss";
import { percentile, row } from "../support.js";

const URL = process.env.HEADGATE_TEST_DATABASE_URL ?? "postgres://postgres@127.0.0.1:5432/postgres";
const SCHEMAS = ["headgate_bench", "graphile_worker", "pgboss"];
const SILENT = { log: () => {} };

interface Peer {
  readonly name: string;
  /** Accepts one job. */
  add(): Promise<unknown>;
  addBulk(count: number): Promise<unknown>;
  /** Runs everything that waits; resolves when `count` jobs have run. */
  drain(count: number): Promise<void>;
  /** How long from asking to running, ms, at 50 a second. */
  pickUp(count: number): Promise<readonly number[]>;
  close(): Promise<void>;
}

async function headgate(): Promise<Peer> {
  let ran = 0;
  const asked = new Map<string, number>();
  const lags: number[] = [];
  const job = pipeline({
    id: "job",
    execution: { maxActiveRuns: 100_000 },
    run: ({ trigger }) => {
      ran++;
      const at = asked.get(trigger.reason ?? "");
      if (at !== undefined) lags.push(performance.now() - at);
    },
  });
  const store = () => postgresStore({ connectionString: URL, schema: "headgate_bench" });
  /** Accepts, and runs nothing: its executor has no room. */
  const front = createScheduler({ pipelines: [job], store: store(), logger: SILENT, node: "front", maxActiveRuns: 1 });
  await front.start();
  await front.pause();
  let worker: ReturnType<typeof createScheduler> | null = null;
  const start = async () => {
    await front.resume();
    await front.pause({ pipelineId: "job" });
    await front.stop();
  };
  return {
    name: "headgate",
    add: () => front.trigger("job"),
    addBulk: (count) => Promise.all(Array.from({ length: count }, () => front.trigger("job"))),
    drain: async (count) => {
      ran = 0;
      await start();
      worker = createScheduler({
        pipelines: [job],
        store: store(),
        logger: SILENT,
        node: "worker",
        executor: functionExecutor({ concurrency: 1_000 }),
      });
      await worker.start();
      await worker.resume({ pipelineId: "job" });
      while (ran < count) await wait(10);
    },
    pickUp: async (count) => {
      for (let n = 0; n < count; n++) {
        const reason = `n${n}`;
        asked.set(reason, performance.now());
        void worker?.trigger("job", { reason });
        await wait(20);
      }
      await wait(500);
      return lags;
    },
    close: async () => worker?.stop(),
  };
}

async function graphile(): Promise<Peer> {
  const pool = new pg.Pool({ connectionString: URL, max: 20 });
  const utils = await makeWorkerUtils({ pgPool: pool });
  await utils.migrate();
  let ran = 0;
  const lags: number[] = [];
  let runner: Awaited<ReturnType<typeof runWorker>> | null = null;
  const taskList = {
    job: (payload: unknown) => {
      ran++;
      const { at } = (payload ?? {}) as { at?: number };
      if (at !== undefined) lags.push(performance.now() - at);
    },
  };
  return {
    name: "graphile-worker",
    add: () => utils.addJob("job", {}),
    addBulk: (count) => utils.addJobs(Array.from({ length: count }, () => ({ identifier: "job", payload: {} }))),
    drain: async (count) => {
      ran = 0;
      runner = await runWorker({ pgPool: pool, concurrency: 10, taskList, noHandleSignals: true, logger: silentLogger() });
      while (ran < count) await wait(10);
    },
    pickUp: async (count) => {
      for (let n = 0; n < count; n++) {
        void utils.addJob("job", { at: performance.now() });
        await wait(20);
      }
      await wait(500);
      return lags;
    },
    close: async () => {
      await runner?.stop();
      await utils.release();
      await pool.end();
    },
  };
}

function silentLogger() {
  const nothing = () => {};
  return Object.assign(Object.create(null), { error: nothing, warn: nothing, info: nothing, debug: nothing, scope: silentLogger }) as never;
}

async function boss(): Promise<Peer> {
  const one = new PgBoss({ connectionString: URL, max: 20 });
  one.on("error", () => {});
  await one.start();
  await one.createQueue("job");
  let ran = 0;
  const lags: number[] = [];
  return {
    name: "pg-boss",
    add: () => one.send("job", {}),
    addBulk: (count) => one.insert(Array.from({ length: count }, () => ({ name: "job" }))),
    drain: async (count) => {
      ran = 0;
      await one.work("job", { batchSize: 100, pollingIntervalSeconds: 0.5 }, async (jobs) => {
        for (const { data } of jobs) {
          ran++;
          const { at } = (data ?? {}) as { at?: number };
          if (at !== undefined) lags.push(performance.now() - at);
        }
      });
      while (ran < count) await wait(10);
    },
    pickUp: async (count) => {
      for (let n = 0; n < count; n++) {
        void one.send("job", { at: performance.now() });
        await wait(20);
      }
      await wait(1_500);
      return lags;
    },
    close: () => one.stop({ graceful: false }),
  };
}

async function clean(): Promise<void> {
  const client = new pg.Client({ connectionString: URL });
  await client.connect();
  for (const schema of SCHEMAS) await client.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
  await client.end();
}

const rate = async (count: number, work: () => Promise<unknown>) => {
  const begin = performance.now();
  await work();
  return Math.round((count * 1_000) / (performance.now() - begin)).toLocaleString("en");
};

console.log("PostgreSQL, default durability, per second");
await clean();
for (const make of [headgate, graphile, boss]) {
  const peer = await make();
  const sequential = await rate(1_500, async () => {
    for (let n = 0; n < 1_500; n++) await peer.add();
  });
  const concurrent = await rate(6_400, () =>
    Promise.all(
      Array.from({ length: 32 }, async () => {
        for (let n = 0; n < 200; n++) await peer.add();
      }),
    ),
  );
  const bulk = await rate(20_000, () => peer.addBulk(20_000));
  const total = 1_500 + 6_400 + 20_000;
  const drained = peer.name === "pg-boss" ? 4_000 : total;
  const ended = await rate(drained, () => peer.drain(drained));
  if (peer.name === "pg-boss") await wait(2_000);
  row(`${peer.name}: accepted one by one / 32 at once / in bulk`, `${sequential} / ${concurrent} / ${bulk}`);
  row(`${peer.name}: run end to end`, ended, peer.name === "headgate" ? "target 6,000; each with a decision and a run recorded" : "");
  const lags = peer.name === "pg-boss" ? [] : await peer.pickUp(300);
  if (lags.length > 0)
    row(
      `${peer.name}: pick-up at 50 a second`,
      `p50 ${percentile(lags, 0.5).toFixed(1)} ms`,
      `p99 ${percentile(lags, 0.99).toFixed(1)} ms`,
    );
  await peer.close();
}
await clean();
process.exit(0);
