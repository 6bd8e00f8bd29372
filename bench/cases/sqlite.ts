/** Triggers run end to end on SQLite with `synchronous=FULL`, each with a decision and a run recorded. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { createScheduler, functionExecutor, pipeline } from "headgate";
import { sqliteStore } from "headgate/sqlite";
import { row } from "../support.js";

const COUNT = 20_000;
const folder = mkdtempSync(join(tmpdir(), "headgate-bench-"));
let ran = 0;
const job = pipeline({ id: "job", execution: { maxActiveRuns: 100_000 }, run: () => void ran++ });
const scheduler = createScheduler({
  pipelines: [job],
  store: sqliteStore({ file: join(folder, "bench.db") }),
  executor: functionExecutor({ concurrency: 1_000 }),
  logger: { log: () => {} },
});
await scheduler.start();
await scheduler.pause({ pipelineId: "job" });
const perSecond = (begin: number) => Math.round((COUNT * 1_000) / (performance.now() - begin)).toLocaleString("en");

console.log("SQLite, synchronous=FULL, per second");
let begin = performance.now();
await Promise.all(Array.from({ length: COUNT }, () => scheduler.trigger("job")));
row("accepted", perSecond(begin));
begin = performance.now();
await scheduler.resume({ pipelineId: "job" });
while (ran < COUNT) await wait(5);
row("run end to end", perSecond(begin), "target 3,000");
await scheduler.stop();
rmSync(folder, { recursive: true });
