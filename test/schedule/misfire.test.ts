import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Catchup, every, type MisfirePlan, planMisfires } from "../../src/index.js";
import { sampled } from "../support/sampled.js";

const MINUTE = 60_000;

const question = fc.record({
  step: fc.constantFrom(MINUTE, 7 * MINUTE, 60 * MINUTE),
  due: fc.integer({ min: 0, max: 100 }).map((n) => n * MINUTE),
  elapsed: fc.integer({ min: 0, max: 3_000 * MINUTE }),
  catchup: fc.constantFrom<Catchup>("none", "latest", "all"),
  windowMs: fc.integer({ min: 0, max: 2_000 * MINUTE }),
  onTimeMs: fc.constantFrom(0, 30_000, 10 * MINUTE),
  pause: fc.option(fc.tuple(fc.integer({ min: 0, max: 3_000 }), fc.integer({ min: 0, max: 3_000 })), { nil: null }),
  skipped: fc.array(fc.integer({ min: 0, max: 3_000 }), { maxLength: 5 }),
});

describe("a misfire plan", () => {
  it("accounts for every fire time once, and makes exactly those that the policy says", () => {
    fc.assert(
      fc.property(question, ({ step, due, elapsed, catchup, windowMs, onTimeMs, pause, skipped }) => {
        const schedule = every(step);
        const dueAt = schedule.nextAfter(due - 1) as number;
        const now = dueAt + elapsed;
        const paused = pause === null ? [] : [{ from: dueAt + pause[0] * MINUTE, until: dueAt + (pause[0] + pause[1]) * MINUTE }];
        const skips = skipped.map((n) => ({ fireAt: dueAt + n * step, at: due, reason: null, user: null }));
        const isSkipped = (at: number) => skips.some(({ fireAt }) => fireAt === at);
        const plan = planMisfires({ schedule, dueAt, now, catchup, windowMs, onTimeMs, paused, skips });
        const passed: number[] = [];
        for (let at = dueAt; at <= now; at += step) passed.push(at);
        const wasPaused = (at: number) => paused.some(({ from, until }) => at >= from && at < until);
        const newest = passed.findLast((at) => !isSkipped(at));
        const wanted = passed.filter((at) => {
          if (isSkipped(at)) return false;
          if (now - at <= onTimeMs && !wasPaused(at)) return true;
          if (now - at > windowMs || catchup === "none") return false;
          return catchup === "all" || at === newest;
        });
        expect(plan.fires).toEqual(wanted);
        expect(plan.dropped.reduce((sum, { count }) => sum + count, 0)).toBe(passed.length - wanted.length);
        const told = plan.dropped.flatMap(({ firstAt, count }) => Array.from({ length: count }, (_, n) => firstAt + n * step));
        const dropped = passed.filter((at) => !wanted.includes(at));
        expect(told.toSorted((a, b) => a - b)).toEqual(dropped);
        expect(plan.dropped.map(({ firstAt }) => firstAt)).toEqual(plan.dropped.map(({ firstAt }) => firstAt).toSorted((a, b) => a - b));
        for (const { firstAt, count, reason, skip } of plan.dropped) {
          if (count > 1) expect(reason).not.toBe("skipped");
          else if (isSkipped(firstAt)) expect([reason, skip?.fireAt]).toEqual(["skipped", firstAt]);
          else expect(reason === "paused").toBe(wasPaused(firstAt));
        }
        expect(plan.nextFireAt).toBe((passed.at(-1) as number) + step);
      }),
      { numRuns: sampled(1_000) },
    );
  });

  it("of a schedule that was away for a year is cut into pieces that add up", () => {
    const schedule = every("1s");
    const now = 3 * 86_400_000;
    let dueAt: number | null = 1_000;
    let dropped = 0;
    const fires: number[] = [];
    let rounds = 0;
    while (dueAt !== null && dueAt <= now) {
      const plan: MisfirePlan = planMisfires({ schedule, dueAt, now, catchup: "latest", windowMs: 86_400_000, onTimeMs: 0 });
      for (const { count } of plan.dropped) dropped += count;
      fires.push(...plan.fires);
      dueAt = plan.nextFireAt;
      rounds++;
    }
    expect(fires).toEqual([now]);
    expect(dropped).toBe(3 * 86_400 - 1);
    expect(rounds).toBe(26);
  });

  it("has nothing to do before the fire time is due", () => {
    const schedule = every("1h");
    expect(planMisfires({ schedule, dueAt: 10, now: 9, catchup: "all", windowMs: 1, onTimeMs: 0 })).toEqual({
      fires: [],
      dropped: [],
      nextFireAt: 10,
    });
    expect(planMisfires({ schedule, dueAt: null, now: 9, catchup: "all", windowMs: 1, onTimeMs: 0 }).nextFireAt).toBeNull();
  });
});
