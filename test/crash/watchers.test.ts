import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { storeFromUrl } from "../../src/entry/store-from-url.js";
import type { TriggerRecord } from "../../src/index.js";
import { dropSchemas, freshSchema, testDatabaseUrl } from "../support/postgres.js";
import { processes } from "./processes.js";

const FIXTURE = fileURLToPath(new URL("watcher.fixture.ts", import.meta.url));
const ROUNDS = Number(process.env.HEADGATE_CRASH_ROUNDS ?? 6);
const PER_ROUND = 150;
const { folder: root, track } = processes("watchers");
const postgres = await testDatabaseUrl();

afterAll(dropSchemas);

async function start(url: string, directory: string, node: string, work: readonly string[]): Promise<ChildProcess> {
  const child = spawn(process.execPath, ["--import", "tsx", FIXTURE, url, directory, node, ...work], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  track(child);
  const ended = once(child, "exit").then(([code]) => Promise.reject(new Error(`it ended with ${code} before it was ready`)));
  await Promise.race([once(child.stdout, "data"), ended]);
  ended.catch(() => {}); // from now on it may be killed
  return child;
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill(signal);
  await once(child, "exit");
}

async function all(url: string): Promise<TriggerRecord[]> {
  const store = storeFromUrl(url);
  await store.open();
  const found: TriggerRecord[] = [];
  for (let before: string | undefined; ; before = found.at(-1)?.id) {
    const page = await store.listTriggers({ limit: 1_000, ...(before === undefined ? {} : { before }) });
    found.push(...page);
    if (page.length < 1_000) break;
  }
  await store.close();
  return found;
}

const databases: [string, () => string][] = [["SQLite", () => `sqlite:${join(root, "watchers.db")}`]];
if (postgres !== null) databases.push(["PostgreSQL", () => `${postgres}${postgres.includes("?") ? "&" : "?"}schema=${freshSchema()}`]);

describe.each(databases)("two processes on one directory and one store in %s", (name, make) => {
  it(`killed ${ROUNDS} times at random moments: every file, and everything a sensor finds, becomes one trigger`, async () => {
    const url = make();
    const directory = join(root, name);
    const work = name === "SQLite" ? [] : [join(root, "work")]; // within the drop directory, and elsewhere
    mkdirSync(directory);
    writeFileSync(join(directory, "counter.txt"), "0");
    let made = 0;
    const drop = () => {
      for (let n = 0; n < PER_ROUND; n++) writeFileSync(join(directory, `f${++made}.json`), JSON.stringify({ parameters: { n: made } }));
      writeFileSync(join(directory, "counter.tmp"), String(made));
      renameSync(join(directory, "counter.tmp"), join(directory, "counter.txt"));
    };
    drop();
    let watchers: ChildProcess[] = await Promise.all([start(url, directory, "a0", work), start(url, directory, "b0", work)]);
    for (let round = 1; round <= ROUNDS; round++) {
      drop();
      await wait(Math.random() * 200);
      const victim = round % 2;
      await end(watchers[victim] as ChildProcess, "SIGKILL");
      watchers = await Promise.all(
        watchers.map((one, index) => (index === victim ? start(url, directory, `${"ab"[index]}${round}`, work) : one)),
      );
    }
    const left = () =>
      readdirSync(directory).filter((file) => file.endsWith(".json")).length + readdirSync(join(work[0] ?? directory, ".claimed")).length;
    await end(watchers[0] as ChildProcess, "SIGKILL");
    const last = await start(url, directory, "last", work);
    await expect.poll(left, { timeout: 50_000, interval: 100 }).toBe(0);
    const counted = async () => (await all(url)).filter(({ pipelineId }) => pipelineId === "counted").length;
    await expect.poll(counted, { timeout: 20_000, interval: 500 }).toBe(made);
    await Promise.all([...watchers, last].map((one) => end(one, "SIGTERM")));
    const numbers = (id: string) =>
      kept
        .filter(({ pipelineId }) => pipelineId === id)
        .map(({ parameters }) => (parameters as { n: number }).n)
        .toSorted((a, b) => a - b);
    const kept = await all(url);
    const expected = Array.from({ length: made }, (_, n) => n + 1);
    expect(numbers("files")).toEqual(expected);
    expect(numbers("counted")).toEqual(expected);
    expect(readdirSync(join(work[0] ?? directory, "rejected"))).toEqual([]);
  }, 120_000);
});
