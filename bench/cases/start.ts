/** Many pipelines: how long `start()` takes, new and again, how much heap each holds, what an idle scheduler costs. */
import { setTimeout as wait } from "node:timers/promises";
import { Cron } from "croner";
import { createScheduler, cron, pipeline } from "headgate";
import type { MakeCase, Participant } from "../model.js";
import { type StoreKind, storeKinds } from "../stores.js";
import { heapUsed, SILENT, timed } from "../support.js";

const ZONE = "Europe/Berlin"; // with daylight saving
const run = () => {};
const expressionOf = (n: number) => `${n % 60} ${n % 24} * * *`;
/** Microseconds a pipeline: 100,000 in 1 s in memory, in 2 s in a database. */
const TARGET_US = { memory: 10, SQLite: 20, PostgreSQL: 20 };

function participant({ name, make }: StoreKind, count: number, idleMs: number): Participant {
  return {
    name: "headgate",
    group: name,
    targets: { start: { value: TARGET_US[name] }, "start again": { value: TARGET_US[name] }, heap: { value: 1_500 } },
    turn: async () => {
      const place = make();
      const before = heapUsed();
      const begin = performance.now();
      const pipelines = Array.from({ length: count }, (_, n) =>
        pipeline({ id: `pipeline-${n}`, schedule: cron(expressionOf(n), { timeZone: ZONE }), run }),
      );
      const store = place.open();
      const first = createScheduler({ pipelines, store, logger: SILENT });
      await first.start();
      const startMs = performance.now() - begin;
      const heap = (heapUsed() - before) / count;
      const cpu = process.cpuUsage();
      await wait(idleMs);
      const { user, system } = process.cpuUsage(cpu);
      await first.stop();
      const again = createScheduler({ pipelines, store: name === "memory" ? store : place.open(), logger: SILENT });
      const againMs = await timed(() => again.start());
      await again.stop();
      await place.remove();
      const us = (ms: number) => (ms * 1_000) / count;
      return { start: us(startMs), "start again": us(againMs), heap, "idle processor": (user + system) / 10 / idleMs };
    },
  };
}

function croner(count: number): Participant {
  return {
    name: `croner, ${count.toLocaleString("en")}`,
    group: "memory",
    isReference: true,
    remark: "100,000 of them do not fit into the default heap",
    turn: async () => {
      const before = heapUsed();
      const begin = performance.now();
      const jobs = Array.from({ length: count }, (_, n) => new Cron(expressionOf(n), { timezone: ZONE }, run));
      const ms = performance.now() - begin;
      const heap = (heapUsed() - before) / count;
      for (const job of jobs) job.stop();
      return { start: (ms * 1_000) / count, heap };
    },
  };
}

const makeCase: MakeCase = (options) => {
  const [count, peers, idleMs] = options.isShort ? [1_000, 100, 500] : [100_000, 10_000, 5_000];
  return {
    title: `start() with ${count.toLocaleString("en")} pipelines`,
    measures: [
      { name: "start", unit: "µs a pipeline", better: "lower" },
      { name: "start again", unit: "µs a pipeline", better: "lower" },
      { name: "heap", unit: "bytes a pipeline", better: "lower" },
      { name: "idle processor", unit: "%", better: "lower" },
    ],
    participants: [...storeKinds(options).map((kind) => participant(kind, count, idleMs)), croner(peers)],
    rounds: options.isShort ? 1 : 3,
  };
};
export default makeCase;
