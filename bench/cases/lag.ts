/** A thousand jobs that fire every second: how late their functions start, each against the second that it fires for. Seconds for which a job did not run at all are counted apart. */
import { setTimeout as wait } from "node:timers/promises";
import { Cron } from "croner";
import { createScheduler, cron, functionExecutor, pipeline } from "headgate";
import { schedule } from "node-cron";
import type { MakeCase, Participant } from "../model.js";
import { percentile, SILENT } from "../support.js";

const EVERY_SECOND = "* * * * * *";
const SECOND_MS = 1_000;
const WARM_UP_S = 6;

/** Starts jobs that note the second they fire for, epoch ms; resolves to what stops them. */
type Begin = (count: number, note: (dueAt: number) => void) => Promise<() => unknown>;

const headgate: Begin = async (count, note) => {
  const pipelines = Array.from({ length: count }, (_, n) =>
    pipeline({ id: `p${n}`, schedule: cron(EVERY_SECOND), run: ({ trigger }) => note(trigger.scheduledFor?.getTime() ?? Number.NaN) }),
  );
  const scheduler = createScheduler({ pipelines, executor: functionExecutor({ concurrency: count }), logger: SILENT });
  await scheduler.start();
  return () => scheduler.stop();
};

/** It does not say which second it fires for: the first one after its last call, from which it computes the next. */
const croner: Begin = async (count, note) => {
  const jobs = Array.from({ length: count }, () => {
    let lastAt = Date.now();
    return new Cron(EVERY_SECOND, () => {
      note((Math.floor(lastAt / SECOND_MS) + 1) * SECOND_MS);
      lastAt = Date.now();
    });
  });
  return () => jobs.forEach((job) => void job.stop());
};

const nodeCron: Begin = async (count, note) => {
  const jobs = Array.from({ length: count }, () =>
    schedule(EVERY_SECOND, ({ date }) => note(date.getTime()), { suppressMissedWarning: true }),
  );
  return () => Promise.all(jobs.map((job) => job.stop()));
};

const makeCase: MakeCase = ({ isShort }) => {
  const [count, seconds] = isShort ? [20, 2] : [1_000, 12];
  const participant = (name: string, begin: Begin, remark: string): Participant => ({
    name,
    isReference: name !== "headgate",
    remark,
    targets: { p99: { value: 10 } },
    turn: async () => {
      const lags: number[] = [];
      const from = (Math.floor(Date.now() / SECOND_MS) + 1 + (isShort ? 1 : WARM_UP_S)) * SECOND_MS;
      const until = from + seconds * SECOND_MS;
      const end = await begin(count, (dueAt) => {
        if (dueAt >= from && dueAt < until) lags.push(Date.now() - dueAt);
      });
      await wait(until + 2 * SECOND_MS - Date.now());
      await end();
      return { p99: percentile(lags, 0.99), p50: percentile(lags, 0.5), "left out": 1 - lags.length / (count * seconds) };
    },
  });
  return {
    title: `${count.toLocaleString("en")} jobs every second, from the second to the function`,
    measures: [
      { name: "p99", unit: "ms", better: "lower" },
      { name: "p50", unit: "ms", better: "lower" },
      { name: "left out", unit: "of all seconds", better: "lower" },
    ],
    participants: [
      participant("headgate", headgate, "trigger, decision, run and result of each recorded, in memory"),
      participant("croner", croner, "nothing recorded"),
      participant("node-cron", nodeCron, "nothing recorded"),
    ],
    rounds: isShort ? 1 : 3,
  };
};
export default makeCase;
