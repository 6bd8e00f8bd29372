/** One node: `node.fixture.ts <settings as JSON>`. Takes orders over IPC, ends on SIGTERM, and writes down what it really does. */
import { setTimeout as wait } from "node:timers/promises";
import { bullmqExecutor } from "../../src/entry/bullmq.js";
import { storeFromUrl } from "../../src/entry/store-from-url.js";
import { createScheduler, type EventName, HeadgateError, systemClock } from "../../src/index.js";
import { LogWriter } from "./log.js";
import { observedStore } from "./observed-store.js";
import type { NodeSettings, Order, Reply } from "./orders.js";
import { DRAIN_MS, GLOBAL_LIMIT, GRACE_MS, LEASE_MS, PIPELINES, POOLS, pipelinesOf } from "./pipelines.js";

const { url, node, log: path, redis } = JSON.parse(process.argv[2] ?? "{}") as NodeSettings;
const log = new LogWriter(path, node);
process.on("uncaughtExceptionMonitor", (error, origin) =>
  log.write({ line: "uncaught", text: `${origin}: ${error instanceof Error ? error.stack : String(error)}` }),
);

const clock = systemClock();
let aheadMs = 0;
const specs = PIPELINES.filter(({ isQueued }) => isQueued !== true || redis !== null);
const scheduler = createScheduler({
  pipelines: pipelinesOf(specs, log),
  ...(redis === null ? {} : { executors: { queue: bullmqExecutor({ redis, queue: "chaos", pollInterval: "500ms" }) } }),
  store: observedStore(storeFromUrl(url), log),
  node,
  clock: { ...clock, now: () => clock.now() + aheadMs },
  pools: POOLS,
  maxActiveRuns: GLOBAL_LIMIT,
  leaseDuration: LEASE_MS,
  cancelGracePeriod: GRACE_MS,
  misfireThreshold: "1s",
  maxTimerDelay: "1s",
  logger: { log: () => {} },
});

const EVENTS: readonly EventName[] = [
  "run.late_result",
  "run.lost",
  "run.unresponsive",
  "clock.jumped",
  "clock.skewed",
  "store.unavailable",
  "store.recovered",
  "sensor.failed",
  "error",
];
for (const name of EVENTS)
  scheduler.on(name, (event) => {
    const { run, runId, attempt, error, where } = event as {
      run?: { id: string; attempt: number };
      runId?: string;
      attempt?: number;
      error?: Error | string;
      where?: string;
    };
    const message = error instanceof Error ? error.message : (error ?? null);
    const text = where === undefined ? message : `${where}: ${message}`;
    log.write({ line: "event", name, run: run?.id ?? runId ?? null, attempt: run?.attempt ?? attempt ?? null, text });
  });

/** Does what an order says; an answer is what the scheduler has confirmed. */
async function obey(order: Order): Promise<unknown> {
  const caller = { caller: { token: "chaos" } };
  switch (order.order) {
    case "trigger":
      return (await scheduler.trigger(order.pipeline, order.options)).id;
    case "cancel":
      return void (await scheduler.cancel(order.id, caller));
    case "pause":
      return void (await scheduler.pause({ pipelineId: order.pipeline, reason: order.reason, ...caller }));
    case "resume":
      return scheduler.resume({ pipelineId: order.pipeline, ...caller });
    case "change":
      return void (await scheduler.settings.change(order.pipeline, order.change, caller));
    case "clock":
      aheadMs = order.aheadMs;
      return null;
    case "block": {
      const until = performance.now() + order.ms;
      while (performance.now() < until); // a function that computes without ever waiting
      return null;
    }
  }
}

process.on("message", (order: Order) => {
  const reply = (answer: Reply) => void process.send?.(answer, undefined, {}, () => {}); // whoever asked may be gone
  obey(order).then(
    (value) => reply({ n: order.n, value, error: null }),
    (error: unknown) => reply({ n: order.n, value: null, error: error instanceof HeadgateError ? error.code : String(error) }),
  );
});
let isStopping = false;
process.once("SIGTERM", async () => {
  isStopping = true;
  await scheduler.stop({ drain: DRAIN_MS });
  log.write({ line: "down", text: null });
  process.exit(0);
});

/** Starts; a store that is away is tried again, as a supervisor would. False when SIGTERM came first. */
async function started(): Promise<boolean> {
  for (;;) {
    try {
      await scheduler.start();
      return true;
    } catch (error) {
      log.write({ line: "event", name: "start.failed", run: null, attempt: null, text: String(error) });
      if (!(error instanceof HeadgateError)) throw error;
      if (isStopping) return false;
      await wait(300);
    }
  }
}

if (await started()) {
  log.write({ line: "up", text: null });
  process.send?.({ n: 0, value: "up", error: null } satisfies Reply);
}
