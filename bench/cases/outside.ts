/** Trigger files on SQLite, a sensor that finds nothing, and held triggers that wait for shared probes. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { createScheduler, healthy, memoryStore, type Probe, pipeline, type Store, sensor } from "headgate";
import { watchTriggerFiles } from "headgate/files";
import { sqliteStore } from "headgate/sqlite";
import { row } from "../support.js";

const FILES = 10_000;
const HELD = 1_000;
const SILENT = { log: () => {} };
const folder = mkdtempSync(join(tmpdir(), "headgate-bench-"));

async function files(): Promise<void> {
  const directory = join(folder, "triggers");
  mkdirSync(directory);
  const scheduler = createScheduler({
    pipelines: [pipeline({ id: "job", execution: { maxActiveRuns: FILES }, run: () => {} })],
    store: sqliteStore({ file: join(folder, "files.db") }),
    logger: SILENT,
  });
  await scheduler.start();
  await scheduler.pause();
  const watcher = await watchTriggerFiles(scheduler, { directory });
  const begin = performance.now();
  for (let n = 0; n < FILES; n++) {
    writeFileSync(join(directory, `f${n}.json`), JSON.stringify({ trigger_type: "data_update", source: "bench", parameters: { n } }));
    if (n % 100 === 0) await wait(0);
  }
  const written = performance.now() - begin;
  while (watcher.status().accepted < FILES) await wait(5);
  const seconds = (performance.now() - begin) / 1_000;
  row(
    "10,000 trigger files accepted and removed, SQLite",
    `${seconds.toFixed(1)} s`,
    `target 20; writing them took ${(written / 1_000).toFixed(1)} s of it`,
  );
  await watcher.close();
  await scheduler.stop({ drain: 0 });
}

/** Counts calls that write. */
function counting(store: Store): { store: Store; writes: () => number } {
  let count = 0;
  const wrapped = new Proxy(store, {
    get: (target, name) => {
      const value = Reflect.get(target, name);
      if (typeof value !== "function") return value;
      if (name === "moveCursor" || name === "enqueue" || name === "fire") count++;
      return value.bind(target);
    },
  });
  return { store: wrapped, writes: () => count };
}

async function quietSensor(): Promise<void> {
  let looks = 0;
  const quiet = sensor(
    "quiet",
    () => {
      looks++;
      return { events: [], cursor: { seen: 7 } };
    },
    { every: "100ms", jitter: 0 },
  );
  const counted = counting(sqliteStore({ file: join(folder, "sensor.db") }));
  const scheduler = createScheduler({
    pipelines: [pipeline({ id: "job", sensors: [quiet], run: () => {} })],
    store: counted.store,
    logger: SILENT,
  });
  await scheduler.start();
  while (looks < 1) await wait(10);
  await wait(200);
  const [looksBefore, writesBefore] = [looks, counted.writes()];
  await wait(4_000);
  row(
    "a sensor with nothing new: looks, and writes of them",
    `${looks - looksBefore}, ${counted.writes() - writesBefore}`,
    "target 0 writes",
  );
  await scheduler.stop({ drain: 0 });
}

async function held(title: string, store: Store): Promise<void> {
  let asked = 0;
  let isWell = false;
  const probes = ["warehouse", "database", "disk"].map(
    (name): Probe<boolean> => ({
      name,
      ttlMs: 1_000,
      measure: async () => {
        asked++;
        await wait(20); // as far away as a server
        return isWell;
      },
    }),
  );
  const conditions = [healthy({ probes })];
  const jobs = Array.from({ length: HELD }, (_, n) => pipeline({ id: `job${n}`, conditions, onBlock: "hold", run: () => {} }));
  const scheduler = createScheduler({ pipelines: jobs, store, logger: SILENT });
  let count = 0;
  scheduler.on("trigger.held", () => count++);
  await scheduler.start();
  await Promise.all(jobs.map(({ id }) => scheduler.trigger(id)));
  while (count < HELD) await wait(5);
  await wait(1_100);
  for (const round of [1, 2]) {
    [count, asked] = [0, 0];
    const begin = performance.now();
    await scheduler.recheck();
    while (count < HELD) await wait(1);
    const ms = performance.now() - begin;
    if (round === 2)
      row(
        `1,000 held triggers evaluated against 3 shared probes, ${title}`,
        `${ms.toFixed(0)} ms`,
        `target 1,000; probes asked ${asked} times`,
      );
    await wait(1_100);
  }
  isWell = true;
  await scheduler.stop({ drain: 0 });
}

console.log("The outside: trigger files, sensors, probes");
await files();
await quietSensor();
await held("memory", memoryStore());
await held("SQLite", sqliteStore({ file: join(folder, "held.db") }));
rmSync(folder, { recursive: true });
process.exit(0);
