import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Settings } from "../../src/engine/context/core.js";
import { rollUpStatistics, TOTAL, windowOf } from "../../src/engine/monitoring/statistics-roll-up.js";
import { createScheduler, every, memoryStore, pipeline, type Store } from "../../src/index.js";
import { pipelineOf } from "../../src/monitor/finished-record.js";
import { claim, decideAll, finishOne, MINUTE, registration, request, T0 } from "../../src/testing/contract/fixtures.js";
import { type FakeClock, fakeClock } from "../../src/testing/index.js";
import { bound } from "../support/bound-store.js";
import { type Faults, faultyStore, storeIsAway } from "../support/faulty-store.js";
import { harness, START } from "../support/harness.js";
import { sharedStore } from "../support/shared-store.js";

const WINDOW_MS = 24 * 60 * MINUTE;
const settings = { statisticsMs: WINDOW_MS } as Settings;
const LEASE = "headgate: maintenance";
const PIPELINES = ["a", "b", "c"];

/** Ends triggers of a pipeline at an instant: some fail, some are skipped. */
async function end(
  store: Store,
  pipelineId: string,
  outcomes: readonly ("succeeded" | "failed" | "skipped")[],
  now: number,
): Promise<void> {
  await store.enqueue(
    outcomes.map(() => request(pipelineId)),
    now,
  );
  const { triggers } = await claim(store, now);
  for (const [index, outcome] of outcomes.entries()) {
    const trigger = triggers[index];
    if (trigger === undefined) throw new Error("there is nothing to claim");
    const [result] = await decideAll(store, [trigger], outcome === "skipped" ? "skip" : "run", now);
    if (outcome === "skipped" || result?.run === null || result === undefined) continue;
    await finishOne(store, result.run, now + index, { end: { outcome, error: null, output: null, retryAt: null } });
  }
}

/** The state of windows that were given all that the store has, in order. */
async function expected(store: Store, now: number) {
  const all = await store.listFinished({ from: 0, until: now, limit: 100_000 });
  const windows = new Map([TOTAL, ...PIPELINES].map((id) => [id, windowOf(id, WINDOW_MS)]));
  for (const one of all) {
    windows.get(TOTAL)?.add(one);
    windows.get(pipelineOf(one))?.add(one);
  }
  return [...windows].map(([id, window]) => [id, window.at(now)]);
}

async function rolledUp(store: Store, now: number) {
  const rows = new Map((await store.rollUps({ after: null, limit: 100 })).map((row) => [row.pipelineId, row]));
  return [TOTAL, ...PIPELINES].map((id) => [id, windowOf(id, WINDOW_MS, rows.get(id)).at(now)]);
}

describe("rolled-up statistics", () => {
  it("count everything once, whoever rolls up, however often that stops halfway or is not answered", async () => {
    const step = fc.record({
      pipelineId: fc.constantFrom(...PIPELINES),
      outcomes: fc.array(fc.constantFrom("succeeded", "failed", "skipped"), { maxLength: 8 }),
      laterMs: fc.integer({ min: 0, max: 40 * MINUTE }),
      steps: fc.nat(3),
      limit: fc.integer({ min: 1, max: 9 }),
      fails: fc.constantFrom("", "", "before", "after"),
      node: fc.constantFrom("n1", "n2"),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), async (steps) => {
        const memory = memoryStore();
        const faults: Faults = {};
        const store = faultyStore(memory, faults);
        await memory.register(
          PIPELINES.map((id) => registration(id, { maxActiveRuns: 1_000, nextFireAt: null })),
          T0,
        );
        const core = { store, settings };
        let now = T0;
        for (const { pipelineId, outcomes, laterMs, steps: count, limit, fails, node } of steps) {
          await end(memory, pipelineId, outcomes, now);
          now += laterMs;
          const fault = (method: string) => (method === "saveRollUps" ? storeIsAway() : null);
          Object.assign(faults, { before: fails === "before" ? fault : null, after: fails === "after" ? fault : null });
          const lease = await memory.claimLease(LEASE, node, now + 5 * MINUTE, now);
          const token = lease?.token ?? 0; // of a node that has it no longer: nothing is written
          for (let n = 0; n < count; n++)
            await rollUpStatistics(core, { name: LEASE, token }, now, limit).catch((error: { code?: string }) => {
              expect(error.code).toBe("STORE_UNAVAILABLE");
            });
        }
        Object.assign(faults, { before: null, after: null });
        now += 10 * MINUTE;
        const lease = await memory.claimLease(LEASE, "n3", now + MINUTE, now);
        while (!(await rollUpStatistics(core, { name: LEASE, token: lease?.token ?? 0 }, now, 7)));
        expect(await rolledUp(memory, now)).toEqual(await expected(memory, now));
      }),
      { numRuns: 60 },
    );
  });

  it("spare a start the history: what ended since is read, and no more", async () => {
    const shared = sharedStore();
    const clock: FakeClock = fakeClock(START);
    const pipelines = [
      pipeline({ id: "often", schedule: every("1m"), run: () => {} }),
      pipeline({ id: "fails", schedule: every("7m"), execution: { retries: 0 }, run: () => Promise.reject(new Error("always")) }),
    ];
    const first = await harness(pipelines, { store: shared, clock, node: "first" });
    await clock.advance("3h");
    const before = [await first.scheduler.statistics.total(), await first.scheduler.statistics.get("fails")];
    await first.scheduler.stop();
    let read = 0;
    const counting: Store = {
      ...bound(shared),
      listFinished: async (query) => {
        const found = await shared.listFinished(query);
        read += found.length;
        return found;
      },
    };
    const second = createScheduler({
      pipelines,
      store: counting,
      clock,
      node: "second",
      logger: { log: () => {} },
      measureLoad: () => ({ cpu: null, memory: null }),
    });
    await second.start();
    const after = [await second.statistics.total(), await second.statistics.get("fails")];
    expect(read).toBeLessThan(10);
    for (const [index, one] of after.entries()) expect(one).toEqual({ ...before[index], ...("load" in one ? { load: one.load } : {}) });
    expect(after[0]?.runs.succeeded).toBeGreaterThan(170);
    await second.stop();
  });

  it("are made again for a window of another length, and after a clock that was ahead was set back", async () => {
    const store = memoryStore();
    await store.register([registration("a", { maxActiveRuns: 1_000, nextFireAt: null })], T0);
    await end(store, "a", ["succeeded", "failed"], T0);
    const rollUp = async (windowMs: number, now: number) => {
      const lease = await store.claimLease(LEASE, "n1", now + MINUTE, now);
      const held = { name: LEASE, token: lease?.token ?? 0 };
      while (!(await rollUpStatistics({ store, settings: { statisticsMs: windowMs } as Settings }, held, now, 5)));
      const [row] = await store.rollUps({ pipelineIds: ["a"] });
      return { windowMs: row?.windowMs, until: row?.until, runs: windowOf("a", windowMs, row).at(now).runs };
    };
    const runs = { succeeded: 1, failed: 1, timedOut: 0, cancelled: 0 };
    expect(await rollUp(WINDOW_MS, T0 + 60 * MINUTE)).toEqual({ windowMs: WINDOW_MS, until: T0 + 59 * MINUTE, runs });
    expect(await rollUp(2 * WINDOW_MS, T0 + 61 * MINUTE)).toMatchObject({ windowMs: 2 * WINDOW_MS, runs });
    expect(await rollUp(2 * WINDOW_MS, T0 + 5 * MINUTE)).toMatchObject({ until: T0 + 4 * MINUTE, runs });
  });
});
