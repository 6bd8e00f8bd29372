/** Trigger files, a sensor that finds nothing, and held triggers that wait for shared probes. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { createScheduler, healthy, type Probe, pipeline, type Store, sensor } from "headgate";
import { watchTriggerFiles } from "headgate/files";
import type { Figures, MakeCase } from "../model.js";
import { storeKinds } from "../stores.js";
import { SILENT, timed, until } from "../support.js";

async function files(store: Store, directory: string, count: number): Promise<Figures> {
  mkdirSync(directory);
  const job = pipeline({ id: "job", execution: { maxActiveRuns: count }, run: () => {} });
  const scheduler = createScheduler({ pipelines: [job], store, logger: SILENT });
  await scheduler.start();
  await scheduler.pause();
  const watcher = await watchTriggerFiles(scheduler, { directory });
  const ms = await timed(async () => {
    for (let n = 0; n < count; n++) {
      writeFileSync(join(directory, `f${n}.json`), JSON.stringify({ trigger_type: "data_update", source: "bench", parameters: { n } }));
      if (n % 100 === 0) await wait(0);
    }
    await until(() => watcher.status().accepted >= count, `${count} files are accepted`);
  });
  await watcher.close();
  await scheduler.stop({ drain: 0 });
  return { "a trigger file": ms / count };
}

const WRITES = ["moveCursor", "enqueue", "fire"];

/** Writes of a sensor that polls and finds nothing. */
async function quietSensor(store: Store, polls: number): Promise<Figures> {
  let [polled, writes] = [0, 0];
  const counting = new Proxy(store, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== "function") return member;
      if (WRITES.includes(String(name))) writes++;
      return member.bind(target);
    },
  });
  const poll = () => {
    polled++;
    return { events: [], cursor: { seen: 7 } };
  };
  const quiet = sensor("quiet", poll, { every: "100ms", jitter: 0 });
  const scheduler = createScheduler({
    pipelines: [pipeline({ id: "job", sensors: [quiet], run: () => {} })],
    store: counting,
    logger: SILENT,
  });
  await scheduler.start();
  await until(() => polled >= 3, "the sensor has polled");
  const before = writes;
  await until(() => polled >= 3 + polls, "the sensor has polled more");
  await scheduler.stop({ drain: 0 });
  return { "a sensor's writes": writes - before };
}

async function held(store: Store, count: number): Promise<Figures> {
  const probes = ["warehouse", "database", "disk"].map((name): Probe<boolean> => {
    const measure = () => wait(20).then(() => false); // as far away as a server
    return { name, ttlMs: 1_000, measure };
  });
  const conditions = [healthy({ probes })];
  const jobs = Array.from({ length: count }, (_, n) => pipeline({ id: `job${n}`, conditions, onBlock: "hold", run: () => {} }));
  const scheduler = createScheduler({ pipelines: jobs, store, logger: SILENT });
  let evaluated = 0;
  scheduler.on("trigger.held", () => evaluated++);
  await scheduler.start();
  await Promise.all(jobs.map(({ id }) => scheduler.trigger(id)));
  await until(() => evaluated >= count, "all are held");
  let ms = 0;
  for (let round = 0; round < 2; round++) {
    await wait(1_100); // what the probes have measured is too old then
    evaluated = 0;
    ms = await timed(async () => {
      await scheduler.recheck();
      await until(() => evaluated >= count, "all are evaluated again");
    });
  }
  await scheduler.stop({ drain: 0 });
  return { "held triggers evaluated": ms };
}

const makeCase: MakeCase = (options) => {
  const [fileCount, polls, heldCount] = options.isShort ? [50, 3, 20] : [10_000, 40, 1_000];
  return {
    title: `${fileCount.toLocaleString("en")} trigger files, a sensor that finds nothing ${polls} times, ${heldCount} held triggers and 3 shared probes`,
    measures: [
      { name: "a trigger file", unit: "ms", better: "lower" },
      { name: "a sensor's writes", unit: "in all", better: "lower" },
      { name: "held triggers evaluated", unit: "ms", better: "lower" },
    ],
    participants: storeKinds(options).map(({ name, make }) => ({
      name: "headgate",
      group: name,
      targets: { "a trigger file": { value: 2 }, "a sensor's writes": { value: 0 }, "held triggers evaluated": { value: 1_000 } },
      turn: async () => {
        const folder = mkdtempSync(join(options.folder, "outside-"));
        const [first, second, third] = [make(), make(), make()];
        const figures = {
          ...(await files(first.open(), join(folder, "triggers"), fileCount)),
          ...(await quietSensor(second.open(), polls)),
          ...(await held(third.open(), heldCount)),
        };
        for (const place of [first, second, third]) await place.remove();
        rmSync(folder, { recursive: true });
        return figures;
      },
    })),
    rounds: 1,
  };
};
export default makeCase;
