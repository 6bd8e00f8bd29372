import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { sqliteStore } from "../../src/adapters/stores/sqlite/sqlite-store.js";
import { adaptive, loadBased, performanceBased, pipeline, type Tuner } from "../../src/index.js";
import { fakeClock } from "../../src/testing/index.js";
import { harness, START } from "../support/harness.js";
import { sharedStore } from "../support/shared-store.js";

const folder = mkdtempSync(join(tmpdir(), "headgate-adaptive-"));
afterAll(() => rmSync(folder, { recursive: true }));
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const sync = (tuner: Tuner = performanceBased(), run: () => unknown = () => {}) =>
  pipeline({
    id: "sync",
    schedule: adaptive({ base: "1h", min: "30m", max: "4h", tuner }),
    execution: { retries: 0 },
    run,
  });

describe("an adaptive schedule", () => {
  it("adapts after runs, at most once per cooldown, tells why, and fires at its new interval", async () => {
    const { clock, scheduler, heard } = await harness([sync()]);
    await clock.advance("3h30m");
    expect(heard("interval.changed")).toMatchObject([
      {
        pipelineId: "sync",
        fromMs: HOUR,
        toMs: 48 * MINUTE,
        user: null,
        reason: expect.stringContaining("100 % succeeded"),
        performance: { runs: 3 },
      },
    ]);
    await clock.advance("12h");
    expect(heard("interval.changed").map(({ toMs }) => toMs / MINUTE)).toEqual([48, 38.4, 30.72, 30]);
    const { items } = await scheduler.runs({ pipelineId: "sync" });
    const [last, before] = items.map(({ scheduledFor }) => scheduledFor?.getTime() ?? 0);
    expect((last as number) - (before as number)).toBe(30 * MINUTE);
    expect(scheduler.adaptive.get("sync")).toMatchObject({ intervalMs: 30 * MINUTE, baseMs: HOUR, isFrozen: false, isOverridden: false });
    expect(scheduler.adaptive.get("sync")?.changes.length).toBe(4);
    const audit = await scheduler.audit.list({ limit: 100 });
    expect(audit.filter(({ action }) => action === "interval").at(-1)).toMatchObject({
      user: "tuner",
      before: { intervalMs: HOUR },
      after: { intervalMs: 48 * MINUTE, performance: { successRate: 1, runs: 3 } },
    });
    await scheduler.stop();
  });

  it("does not shift: it goes on from the last fire time", async () => {
    const { clock, scheduler } = await harness([sync()]);
    await clock.advance("3h30m");
    const [next] = await scheduler.upcoming({ pipelineId: "sync", count: 1 });
    expect(next?.fireAt.toISOString()).toBe("2026-03-02T03:48:00.000Z");
    await scheduler.stop();
  });

  it("survives a restart, and forgets what it learnt when the code's base interval is another", async () => {
    const file = join(folder, "restart.db");
    const first = await harness([sync()], { store: sqliteStore({ file }) });
    await first.clock.advance("3h30m");
    await first.scheduler.stop();
    const second = await harness([sync()], { store: sqliteStore({ file }), clock: fakeClock(first.clock.now()) });
    expect(second.scheduler.adaptive.get("sync")?.intervalMs).toBe(48 * MINUTE);
    expect((await second.scheduler.upcoming({ count: 1 }))[0]?.fireAt.toISOString()).toBe("2026-03-02T03:48:00.000Z");
    await second.scheduler.stop();
    const other = pipeline({
      id: "sync",
      schedule: adaptive({ base: "2h", min: "30m", max: "4h", tuner: performanceBased() }),
      run: () => {},
    });
    const third = await harness([other], { store: sqliteStore({ file }), clock: fakeClock(first.clock.now()) });
    expect(third.scheduler.adaptive.get("sync")).toMatchObject({ intervalMs: 2 * HOUR, changes: [] });
    await third.scheduler.stop();
  });

  it("changes once on several nodes, and on all of them", async () => {
    const store = sharedStore();
    const clock = fakeClock(START);
    const nodes = await Promise.all(["n1", "n2"].map((node) => harness([sync()], { store, clock, node })));
    await clock.advance("4h");
    const told = nodes.flatMap(({ heard }) => heard("interval.changed"));
    expect(told.map(({ toMs }) => toMs / MINUTE)).toEqual([48]);
    for (const { scheduler } of nodes) {
      expect(scheduler.adaptive.get("sync")?.intervalMs).toBe(48 * MINUTE);
      expect((await scheduler.upcoming({ count: 1 }))[0]?.fireAt.toISOString()).toBe("2026-03-02T04:36:00.000Z");
    }
    for (const { scheduler } of nodes) await scheduler.stop();
  });

  it("can be frozen, overridden, and reset", async () => {
    const { clock, scheduler, heard } = await harness([sync()]);
    await scheduler.settings.change("sync", { isAdaptive: false }, { user: "ana" });
    await clock.advance("5h");
    expect(heard("interval.changed")).toEqual([]);
    expect(scheduler.adaptive.get("sync")).toMatchObject({ isFrozen: true, intervalMs: HOUR });
    await scheduler.settings.change("sync", { isAdaptive: null }, { user: "ana" });
    await clock.advance("1h");
    expect(scheduler.adaptive.get("sync")).toMatchObject({ isFrozen: false, intervalMs: 48 * MINUTE });
    await scheduler.settings.change("sync", { scheduleIntervalMs: 10 * MINUTE });
    expect(scheduler.adaptive.get("sync")).toMatchObject({ isOverridden: true });
    await clock.advance("3h");
    expect(heard("interval.changed").length).toBe(1);
    await scheduler.settings.change("sync", { scheduleIntervalMs: null });
    expect(scheduler.adaptive.get("sync")).toMatchObject({ isOverridden: false, intervalMs: 48 * MINUTE });
    await scheduler.adaptive.reset("sync", { user: "ana", reason: "moved to a larger machine" });
    expect(heard("interval.changed").at(-1)).toMatchObject({ toMs: HOUR, user: "ana", performance: null });
    expect(scheduler.adaptive.get("sync")?.intervalMs).toBe(HOUR);
    await scheduler.stop();
  });

  it("goes by the load of the machine and of the line", async () => {
    let cpu = 0.95;
    const { clock, scheduler } = await harness([sync(loadBased())], { measureLoad: () => ({ cpu, memory: 0.5 }) });
    await clock.advance("10h");
    expect(scheduler.adaptive.get("sync")).toMatchObject({ intervalMs: 4 * HOUR });
    cpu = 0.1;
    await clock.advance("24h");
    expect(scheduler.adaptive.get("sync")?.intervalMs).toBeLessThan(2 * HOUR);
    await scheduler.stop();
  });

  it("looks at the load between runs, and not after it has stopped", async () => {
    let [cpu, measured] = [0.95, 0];
    const load = () => {
      measured++;
      return { cpu, memory: 0.5 };
    };
    const { clock, scheduler, heard } = await harness([sync(loadBased())], { measureLoad: load });
    await clock.advance("12h");
    expect(scheduler.adaptive.get("sync")?.intervalMs).toBe(4 * HOUR);
    const { items } = await scheduler.runs({ pipelineId: "sync" });
    cpu = 0.1;
    await clock.advance("20m");
    expect((await scheduler.runs({ pipelineId: "sync" })).items.length).toBe(items.length);
    expect(heard("interval.changed").at(-1)).toMatchObject({ fromMs: 4 * HOUR, reason: expect.stringContaining("calm: cpu 10 %") });
    await scheduler.stop();
    const before = measured;
    await clock.advance("2h");
    expect(measured).toBe(before);
  });

  it("slows down while runs fail, and goes by what they say of their records", async () => {
    const failing = await harness([
      sync(performanceBased(), () => {
        throw new Error("no warehouse");
      }),
    ]);
    await failing.clock.advance("24h");
    expect(failing.scheduler.adaptive.get("sync")?.intervalMs).toBe(4 * HOUR);
    await failing.scheduler.stop();
    const seen: (number | null)[] = [];
    const own: Tuner = ({ lastRecords }, interval) => {
      seen.push(lastRecords);
      return { interval, reason: "" };
    };
    const counting = await harness([sync(own, () => ({ metrics: { records: 42 } }))]);
    await counting.clock.advance("4h");
    expect(seen.at(-1)).toBe(42);
    await counting.scheduler.stop();
  });

  it("goes on when its tuner throws, and tells it", async () => {
    const { clock, scheduler, heard } = await harness([
      sync(() => {
        throw new Error("a bad tuner");
      }),
    ]);
    await clock.advance("5h");
    expect((await scheduler.runs({ pipelineId: "sync" })).items.length).toBe(5);
    expect(heard("error").at(0)).toMatchObject({ where: "adapting the schedule of sync" });
    await scheduler.stop();
  });
});
