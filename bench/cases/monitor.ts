/** Statistics and alert evaluation for many pipelines, and a backtest of many runs. */
import { adaptive, createScheduler, defaultRules, memoryStore, performanceBased, pipeline } from "headgate";
import { backtest, type HistoricalRun } from "headgate/testing";
import { RunWindow } from "../../src/monitor/statistics.js";
import type { MakeCase } from "../model.js";
import { heapUsed, percentile, SILENT, timed, until } from "../support.js";

const MINUTE = 60_000;
const RUNS_EACH = 60;
const EVALUATIONS = 20;

/** A round of alerts; some pipelines have news each time. */
async function evaluations(count: number): Promise<readonly number[]> {
  const pipelines = Array.from({ length: count }, (_, n) =>
    pipeline({ id: `p${n}`, sla: "1h", alertOn: ["failure", "sla_miss"], execution: { maxActiveRuns: 100 }, run: () => {} }),
  );
  const scheduler = createScheduler({
    pipelines,
    store: memoryStore({ retention: { count: 2 * count } }),
    logger: SILENT,
    monitoring: { rules: defaultRules(), channels: [{ name: "none", send: async () => {} }], every: "1h" },
  });
  await scheduler.start();
  let succeeded = 0;
  let requested = 0;
  scheduler.on("run.succeeded", () => succeeded++);
  const runAll = async (some: typeof pipelines) => {
    requested += some.length;
    await Promise.all(some.map(({ id }) => scheduler.trigger(id)));
    await until(() => succeeded >= requested, "all of a round have run");
  };
  for (let round = 0; round < RUNS_EACH; round++) {
    await runAll(pipelines);
    await scheduler.alerts.evaluate();
  }
  const ms: number[] = [];
  for (let round = 0; round < EVALUATIONS; round++) {
    await runAll(pipelines.slice(0, Math.ceil(count / 20)));
    ms.push(await timed(() => scheduler.alerts.evaluate()));
  }
  await scheduler.stop({ drain: 0 });
  return ms;
}

/** What is kept of one pipeline, whose runs are spread over more than the window and who is skipped now and then; bytes. */
function memoryOfOne(count: number): number {
  const findings = ["business day", "stale", "healthy"].map((condition) => ({ condition, result: "pass", reason: "" }));
  const before = heapUsed();
  const windows = Array.from({ length: count }, () => new RunWindow({ lengthMs: 24 * 60 * MINUTE, timings: 40 }));
  for (const one of windows)
    for (let n = 0; n < RUNS_EACH; n++) {
      const endedAt = n * 30 * MINUTE;
      const status = n % 9 === 0 ? "failed" : "succeeded";
      const run = { status, startedAt: endedAt - n, endedAt, scheduledFor: endedAt - n, attempt: 1, attempts: [] };
      one.add({ trigger: { id: `${n}`, endedAt, status: "succeeded" }, run, decisions: [{ outcome: "run", findings }] } as never);
    }
  const now = RUNS_EACH * 30 * MINUTE;
  for (const one of windows) one.at(now);
  const bytes = (heapUsed() - before) / count;
  if (windows.some((one) => one.at(now).duration === null)) throw new Error("no durations");
  return bytes;
}

async function replay(count: number): Promise<void> {
  const begin = Date.parse("2025-01-01T00:00:00Z");
  const history: HistoricalRun[] = Array.from({ length: count }, (_, n) => {
    const startedAt = begin + n * 5 * MINUTE;
    const isGood = n % 50 !== 0;
    const end = { endedAt: startedAt + (1 + (n % 3)) * MINUTE, attempt: isGood ? 1 : 2 };
    return { status: isGood ? "succeeded" : "failed", scheduledFor: startedAt, startedAt, ...end };
  });
  const schedule = adaptive({ base: "5m", min: "5m", max: "20m", tuner: performanceBased({ successRateBelow: 0.9 }) });
  const candidate = pipeline({ id: "sync", schedule, alertOn: ["failure"], execution: { retries: 1, retryDelay: "30s" }, run: () => {} });
  await backtest({ history, pipeline: candidate, maxAge: "15m" });
}

const makeCase: MakeCase = ({ isShort }) => {
  const [pipelines, runs] = isShort ? [100, 500] : [10_000, 100_000];
  return {
    title: `Statistics and alerts of ${pipelines.toLocaleString("en")} pipelines; a backtest of ${runs.toLocaleString("en")} runs`,
    measures: [
      { name: "a round of alerts, p50", unit: "ms", better: "lower" },
      { name: "a round of alerts, slowest", unit: "ms", better: "lower" },
      { name: "statistics of a pipeline", unit: "bytes", better: "lower" },
      { name: "a backtest", unit: "s", better: "lower" },
    ],
    participants: [
      {
        name: "headgate",
        targets: {
          "a round of alerts, p50": { value: 100 },
          "statistics of a pipeline": { value: 2_000 },
          "a backtest": { value: 10 },
        },
        turn: async () => {
          const rounds = await evaluations(pipelines);
          const bytes = memoryOfOne(pipelines);
          const backtestMs = await timed(() => replay(runs));
          return {
            "a round of alerts, p50": percentile(rounds, 0.5),
            "a round of alerts, slowest": Math.max(...rounds),
            "statistics of a pipeline": bytes,
            "a backtest": backtestMs / 1_000,
          };
        },
      },
    ],
    rounds: 1,
  };
};
export default makeCase;
