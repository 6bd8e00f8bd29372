import { describe, expect, it } from "vitest";
import { at, cron, HeadgateError, pipeline, type Store } from "../../src/index.js";
import { fakeClock } from "../../src/testing/index.js";
import { bound } from "../support/bound-store.js";
import { harness, START } from "../support/harness.js";
import { sharedStore } from "../support/shared-store.js";
import { wallClock } from "../support/wall-clock.js";

const HOUR = 3_600_000;
const minutely = () => pipeline({ id: "job", schedule: cron("* * * * *"), run: () => {} });

describe("a node with a wrong clock on a store with a right one", () => {
  it("goes by the store's clock from the start, says so once, and stops when its own is right", async () => {
    const truth = fakeClock(START);
    const clock = wallClock(truth);
    clock.aheadMs = HOUR;
    const seen: number[] = [];
    const job = pipeline({ id: "job", schedule: cron("* * * * *"), run: ({ clock: time }) => void seen.push(time.now()) });
    const store: Store = { ...bound(sharedStore()), serverTime: async () => truth.now() };
    const { scheduler, heard } = await harness([job], { clock, store });
    expect(scheduler.status()).toMatchObject({ clockAheadMs: HOUR, clockCorrectionMs: -HOUR, now: new Date(START) });
    await truth.advance("2m");
    expect(seen).toEqual([1, 2].map((minute) => Date.parse(START) + minute * 60_000));
    clock.aheadMs = 0;
    await truth.advance("1m");
    expect(scheduler.status()).toMatchObject({ clockAheadMs: 0, clockCorrectionMs: 0 });
    expect(seen).toHaveLength(3);
    expect(heard("clock.jumped")).toEqual([{ kind: "stepped", byMs: -HOUR }]);
    expect((await scheduler.decisions({ outcome: "skip" })).items).toEqual([]);
    await scheduler.stop({ drain: 0 });
  });

  it("goes on by the time that passed while the store cannot be asked", async () => {
    const truth = fakeClock(START);
    const clock = wallClock(truth);
    let isAway = false;
    const memory = bound(sharedStore());
    const serverTime = async () => {
      if (isAway) throw new HeadgateError("STORE_UNAVAILABLE", "away");
      return truth.now();
    };
    const { scheduler } = await harness([minutely()], { clock, store: { ...memory, serverTime } });
    isAway = true;
    clock.aheadMs = 12 * HOUR;
    await truth.advance("30s");
    expect(scheduler.status().now).toEqual(new Date(Date.parse(START) + 30_000));
    isAway = false;
    await truth.advance("3m");
    expect((await scheduler.triggers()).items.map(({ scheduledFor }) => scheduledFor?.getTime())).toEqual(
      [3, 2, 1].map((minute) => Date.parse(START) + minute * 60_000),
    );
    await scheduler.stop({ drain: 0 });
  });
});

describe("what a wrong clock leaves behind", () => {
  it("is put right by a node with a right clock, at its regular look, and told", async () => {
    const truth = fakeClock(START);
    const wrong = wallClock(truth);
    const store = sharedStore();
    const right = await harness([minutely()], { clock: wallClock(truth), store, node: "right", random: () => 0.25 });
    const ahead = await harness([minutely()], { clock: wrong, store, node: "ahead", random: () => 0.75 });
    await truth.advance("10s");
    wrong.aheadMs = 12 * HOUR;
    await truth.advance("1m");
    await ahead.scheduler.stop({ drain: 0 });
    await truth.advance("5m");
    expect(right.heard("schedule.replanned").length).toBeGreaterThan(0);
    expect(right.heard("schedule.replanned")[0]).toMatchObject({ pipelineId: "job", nextFireAt: new Date(Date.parse(START) + 60_000) });
    const fired = right.heard("schedule.fired").flatMap(({ fireTimes }) => fireTimes.map((time) => time.getTime()));
    expect(fired.slice(-4)).toEqual([3, 4, 5, 6].map((minute) => Date.parse(START) + minute * 60_000));
    await right.scheduler.stop({ drain: 0 });
  });

  it("does not end a schedule whose last instant the clock had passed", async () => {
    const { scheduler, clock } = await harness([
      pipeline({ id: "job", schedule: at("2026-03-02T01:00:00Z"), execution: { catchup: "none" }, run: () => {} }),
    ]);
    clock.jump(12 * HOUR);
    await clock.advance("31s");
    expect((await scheduler.decisions()).items).toHaveLength(1);
    clock.jump(-12 * HOUR);
    await clock.advance("2h");
    expect((await scheduler.runs()).items).toHaveLength(1);
    expect((await scheduler.decisions({ outcome: "skip" })).items).toEqual([]);
    await scheduler.stop();
  });

  it("holds no trigger that was accepted meanwhile", async () => {
    const { scheduler, clock } = await harness([pipeline({ id: "job", run: () => {} })]);
    await clock.advance("1m");
    clock.jump(12 * HOUR);
    await clock.advance("31s");
    await scheduler.pause({ pipelineId: "job", duration: "1m" });
    await scheduler.trigger("job");
    clock.jump(-12 * HOUR);
    await clock.advance("2m");
    expect((await scheduler.runs()).items).toHaveLength(1);
    await scheduler.stop();
  });

  it("takes no run of another node for lost when the clock of their machine goes forward", async () => {
    const truth = fakeClock(START);
    const clock = wallClock(truth);
    const store = sharedStore();
    const long = () => pipeline({ id: "long", run: ({ clock: time }) => time.sleep("2m") });
    const nodes = await Promise.all(
      ["one", "two"].map((node, n) => harness([long()], { clock, store, node, random: () => (n + 1) / 4, leaseDuration: "10s" })),
    );
    await nodes[0]?.scheduler.trigger("long");
    await nodes[1]?.scheduler.trigger("long");
    await truth.advance("5s");
    clock.aheadMs = 12 * HOUR;
    await truth.advance("3m");
    for (const { heard } of nodes) expect(heard("run.lost")).toEqual([]);
    for (const { scheduler } of nodes) await scheduler.stop({ drain: 0 });
  });
});

describe("a clock without another to compare with, ahead for an hour", () => {
  const MINUTE = 60_000;
  const made = async (catchup: "none" | "latest" | "all", byMs: number) => {
    const { scheduler, clock } = await harness([
      pipeline({ id: "job", schedule: cron("* * * * *"), execution: { catchup, overlap: "queue", maxActiveRuns: 1_000 }, run: () => {} }),
    ]);
    await clock.advance("5m30s");
    const steppedAt = clock.now();
    clock.jump(byMs);
    await clock.advance("1h");
    clock.jump(-byMs);
    await clock.advance("10m");
    const now = clock.now();
    const triggers = await scheduler.triggers({ limit: 1_000 });
    const fired = new Set(triggers.items.map(({ scheduledFor }) => scheduledFor?.getTime() ?? 0).filter((time) => time <= now));
    const skips = (await scheduler.decisions({ outcome: "skip", limit: 1_000 })).items;
    const dropped = new Map<number, Date>();
    for (const { scheduledFor, missed, at: decidedAt } of skips)
      for (let time = scheduledFor?.getTime() ?? 0; time <= (missed?.lastAt ?? scheduledFor ?? new Date(0)).getTime(); time += MINUTE) {
        expect(dropped.has(time)).toBe(false);
        dropped.set(time, decidedAt);
      }
    const real: number[] = [];
    for (let time = Date.parse(START) + MINUTE; time <= now; time += MINUTE) real.push(time);
    await scheduler.stop();
    return { fired, dropped, real, now, steppedAt };
  };

  it.each([2 * 3_600_000, 12 * 3_600_000])("makes up every fire time of that hour when it is set back by %i ms (all)", async (byMs) => {
    const { fired, dropped, real } = await made("all", byMs);
    expect(real.filter((time) => !fired.has(time))).toEqual([]);
    expect([...dropped.keys()]).toEqual([]);
  });

  it("has each fire time of that hour decided on again, by the right time (latest, none)", async () => {
    for (const catchup of ["latest", "none"] as const) {
      const { fired, dropped, real, now, steppedAt } = await made(catchup, 12 * 3_600_000);
      expect(real.filter((time) => fired.has(time) === dropped.has(time))).toEqual([]);
      for (const [time, decidedAt] of dropped) {
        expect(time).toBeLessThanOrEqual(now);
        expect(decidedAt.getTime()).toBeLessThanOrEqual(now);
        expect(time).toBeGreaterThan(steppedAt);
      }
      const before = real.filter((time) => time <= steppedAt + 60 * MINUTE);
      expect(before.filter((time) => time > steppedAt && fired.has(time))).toHaveLength(catchup === "latest" ? 1 : 0);
    }
  });
});

describe("two nodes whose only clock goes back and forward", () => {
  const MINUTE = 60_000;

  it.each(["one", "two"])("leave each fire time one outcome, dropped ones too, when only node %s sees it set right", async (survivor) => {
    for (const catchup of ["none", "latest", "all"] as const) {
      const truth = fakeClock(START);
      const clock = wallClock(truth);
      const store = sharedStore();
      const execution = { catchup, overlap: "queue", maxActiveRuns: 1_000 } as const;
      const job = () => pipeline({ id: "job", schedule: cron("*/10 * * * * *"), execution, run: () => {} });
      const node = (name: string) =>
        harness([job()], { clock, store, node: name, random: () => (name === "one" ? 0.25 : 0.75), misfireThreshold: "5s" });
      const nodes = { one: await node("one"), two: await node("two") };
      await truth.advance("65s");
      truth.jump(2 * MINUTE); // the machine slept
      await truth.advance("65s");
      clock.aheadMs = -10 * MINUTE;
      await truth.advance("25s");
      for (const [name, { scheduler }] of Object.entries(nodes)) if (name !== survivor) await scheduler.stop({ drain: 0 });
      clock.aheadMs = 0;
      await truth.advance("2m");
      const { scheduler } = nodes[survivor as "one" | "two"];
      const counts = new Map<number, number>();
      const count = (time: number) => counts.set(time, (counts.get(time) ?? 0) + 1);
      for (const { scheduledFor } of (await scheduler.triggers({ limit: 1_000 })).items) count(scheduledFor?.getTime() ?? 0);
      for (const { scheduledFor, missed } of (await scheduler.decisions({ outcome: "skip", limit: 1_000 })).items)
        for (let time = scheduledFor?.getTime() ?? 0; time <= (missed?.lastAt ?? scheduledFor ?? new Date(0)).getTime(); time += 10_000)
          count(time);
      const wrong: string[] = [];
      for (let time = Date.parse(START) + 10_000; time <= truth.now(); time += 10_000)
        if (counts.get(time) !== 1) wrong.push(`${catchup} ${new Date(time).toISOString()} ${counts.get(time) ?? 0}`);
      expect(wrong).toEqual([]);
      await scheduler.stop({ drain: 0 });
    }
  });
});
