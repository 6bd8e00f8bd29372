/** Processes of the load tests: `load.fixture.ts <what> <store url> [number]`. Prints one line of JSON when it is done. */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createTriggerApi, nodeTriggerApi } from "../../src/adapters/http/index.js";
import { prometheusMetrics } from "../../src/adapters/metrics/prometheus.js";
import { storeFromUrl } from "../../src/entry/store-from-url.js";
import { createScheduler, every, type Pipeline, pipeline, queueBacklog } from "../../src/index.js";

const [what = "", url = "", count = "0"] = process.argv.slice(2);
const MB = 1_000_000;

const started = (pipelines: readonly Pipeline[], rest: object = {}) => {
  const scheduler = createScheduler({ pipelines, store: storeFromUrl(url), logger: { log: () => {} }, ...rest });
  return { scheduler, ready: scheduler.start() };
};

/** The most processor time of the main thread between two turns of the event loop, ms: what others do on this machine is not counted. */
function watchLoop(): () => number {
  let longest = 0;
  let last = usedMs();
  let isOver = false;
  const look = () => {
    const now = usedMs();
    longest = Math.max(longest, now - last);
    last = now;
    if (!isOver) setImmediate(look);
  };
  look();
  return () => {
    isOver = true;
    return longest;
  };
}

/** Processor time of the main thread; where the system does not say, of all threads. */
function usedMs(): number {
  try {
    return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, "utf8").split(" ")[0]) / 1e6;
  } catch {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1_000;
  }
}

function signal(): { readonly promise: Promise<void>; resolve(): void } {
  let resolve = () => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

/** One request of 1 MB for 10,000 fire times. */
async function backfill(): Promise<unknown> {
  const { scheduler, ready } = started([pipeline({ id: "a", schedule: every("1m"), run: () => {} })]);
  await ready;
  await scheduler.pause({ pipelineId: "a" });
  const api = createTriggerApi(scheduler, {
    adminToken: "a-token-of-the-load-tests",
    queueLimits: { pipeline: { count: 20_000 }, token: { count: 20_000 } },
  });
  const ask = (from: string, to: string, text: string) =>
    api.fetch(
      new Request("http://x/api/v1/pipelines/a/backfill", {
        method: "POST",
        headers: { authorization: "Bearer a-token-of-the-load-tests", "content-type": "application/json" },
        body: JSON.stringify({ from, to, parameters: { text } }),
      }),
    );
  await ask("2024-01-01T00:00:00Z", "2024-01-03T00:00:00Z", "small"); // what is loaded, and how young objects are kept, is not its cost
  globalThis.gc?.();
  const before = process.memoryUsage.rss();
  const longest = watchLoop();
  const reply = await ask("2025-01-01T00:00:00Z", "2025-01-07T22:40:00Z", "x".repeat(MB - 100));
  const body = await reply.text();
  const blockedMs = longest();
  const rss = process.memoryUsage.rss() - before;
  const waiting = (await scheduler.statistics.get("a")).queue.length;
  const more = (await scheduler.triggers({ limit: 100 })).items;
  const isShared = more.every(({ parameters }) => parameters === more[0]?.parameters);
  await scheduler.stop({ drain: 0 });
  return { status: reply.status, waiting, isShared, blockedMs, rss, answer: body.length };
}

/** Looks at a long queue of large parameters in every way that there is, and works it off. */
async function poison(): Promise<unknown> {
  let done = 0;
  const reached = signal();
  const work = pipeline({
    id: "a",
    execution: { maxActiveRuns: 20 },
    run: ({ parameters }) => {
      if ((parameters as { text: string }).text.length > MB / 2 && ++done === Number(count)) reached.resolve();
    },
  });
  const { scheduler, ready } = started([work], { monitoring: { rules: [queueBacklog({ length: 10 })] } });
  await ready;
  for (let round = 0; round < 5; round++) await scheduler.alerts.evaluate();
  const alerts = (await scheduler.alerts.list()).length;
  const { length } = (await scheduler.statistics.total()).queue;
  await scheduler.explain("a");
  await prometheusMetrics(scheduler).metrics();
  const light = (await scheduler.triggers({ limit: 1_000, valueLimit: 1_000 })).items;
  await scheduler.resume({ pipelineId: "a" });
  await reached.promise;
  await scheduler.stop();
  return { alerts, length, omitted: light.filter(({ omitted }) => omitted?.includes("parameters")).length, done };
}

/** A backlog of quick runs; counts how often the event loop turned between two of them, and ends on SIGTERM. */
async function quick(): Promise<unknown> {
  let turns = 0;
  const count_ = () => {
    turns++;
    setImmediate(count_);
  };
  let done = 0;
  let starved = 0;
  let seen = -1;
  const all = signal();
  const one = pipeline({
    id: "a",
    schedule: every("1m"),
    run: () => {
      if (turns === seen) starved++;
      seen = turns;
      if (++done === 10) console.log("working");
      if (done === Number(count)) all.resolve();
    },
  });
  const { scheduler, ready } = started([one]);
  await ready;
  const isStopped = new Promise<void>((resolve) => process.once("SIGTERM", () => resolve()));
  setImmediate(count_);
  const server = createServer(nodeTriggerApi(createTriggerApi(scheduler, { adminToken: null }))).listen(0, "127.0.0.1");
  await once(server, "listening");
  let answers = 0;
  const ask = async () => {
    while (done < Number(count)) {
      const { status } = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/health`);
      if (status === 200 && done > 0 && done < Number(count)) answers++;
    }
  };
  void ask().catch((error: unknown) => console.error(error));
  await scheduler.backfill("a", { from: 0, to: Number(count) * 60_000 });
  await Promise.race([all.promise, isStopped]);
  const atEnd = done;
  await scheduler.stop({ drain: 0 });
  return { done: atEnd, starved, isServed: answers > 5 };
}

const result = await (what === "backfill" ? backfill() : what === "poison" ? poison() : quick());
console.log(JSON.stringify(result));
process.exit(0);
