/** Statistics and alert evaluation for many pipelines, and a backtest of many runs. */
import { adaptive, createScheduler, defaultRules, memoryStore, performanceBased, pipeline } from "headgate";
import { backtest, type HistoricalRun } from "headgate/testing";
import { RunWindow } from "../../src/monitor/statistics.js";
import { row } from "../support.js";

const PIPELINES = 10_000;
const RUNS_EACH = 60;
const MINUTE = 60_000;
const HISTORY = 100_000;

const bytes = () => {
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
};

async function statistics(): Promise<void> {
  const pipelines = Array.from({ length: PIPELINES }, (_, n) =>
    pipeline({ id: `p${n}`, sla: "1h", alertOn: ["failure", "sla_miss"], execution: { maxActiveRuns: 100 }, run: () => {} }),
  );
  const store = memoryStore({ retention: { count: 2 * PIPELINES } });
  const sent = { name: "none", send: async () => {} };
  const scheduler = createScheduler({
    pipelines,
    store,
    logger: { log: () => {} },
    monitoring: { rules: defaultRules(), channels: [sent], every: "1h" },
  });
  await scheduler.start();
  for (let round = 0; round < RUNS_EACH; round++) {
    const done = new Promise<void>((resolve) => {
      let left = PIPELINES;
      const end = scheduler.on("run.succeeded", () => {
        if (--left > 0) return;
        end();
        resolve();
      });
    });
    await Promise.all(pipelines.map(({ id }) => scheduler.trigger(id)));
    await done;
    await scheduler.alerts.evaluate();
  }
  const times: number[] = [];
  for (let round = 0; round < 20; round++) {
    await Promise.all(pipelines.slice(0, 500).map(({ id }) => scheduler.trigger(id))); // some have news each time
    await new Promise((resolve) => setTimeout(resolve, 200));
    const begin = performance.now();
    await scheduler.alerts.evaluate();
    times.push(performance.now() - begin);
  }
  times.sort((a, b) => a - b);
  row(
    "a round of statistics and alerts for 10,000 pipelines, median",
    `${times[10]?.toFixed(0)} ms`,
    `target 100; slowest of 20 ${times.at(-1)?.toFixed(0)} ms`,
  );
  await scheduler.stop({ drain: 0 });
}

/** What is kept of one pipeline, whose runs are spread over more than the window and who is skipped now and then. */
function memory(): void {
  const findings = ["business day", "stale", "healthy"].map((condition) => ({ condition, result: "pass", reason: "" }));
  const before = bytes();
  const windows = Array.from({ length: PIPELINES }, () => new RunWindow({ lengthMs: 24 * 60 * MINUTE, timings: 40 }));
  for (const one of windows)
    for (let n = 0; n < RUNS_EACH; n++) {
      const endedAt = n * 30 * MINUTE;
      const run = {
        status: n % 9 === 0 ? "failed" : "succeeded",
        startedAt: endedAt - n,
        endedAt,
        scheduledFor: endedAt - n,
        attempt: 1,
        attempts: [],
      };
      one.add({ trigger: { id: `${n}`, endedAt, status: "succeeded" }, run, decisions: [{ outcome: "run", findings }] } as never);
    }
  const now = RUNS_EACH * 30 * MINUTE;
  for (const one of windows) one.at(now);
  row(
    "memory of a pipeline's statistics",
    `${((bytes() - before) / PIPELINES).toFixed(0)} B`,
    `target 2,000; ${RUNS_EACH} runs of each were seen`,
  );
  if (windows.some((one) => one.at(now).duration === null)) throw new Error("no durations");
}

async function replay(): Promise<void> {
  const begin = Date.parse("2025-01-01T00:00:00Z");
  const history: HistoricalRun[] = Array.from({ length: HISTORY }, (_, n) => {
    const startedAt = begin + n * 5 * MINUTE;
    const isGood = n % 50 !== 0;
    return {
      status: isGood ? "succeeded" : "failed",
      scheduledFor: startedAt,
      startedAt,
      endedAt: startedAt + (1 + (n % 3)) * MINUTE,
      attempt: isGood ? 1 : 2,
    };
  });
  const schedule = adaptive({ base: "5m", min: "5m", max: "20m", tuner: performanceBased({ successRateBelow: 0.9 }) });
  const candidate = pipeline({ id: "sync", schedule, alertOn: ["failure"], execution: { retries: 1, retryDelay: "30s" }, run: () => {} });
  const start = performance.now();
  const { before, after } = await backtest({ history, pipeline: candidate, maxAge: "15m" });
  const seconds = (performance.now() - start) / 1_000;
  row(
    "a backtest of 100,000 runs, with a tuner and alerts",
    `${seconds.toFixed(1)} s`,
    `target 10; ${before.runs} runs recorded, ${after.runs} played`,
  );
}

console.log("Statistics, alerts, backtests");
await statistics();
memory();
await replay();
process.exit(0);
