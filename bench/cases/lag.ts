/** A thousand pipelines that fire every second: how late their functions start. The first seconds, while the code is still being compiled, do not count. */
import { setTimeout as wait } from "node:timers/promises";
import { Cron } from "croner";
import { createScheduler, cron, functionExecutor, pipeline } from "headgate";
import { schedule } from "node-cron";
import { median, percentile, row } from "../support.js";

const COUNT = 1_000;
const WARM_UP_MS = 6_000;
const MEASURED_MS = 12_000;

/** Lateness against the second that has just begun. */
function recorder() {
  const lags: number[] = [];
  let isMeasured = false;
  const note = () => {
    if (isMeasured) lags.push(Date.now() % 1_000);
  };
  const measure = async () => {
    await wait(WARM_UP_MS);
    isMeasured = true;
    await wait(MEASURED_MS);
    isMeasured = false;
    return lags;
  };
  return { note, measure };
}

function report(name: string, lags: readonly number[], target = ""): void {
  const seconds = Array.from({ length: Math.floor(lags.length / COUNT) }, (_, n) =>
    percentile(lags.slice(n * COUNT, (n + 1) * COUNT), 0.99),
  );
  const all = `p99 of all ${percentile(lags, 0.99)} ms, p50 ${percentile(lags, 0.5)} ms, ${lags.length.toLocaleString("en")} runs`;
  row(name, `p99 ${median(seconds)} ms`, `median of the seconds; ${all}  ${target}`);
}

console.log(`${COUNT.toLocaleString("en")} jobs every second, lag from the second to the function`);
{
  const { note, measure } = recorder();
  const pipelines = Array.from({ length: COUNT }, (_, n) => pipeline({ id: `p${n}`, schedule: cron("* * * * * *"), run: note }));
  const scheduler = createScheduler({ pipelines, executor: functionExecutor({ concurrency: COUNT }) });
  await scheduler.start();
  report("headgate: trigger, decision, run and result of each recorded", await measure(), "target under 20 ms");
  await scheduler.stop();
}
{
  const { note, measure } = recorder();
  const jobs = Array.from({ length: COUNT }, () => new Cron("* * * * * *", note));
  report("croner: nothing recorded", await measure());
  for (const job of jobs) job.stop();
}
{
  const { note, measure } = recorder();
  const jobs = Array.from({ length: COUNT }, () => schedule("* * * * * *", note));
  report("node-cron: nothing recorded", await measure());
  for (const job of jobs) void job.stop();
}
