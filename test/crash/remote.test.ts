import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { storeFromUrl } from "../../src/entry/store-from-url.js";
import { createScheduler, pipeline } from "../../src/index.js";
import { dropSchemas, freshSchema, testDatabaseUrl } from "../support/postgres.js";
import { Engine, engineAt } from "./remote-engine.js";

const FIXTURE = fileURLToPath(new URL("remote.fixture.ts", import.meta.url));
const ROUNDS = 6;
const RUNS = 30;
const folder = mkdtempSync(join(tmpdir(), "headgate-remote-"));
const postgres = await testDatabaseUrl();
const children = new Set<ChildProcess>();
afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
  await dropSchemas();
});

async function startNode(url: string, name: string, service: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, ["--import", "tsx", FIXTURE, url, name, service], { stdio: ["ignore", "pipe", "inherit"] });
  children.add(child);
  await Promise.race([
    once(child.stdout, "data"),
    once(child, "exit").then(([code]) => Promise.reject(new Error(`node ${name} ended with ${code}`))),
  ]);
  return child;
}

describe.each([
  ["SQLite", () => `sqlite:${join(folder, "remote.db")}`],
  ...(postgres === null ? [] : [["PostgreSQL", () => `${postgres}?schema=${freshSchema()}`] as const]),
] as const)("work done elsewhere, on %s", (_, makeUrl) => {
  it(`is started once and watched to its end, although headgate is killed at ${ROUNDS} random moments`, async () => {
    const url = makeUrl();
    const engine = new Engine();
    const service = await engine.start();
    const asking = createScheduler({
      pipelines: [pipeline({ id: "job", executor: engineAt(service), execution: { maxActiveRuns: 50, retries: 0 } })],
      store: storeFromUrl(url),
      logger: { log: () => {} },
    });
    await asking.start();
    for (let n = 0; n < RUNS; n++) await asking.trigger("job", { parameters: { n } });
    await asking.stop();
    for (let round = 0; round < ROUNDS; round++) {
      const child = await startNode(url, `node-${round}`, service);
      await wait(20 + Math.random() * 250);
      child.kill("SIGKILL");
      await once(child, "exit");
    }
    await startNode(url, "last", service);
    const store = storeFromUrl(url);
    await store.open();
    const runs = async () => store.listRuns({ limit: 1_000 });
    while ((await runs()).filter(({ status }) => status === "succeeded").length < RUNS) await wait(50);
    const all = await runs();
    expect(all.map(({ status, attempt, attempts }) => [status, attempt, attempts.length])).toEqual(
      Array.from({ length: RUNS }, () => ["succeeded", 1, 0]),
    );
    expect([...engine.starts.values()].filter((count) => count !== 1)).toEqual([]);
    expect(engine.starts.size).toBe(RUNS);
    await store.close();
    engine.close();
  });
});
