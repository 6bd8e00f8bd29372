import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { sqliteStore } from "../../src/adapters/stores/sqlite/sqlite-store.js";
import { every, memoryStore, pipeline, type Store } from "../../src/index.js";
import { claim, decideAll, registration, request } from "../../src/testing/contract/fixtures.js";
import { fakeClock } from "../../src/testing/index.js";
import { bound } from "../support/bound-store.js";
import { type Faults, faultyStore, storeIsAway } from "../support/faulty-store.js";
import { harness, START } from "../support/harness.js";
import { sharedStore } from "../support/shared-store.js";

const folder = mkdtempSync(join(tmpdir(), "headgate-maintenance-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The same store with what its `prune` was called with. */
function watched(store: Store): { store: Store; prunes: { readonly now: number; readonly limit: number }[] } {
  const prunes: { readonly now: number; readonly limit: number }[] = [];
  const prune: Store["prune"] = (now, options) => {
    prunes.push({ now, limit: options?.limit ?? 0 });
    return store.prune(now, options);
  };
  return { store: { ...bound(store), prune }, prunes };
}

describe("the maintenance of a store", () => {
  it("goes on in steps until nothing is left, and then waits", async () => {
    const at = Date.parse(START);
    const { store, prunes } = watched(
      sqliteStore({ file: join(folder, "steps.db"), synchronous: "normal", retention: { count: 100, countPerPipeline: 60 } }),
    );
    await store.open();
    await store.register(
      ["a", "b"].map((id) => registration(id, { maxActiveRuns: 5_000, nextFireAt: null })),
      at,
    );
    await store.enqueue(
      Array.from({ length: 3_000 }, (_, n) => request(n % 10 === 0 ? "b" : "a")),
      at,
    );
    await decideAll(store, (await claim(store, at, { limit: 3_000 })).triggers, "skip", at);
    const { scheduler, clock } = await harness([pipeline({ id: "a", run: () => {} })], { store });
    await clock.advance("3m");
    expect(prunes.length).toBeGreaterThan(3);
    expect(Math.max(...prunes.map(({ limit }) => limit))).toBeLessThanOrEqual(1_000);
    const kept = async (pipelineId: string) => (await scheduler.triggers({ pipelineId, limit: 1_000 })).items.length;
    expect([await kept("a"), await kept("b")]).toEqual([50, 50]);
    const done = prunes.length;
    await clock.advance("3m");
    expect(prunes.length - done).toBeLessThanOrEqual(3);
    await scheduler.stop();
    await clock.advance("10m");
    expect(prunes.length - done).toBeLessThanOrEqual(3);
  });

  it("is the work of one node at a time, and of another one when that stops", async () => {
    const shared = sharedStore();
    const clock = fakeClock(START);
    const nodes = ["n1", "n2"].map((node) => ({ node, ...watched(shared) }));
    const running = [];
    for (const { node, store } of nodes) running.push(await harness([pipeline({ id: "a", run: () => {} })], { store, clock, node }));
    await clock.advance("5m");
    const minutes = nodes.flatMap(({ prunes }) => [...new Set(prunes.map(({ now }) => Math.floor(now / 60_000)))]);
    expect(minutes).toHaveLength(5);
    expect(new Set(minutes).size).toBe(5);
    await running[0]?.scheduler.stop();
    const before = nodes[1]?.prunes.length ?? 0;
    await clock.advance("3m");
    expect(nodes[1]?.prunes.length).toBeGreaterThanOrEqual(before + 2);
    await running[1]?.scheduler.stop();
  });

  it("removes nothing for five minutes after a jump of the clock", async () => {
    const { store, prunes } = watched(sharedStore());
    const { scheduler, clock } = await harness([pipeline({ id: "a", run: () => {} })], { store });
    await clock.advance("2m");
    clock.jump(25 * 3_600_000);
    const before = prunes.length;
    await clock.advance("5m");
    expect(prunes).toHaveLength(before);
    await clock.advance("1m");
    expect(prunes.length).toBeGreaterThan(before);
    await scheduler.stop();
  });

  it("waits for a store that is away without a word, and reports once what else fails", async () => {
    const faults: Faults = { before: (method) => (method === "prune" ? storeIsAway() : null) };
    const { store, prunes } = watched(sharedStore());
    const { scheduler, clock, heard } = await harness([pipeline({ id: "a", run: () => {} })], { store: faultyStore(store, faults) });
    await clock.advance("3m");
    expect(heard("error")).toEqual([]);
    expect(prunes).toEqual([]);
    faults.before = (method) => (method === "prune" ? new Error("it is broken") : null);
    await clock.advance("3m");
    expect(heard("error").map(({ error }) => error.message)).toEqual(["it is broken"]);
    faults.before = null;
    await clock.advance("1m");
    expect(prunes.length).toBeGreaterThan(0);
    await scheduler.stop();
  });

  it("removes by age on a store of one process too", async () => {
    const { scheduler, clock } = await harness([pipeline({ id: "a", schedule: every("10m"), run: () => {} })], {
      store: memoryStore({ retention: { maxAge: "1h" } }),
    });
    await clock.advance("6h");
    expect((await scheduler.triggers({ limit: 100 })).items.length).toBeLessThanOrEqual(7);
    await scheduler.stop();
  });
});
