import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { TOTAL, windowOf } from "../../src/engine/monitoring/statistics-roll-up.js";
import { storeFromUrl } from "../../src/entry/store-from-url.js";
import { claim, decideAll, MINUTE, registration, request, T0 } from "../../src/testing/contract/fixtures.js";
import { dropSchemas, freshSchema, testDatabaseUrl } from "../support/postgres.js";
import { processes } from "./processes.js";

const FIXTURE = fileURLToPath(new URL("maintenance.fixture.ts", import.meta.url));
/** After how many steps, and how many turns of the event loop or of promises later. */
const KILLS = [
  [8, 3],
  [25, 25],
  [3, 45],
  [15, 90],
] as const;
const ENDED = 600;
const COUNT = 100;
const NOW = T0 + 5 * MINUTE;
const { folder, track } = processes("crash-maintenance");
const postgres = await testDatabaseUrl();

afterAll(dropSchemas);

/** Lets a process work until it kills itself; returns true when it was done before. */
async function maintain(url: string, index: number, [steps, turns]: readonly [steps: number, turns: number]): Promise<boolean> {
  const claimAt = T0 + index * MINUTE;
  const args = [url, COUNT, NOW, claimAt, steps, turns].map(String);
  const child = spawn(process.execPath, ["--import", "tsx", FIXTURE, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  track(child);
  let text = "";
  child.stdout.on("data", (chunk: Buffer) => (text += chunk.toString()));
  await once(child, "close");
  return text.includes("done");
}

describe.each([
  ["SQLite", () => `sqlite:${join(folder, "store.db")}`],
  ...(postgres === null ? [] : [["PostgreSQL", () => `${postgres}?schema=${freshSchema()}`] as const]),
] as const)("maintenance on %s", (_, makeUrl) => {
  it("goes on after kill -9 in the middle of it: nothing is counted twice, lost, or left half removed", async () => {
    const url = makeUrl();
    const store = storeFromUrl(url);
    await store.open();
    const pipelines = ["a", "b"];
    await store.register(
      pipelines.map((id) => registration(id, { maxActiveRuns: 1_000, nextFireAt: null })),
      T0,
    );
    await store.enqueue(
      Array.from({ length: ENDED }, (_, n) => request(n % 6 === 0 ? "b" : "a")),
      T0,
    );
    const { triggers } = await claim(store, T0, { limit: ENDED });
    for (let n = 0; n < ENDED; n += 20) await decideAll(store, triggers.slice(n, n + 20), "skip", T0 + n);
    for (const [index, kill] of KILLS.entries()) expect(await maintain(url, index, kill)).toBe(false);
    expect(await maintain(url, KILLS.length, [0, 0])).toBe(true);

    const left = await store.listTriggers({ limit: 1_000 });
    const of = (id: string) => left.filter(({ pipelineId }) => pipelineId === id).map((one) => one.id);
    const ids = (id: string) => triggers.filter(({ pipelineId }) => pipelineId === id).map((one) => one.id);
    for (const id of pipelines) expect(of(id).toReversed()).toEqual(ids(id).slice(-COUNT / 2));
    expect(await store.listDecisions({ limit: 1_000 })).toHaveLength(COUNT);
    const rows = new Map((await store.rollUps({ after: null, limit: 10 })).map((row) => [row.pipelineId, row]));
    const skipped = (id: string) => windowOf(id, 86_400_000, rows.get(id)).at(NOW).skipped;
    expect([TOTAL, "a", "b"].map(skipped)).toEqual([ENDED, 500, 100]);
    await store.close();
  }, 300_000);
});
