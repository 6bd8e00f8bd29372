import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { sqliteStore } from "../../src/adapters/stores/sqlite/sqlite-store.js";
import { condition, every, pipeline } from "../../src/index.js";
import { fakeClock } from "../../src/testing/index.js";
import { harness, START } from "../support/harness.js";

const folder = mkdtempSync(join(tmpdir(), "headgate-nodes-"));
let files = 0;
const fresh = () => join(folder, `${++files}.db`);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const jobs = Array.from({ length: 3 }, (_, n) =>
  pipeline({
    id: `job-${n}`,
    schedule: every("10m", { anchor: n * 60_000 }),
    conditions: [condition("open", ({ now }) => now % 3_600_000 !== 0)],
    execution: { retries: 1, retryDelay: "1m" },
    run: async ({ clock, attempt, trigger }) => {
      await clock.sleep("30s");
      if (attempt === 1 && (trigger.scheduledFor?.getUTCMinutes() ?? 0) >= 50) throw new Error("once");
    },
  }),
);

describe("several nodes of one process on one SQLite file", () => {
  it("make one outcome of each fire time, and never meet each other's lock, whatever path leads to the file", async () => {
    const file = fresh();
    const clock = fakeClock(START);
    const first = await harness(jobs, { clock, store: sqliteStore({ file }), node: "a" });
    const link = fresh();
    symlinkSync(file, link);
    const second = await harness(jobs, { clock, store: sqliteStore({ file: link }), node: "b" });
    const began = performance.now();
    await clock.advance("3h");
    const took = performance.now() - began;
    const { items } = await first.scheduler.triggers({ limit: 1_000 });
    const fireTimes = items.map(({ pipelineId, scheduledFor }) => `${pipelineId} ${scheduledFor?.toISOString()}`);
    expect(new Set(fireTimes).size).toBe(fireTimes.length);
    expect(fireTimes.length).toBe(3 * 18);
    const decisions = (await second.scheduler.decisions({ limit: 1_000 })).items;
    expect(decisions.length).toBe(fireTimes.length);
    expect(decisions.filter(({ outcome }) => outcome === "skip").length).toBe(3);
    expect(items.filter(({ status }) => status !== "succeeded" && status !== "skipped")).toEqual([]);
    for (const { heard } of [first, second]) {
      expect(heard("store.unavailable")).toEqual([]);
      expect(heard("error")).toEqual([]);
    }
    expect(took).toBeLessThan(60_000); // a poll that meets the other's lock waits a second: 21,600 polls
    await Promise.all([first.scheduler.stop(), second.scheduler.stop()]);
  }, 90_000);

  it("leave the file to others when one of them closes", async () => {
    const file = fresh();
    const clock = fakeClock(START);
    const first = await harness(jobs, { clock, store: sqliteStore({ file }), node: "a" });
    const second = await harness(jobs, { clock, store: sqliteStore({ file }), node: "b" });
    await clock.advance("32m");
    await first.scheduler.stop({ drain: 0 });
    await clock.advance("28m");
    expect((await second.scheduler.triggers({ limit: 1_000 })).items.length).toBe(3 * 6);
    await second.scheduler.stop({ drain: 0 });
  });
});
