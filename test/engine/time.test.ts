import { describe, expect, it } from "vitest";
import { cron, every, memoryStore, pipeline } from "../../src/index.js";
import { type FakeClock, fakeClock } from "../../src/testing/index.js";
import { harness, START, timeOf } from "../support/harness.js";

const ok = () => {};

describe("time that jumps", () => {
  it("forward: is noticed within the trust of a timer, told, and catchup makes up", async () => {
    const { scheduler, clock, heard } = await harness([pipeline({ id: "hourly", schedule: cron("0 * * * *"), run: ok })]);
    await clock.advance("10m");
    clock.jump(5 * 3_600_000);
    await clock.advance("30s");
    expect(heard("clock.jumped")).toEqual([{ kind: "stepped", byMs: 5 * 3_600_000 }]);
    expect((await scheduler.runs()).items.map(({ scheduledFor }) => timeOf(scheduledFor))).toEqual(["05:00:00"]);
    expect((await scheduler.decisions({ outcome: "skip" })).items).toHaveLength(4);
    await scheduler.stop();
  });

  it("backward: fires nothing twice and goes on", async () => {
    const { scheduler, clock, heard } = await harness([pipeline({ id: "hourly", schedule: cron("0 * * * *"), run: ok })]);
    await clock.advance("3h10m");
    clock.jump(-2 * 3_600_000);
    await clock.advance("5h");
    expect(heard("clock.jumped")).toEqual([{ kind: "stepped", byMs: -2 * 3_600_000 }]);
    const fired = (await scheduler.triggers()).items.map(({ scheduledFor }) => timeOf(scheduledFor)).toReversed();
    expect(fired).toEqual(["01:00:00", "02:00:00", "03:00:00", "04:00:00", "05:00:00", "06:00:00"]);
    await scheduler.stop();
  });

  it("far ahead and back again: schedules that a wrong clock carried away are planned anew", async () => {
    const store = memoryStore();
    const wrong = fakeClock("2031-01-01T00:10:00Z");
    const daily = pipeline({ id: "daily", schedule: cron("0 2 * * *"), run: ok });
    const first = await harness([daily], { clock: wrong, store });
    await wrong.advance("3h");
    await first.scheduler.stop();
    const right = fakeClock(START);
    const second = await harness([daily], { clock: right, store });
    await right.advance("3h");
    expect((await second.scheduler.runs({ until: "2030-01-01" })).items.map(({ scheduledFor }) => timeOf(scheduledFor))).toEqual([
      "02:00:00",
    ]);
    await second.scheduler.stop();
  });

  it("stands still while nothing could run: that is told too", async () => {
    const base = fakeClock(START);
    let lateMs = 0;
    const clock = { ...methodsOf(base), setTimer: (ms: number, fn: () => void) => base.setTimer(ms + lateMs, fn) };
    const { scheduler, heard } = await harness([pipeline({ id: "a", schedule: every("10s"), run: ok })], { clock });
    await base.advance("1m");
    expect(heard("clock.jumped")).toEqual([]);
    lateMs = 120_000;
    await base.advance("5m");
    expect(heard("clock.jumped")[0]).toEqual({ kind: "stalled", byMs: 100_000 });
    await scheduler.stop();
  });
});

/** A clock's own methods, bound, so that one of them can be replaced. */
function methodsOf(clock: FakeClock): FakeClock {
  return {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    setTimer: (ms, fn) => clock.setTimer(ms, fn),
    sleep: (ms, signal) => clock.sleep(ms, signal),
    track: (promise, kind, name) => clock.track?.(promise, kind, name),
    advance: (by) => clock.advance(by),
    advanceTo: (to) => clock.advanceTo(to),
    settle: () => clock.settle(),
    unsettled: clock.unsettled,
    jump: (ms) => clock.jump(ms),
  };
}
