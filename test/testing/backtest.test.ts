import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { adaptive, condition, every, freshnessTarget, HeadgateError, pipeline, stale } from "../../src/index.js";
import { freshnessOf } from "../../src/testing/freshness.js";
import { backtest, type HistoricalRun, simulate } from "../../src/testing/index.js";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const T0 = Date.parse("2026-03-02T00:00:00Z");
const job = (rest: object = {}) =>
  pipeline({ id: "sync", schedule: every("1h"), execution: { retries: 2, retryDelay: "1m" }, run: () => {}, ...rest });

/** Hourly runs: each as long, every tenth failed. */
const recorded = (count: number, minutes: number, isGood = (n: number) => n % 10 !== 9): HistoricalRun[] =>
  Array.from({ length: count }, (_, n) => ({
    status: isGood(n) ? "succeeded" : "failed",
    scheduledFor: new Date(T0 + n * HOUR),
    startedAt: new Date(T0 + n * HOUR),
    endedAt: new Date(T0 + n * HOUR + minutes * MINUTE),
    attempt: isGood(n) ? 1 : 3,
  }));

describe("a backtest", () => {
  it("of what was gives what was", async () => {
    const history = recorded(100, 12);
    const { before, after, text } = await backtest({ history, pipeline: job(), maxAge: "2h" });
    expect(before).toMatchObject({ runs: 100, succeeded: 90, failed: 10, retries: 20, busyMs: 1_200 * MINUTE });
    expect(after.runs).toBeGreaterThanOrEqual(98);
    expect(after.succeeded / after.runs).toBeCloseTo(0.9, 1);
    expect(after.freshness.p50Ms).toBeCloseTo(before.freshness.p50Ms as number, -5);
    expect(text).toMatch(/fresh enough +\d/);
  });

  it("shows what another interval would come to: fewer runs, older data", async () => {
    const history = recorded(240, 12, () => true);
    const { before, after } = await backtest({ history, pipeline: job({ schedule: every("4h") }), maxAge: "2h" });
    expect(after.runs).toBeLessThanOrEqual(60);
    expect(after.busyMs).toBeLessThan(before.busyMs / 3.5);
    expect(before.freshness.withinShare).toBe(1);
    expect(after.freshness.withinShare).toBeCloseTo((120 - 12) / 240, 1);
    expect(after.freshness.maxMs).toBe(252 * MINUTE);
  });

  it("plays tuners, and the interval that a freshness target chooses keeps its promise", async () => {
    const history = recorded(400, 12, () => true);
    const schedule = adaptive({
      base: "1h",
      min: "10m",
      max: "12h",
      tuner: freshnessTarget({ maxAge: "3h", share: 0.99 }),
      window: { runs: 50 },
    });
    const { after, intervals } = await backtest({ history, pipeline: job({ schedule }), maxAge: "3h" });
    expect(intervals.length).toBeGreaterThan(0);
    expect(intervals.at(-1)?.toMs).toBeGreaterThan(2 * HOUR);
    expect(after.runs).toBeLessThan(200);
    expect(after.freshness.withinShare).toBeGreaterThanOrEqual(0.99);
  });

  it("plays conditions, and counts the alerts that would have fired on both sides", async () => {
    const history = recorded(100, 12, (n) => n < 50 || n > 55);
    const { before, after } = await backtest({
      history,
      pipeline: job({ alertOn: ["failure"], conditions: [stale({ olderThan: "90m" })] }),
    });
    expect(before.alerts).toMatchObject({ run_failed: 1, consecutive_failures: 1 });
    expect(after.alerts.run_failed).toBe(1);
    expect(after.skipped).toBeGreaterThan(30);
  });

  it("takes exported JSON, and the same input gives the same result", async () => {
    const history = JSON.parse(JSON.stringify(recorded(50, 30))) as HistoricalRun[];
    const one = await backtest({ history, pipeline: job({ schedule: every("2h") }) });
    expect(JSON.stringify(await backtest({ history: [...history].reverse(), pipeline: job({ schedule: every("2h") }) }))).toBe(
      JSON.stringify(one),
    );
  });

  it("says what is wrong with its input", async () => {
    const asked = (options: object) => backtest({ history: recorded(3, 1), pipeline: job(), ...options });
    await expect(asked({ history: [] })).rejects.toThrow(HeadgateError);
    await expect(asked({ from: "2026-03-03", to: "2026-03-02" })).rejects.toThrow(/to must be after from/);
    await expect(
      asked({ history: [{ status: "succeeded", scheduledFor: null, startedAt: "soon", endedAt: "later", attempt: 1 }] }),
    ).rejects.toMatchObject({
      code: "INVALID_INSTANT",
    });
  });

  it("asks conditions that the world must answer", async () => {
    const own = job({ conditions: [condition("own", ({ now }) => now % (2 * HOUR) === 0, { needs: "time" })] });
    expect((await backtest({ history: recorded(20, 1), pipeline: own })).after.skipped).toBeGreaterThanOrEqual(9);
  });
});

describe("freshness", () => {
  it("is what one would see minute by minute", () => {
    const run = fc.record({ wait: fc.integer({ min: 0, max: 200 }), minutes: fc.integer({ min: 1, max: 100 }), isSuccess: fc.boolean() });
    fc.assert(
      fc.property(fc.array(run, { minLength: 1, maxLength: 15 }), fc.integer({ min: 1, max: 400 }), (all, maxAge) => {
        let at = 0;
        const runs = all.map(({ wait, minutes, isSuccess }) => {
          const startedAt = at + wait;
          at = startedAt + minutes;
          return {
            status: isSuccess ? ("succeeded" as const) : ("failed" as const),
            scheduledFor: null,
            startedAt: startedAt * MINUTE,
            endedAt: at * MINUTE,
            attempt: 1,
          };
        });
        const until = at + 50;
        const good = runs.filter(({ status }) => status === "succeeded");
        const found = freshnessOf(runs, until * MINUTE, maxAge * MINUTE);
        if (good.length === 0) {
          expect(found.withinShare).toBeNull();
          return;
        }
        let [fresh, seen] = [0, 0];
        for (let minute = (good[0]?.endedAt ?? 0) / MINUTE; minute < until; minute++) {
          const newest = good.filter(({ endedAt }) => endedAt <= minute * MINUTE).at(-1)?.startedAt ?? 0;
          seen++;
          if (minute * MINUTE - newest < maxAge * MINUTE) fresh++;
        }
        expect(found.withinShare).toBeCloseTo(fresh / seen, 9);
      }),
    );
  });
});

describe("a simulation", () => {
  it("plays adaptive schedules, and tells how their intervals changed", async () => {
    const schedule = adaptive({ base: "1h", min: "30m", max: "4h", tuner: (_, ms) => ({ interval: ms * 0.8, reason: "faster" }) });
    const { intervals, runs } = await simulate({ pipelines: [job({ schedule })], from: "2026-03-02", to: "2026-03-03" });
    expect(intervals.map(({ toMs }) => toMs / MINUTE)).toEqual([48, 38.4, 30.72, 30]);
    expect(runs.length).toBeGreaterThan(40);
  });
});
