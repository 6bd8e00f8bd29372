import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { adapt } from "../../src/adaptive/adaptive.js";
import { freshShare } from "../../src/adaptive/freshness-target.js";
import { performanceOf, type RunSample } from "../../src/adaptive/performance.js";
import {
  adaptive,
  combine,
  dataVolumeBased,
  freshnessTarget,
  HeadgateError,
  loadBased,
  pattern,
  performanceBased,
  type Tuner,
} from "../../src/index.js";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const run = (minutes: number, isSuccess = true, records: number | null = null, at = 0): RunSample => ({
  startedAt: at,
  endedAt: at + minutes * MINUTE,
  isSuccess,
  retries: 0,
  records,
});
const runs = (count: number, minutes: number, failed = 0) => Array.from({ length: count }, (_, n) => run(minutes, n >= failed));
const wants = (tuner: Tuner, samples: readonly RunSample[], interval = HOUR, load = {}) =>
  tuner(performanceOf(samples, { cpu: null, memory: null, queueLength: null, ...load }), interval);

describe("a performance-based tuner", () => {
  it.each([
    ["20 quick successes", runs(20, 10), 0.8],
    ["20 slow successes", runs(20, 31), 1],
    ["19 of 20 succeeded", runs(20, 10, 1), 1],
    ["16 of 20 succeeded", runs(20, 10, 4), 1],
    ["15 of 20 succeeded", runs(20, 10, 5), 1.5],
    ["none succeeded", runs(20, 10, 20), 1.5],
    ["no runs", [], 1],
  ])("of %s moves the interval as the facts say", (_, samples, factor) => {
    expect(wants(performanceBased(), samples).interval).toBeCloseTo(HOUR * factor);
  });
});

describe("a load-based tuner", () => {
  it.each([
    ["cpu", { cpu: 0.81 }, 2],
    ["memory", { memory: 0.86 }, 2],
    ["queue", { queueLength: 6 }, 2],
    ["all of it high", { cpu: 1, memory: 1, queueLength: 100 }, 2],
    ["all of it calm", { cpu: 0.2, memory: 0.3, queueLength: 0 }, 0.7],
    ["in between", { cpu: 0.7, memory: 0.3, queueLength: 0 }, 1],
    ["at the limit", { cpu: 0.8, memory: 0.3 }, 1],
    ["nothing known", {}, 1],
  ])("goes by %s", (_, load, factor) => {
    expect(wants(loadBased(), [], HOUR, load).interval).toBeCloseTo(HOUR * factor);
  });
});

describe("a tuner by the volume of data", () => {
  it.each([
    ["a million and one records", [run(10, true, 1_000_001)], 0.6],
    ["a million records", [run(10, true, 1_000_000)], 1],
    ["much, but slowly", [run(46, true, 5_000_000)], 1.8],
    ["nothing said", [run(10)], 1],
  ])("of %s moves the interval as the facts say", (_, samples, factor) => {
    expect(wants(dataVolumeBased(), samples).interval).toBeCloseTo(HOUR * factor);
  });

  it("tells the trend", () => {
    const samples = [100, 100, 200, 200].map((records) => run(1, true, records));
    expect(performanceOf(samples).recordsTrend).toBe(1);
    expect(wants(dataVolumeBased(), samples).reason).toContain("+100 %");
  });
});

describe("several tuners", () => {
  it("together are as cautious as the most cautious", () => {
    const slow: Tuner = (_, interval) => ({ interval: interval * 1.2, reason: "slow" });
    const fast: Tuner = (_, interval) => ({ interval: interval * 0.5, reason: "fast" });
    expect(wants(combine(fast, slow), [])).toEqual({ interval: HOUR * 1.2, reason: "the most cautious of 2: slow" });
    expect(() => combine()).toThrow(HeadgateError);
  });

  it("say what is wrong with their options", () => {
    expect(() => performanceBased({ speedUp: 1.5 })).toThrow(/speedUp/);
    expect(() => loadBased({ slowDown: 0.5 })).toThrow(/slowDown/);
    expect(() => adaptive({ base: "1h", min: "2h", max: "4h", tuner: loadBased() })).toThrow(/in this order/);
    expect(() => adaptive({ base: "1h", min: "1h", max: "4h", tuner: loadBased(), window: { runs: 2 } })).toThrow(/minRuns/);
    expect(() => freshnessTarget({ maxAge: "1h", share: 2 })).toThrow(/share/);
  });
});

describe("what becomes of a tuner's wish", () => {
  const { policy } = adaptive({ base: "1h", min: "30m", max: "4h", tuner: performanceBased(), minRuns: 3 });
  const NONE = { cpu: null, memory: null, queueLength: null };
  const asked = (samples: readonly RunSample[], interval = HOUR, changedAt: number | null = null, now = 10 * HOUR) =>
    adapt(policy, interval, changedAt, samples, NONE, now);

  it("too few runs change nothing", () => {
    expect(asked(runs(2, 5))).toMatchObject({ isChange: false, intervalMs: HOUR });
    expect(asked(runs(4, 5))).toMatchObject({ isChange: true, intervalMs: 48 * MINUTE });
  });

  it("one odd run changes nothing: it must show twice", () => {
    const good = runs(8, 5);
    const twoBad = [...runs(6, 5), run(5, false), run(5, false)];
    expect(asked([...runs(7, 5), run(5, false)]).isChange).toBe(false); // 7 of 8, between the limits
    expect(asked([...good.slice(0, 3), run(5, false)])).toMatchObject({ isChange: false, reason: expect.stringContaining("twice") });
    expect(asked([...twoBad, run(5, false), run(5, false)])).toMatchObject({ isChange: true, intervalMs: 90 * MINUTE });
  });

  it("waits for its cooldown", () => {
    expect(asked(runs(20, 5), HOUR, 9.5 * HOUR)).toMatchObject({
      isChange: false,
      reason: expect.stringContaining("cools down for another 30m"),
    });
    expect(asked(runs(20, 5), HOUR, 9 * HOUR)).toMatchObject({ isChange: true });
  });

  it("stays within its bounds, and says that it is at one", () => {
    expect(asked(runs(20, 5), 30 * MINUTE)).toMatchObject({ isChange: false, reason: expect.stringContaining("at its shortest") });
    expect(asked(runs(20, 5, 20), 3 * HOUR)).toMatchObject({ intervalMs: 4 * HOUR });
  });

  it("looks only at what is young enough", () => {
    const young = adaptive({ base: "1h", min: "30m", max: "4h", tuner: performanceBased(), window: { age: "2h" } }).policy;
    const old = runs(20, 5, 20);
    const fresh = Array.from({ length: 5 }, (_, n) => run(5, true, null, 9 * HOUR + n * MINUTE));
    expect(adapt(young, HOUR, null, [...old, ...fresh], NONE, 10 * HOUR)).toMatchObject({ isChange: true, intervalMs: 48 * MINUTE });
  });

  it("never leaves its bounds, and never changes within its cooldown, whatever a tuner wants", () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ minutes: fc.integer({ min: 0, max: 500 }), isSuccess: fc.boolean() }), { maxLength: 40 }),
        fc.double({ min: 0.01, max: 50, noNaN: true }),
        (all, factor) => {
          const wild = adaptive({ base: "1h", min: "10m", max: "5h", tuner: (_, ms) => ({ interval: ms * factor, reason: "" }) }).policy;
          let [interval, changedAt, now] = [HOUR, null as number | null, 0];
          const seen: RunSample[] = [];
          for (const one of all) {
            now += interval;
            seen.push(run(one.minutes, one.isSuccess, null, now));
            const next = adapt(wild, interval, changedAt, seen, NONE, now);
            expect(next.intervalMs).toBeGreaterThanOrEqual(10 * MINUTE);
            expect(next.intervalMs).toBeLessThanOrEqual(5 * HOUR);
            if (!next.isChange) continue;
            if (changedAt !== null) expect(now - changedAt).toBeGreaterThanOrEqual(wild.cooldownMs);
            [interval, changedAt] = [next.intervalMs, now];
          }
        },
      ),
    );
  });
});

describe("a freshness target", () => {
  /** The same, minute by minute. */
  function bruteForce(samples: readonly RunSample[], interval: number, maxAge: number): number {
    const played: { start: number; end: number; isSuccess: boolean }[] = [];
    let start = 0;
    for (const one of [...samples, ...samples]) {
      const end = start + (one.endedAt - one.startedAt);
      played.push({ start, end, isSuccess: one.isSuccess });
      do start += interval;
      while (start < end);
    }
    const good = played.filter(({ isSuccess }) => isSuccess);
    const [first, last] = [good[0], good.at(-1)];
    if (first === undefined || last === undefined || first === last) return 1;
    let [all, fresh] = [0, 0];
    for (let t = first.end; t < last.end; t += MINUTE) {
      const newest = good.filter(({ end }) => end <= t).at(-1);
      all++;
      if (newest !== undefined && t - newest.start < maxAge) fresh++;
    }
    return all === 0 ? 1 : fresh / all;
  }

  it("reckons as one would minute by minute", () => {
    const sample = fc.record({ minutes: fc.integer({ min: 1, max: 90 }), isSuccess: fc.boolean() });
    fc.assert(
      fc.property(
        fc.array(sample, { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 1, max: 120 }),
        fc.integer({ min: 1, max: 300 }),
        (all, interval, maxAge) => {
          const samples = all.map(({ minutes, isSuccess }) => run(minutes, isSuccess));
          expect(freshShare(samples, interval * MINUTE, maxAge * MINUTE)).toBeCloseTo(
            bruteForce(samples, interval * MINUTE, maxAge * MINUTE),
            9,
          );
        },
      ),
    );
  });

  it("chooses the longest interval that keeps the promise", () => {
    const tuner = freshnessTarget({ maxAge: "3h", share: 1 });
    const { interval, reason } = wants(tuner, runs(20, 20));
    expect(Number(interval)).toBeLessThanOrEqual(160 * MINUTE); // 3 h less the 20 minutes that a run takes
    expect(Number(interval)).toBeGreaterThan(155 * MINUTE);
    expect(reason).toContain("20 runs, 0 failed, p95 20m");
    const withFailures = wants(tuner, runs(20, 20, 1));
    expect(Number(withFailures.interval)).toBeLessThanOrEqual(80 * MINUTE); // two intervals must fit
    expect(Number(wants(freshnessTarget({ maxAge: "3h", share: 0.9 }), runs(20, 20, 1)).interval)).toBeGreaterThan(120 * MINUTE);
  });

  it("comes as near as it can when no interval keeps it", () => {
    const { interval, reason } = wants(freshnessTarget({ maxAge: "30m", share: 0.99 }), runs(10, 40));
    expect(Number(interval)).toBeLessThanOrEqual(40 * MINUTE);
    expect(reason).toContain("no interval keeps it");
  });

  it("is kept by the chosen interval in the same reckoning, whatever the runs were", () => {
    const sample = fc.record({ minutes: fc.integer({ min: 1, max: 30 }), isSuccess: fc.boolean() });
    fc.assert(
      fc.property(fc.array(sample, { minLength: 3, maxLength: 30 }), fc.integer({ min: 60, max: 600 }), (all, maxAge) => {
        const samples = all.map(({ minutes, isSuccess }) => run(minutes, isSuccess));
        const { interval, reason } = wants(freshnessTarget({ maxAge: maxAge * MINUTE, share: 0.95 }), samples);
        if (!samples.some(({ isSuccess }) => isSuccess) || reason.startsWith("no interval")) return;
        expect(freshShare(samples, Number(interval), maxAge * MINUTE)).toBeGreaterThanOrEqual(0.949);
        expect(freshShare(samples, Number(interval) / 0.96, maxAge * MINUTE) < 0.95 || Number(interval) / 0.96 > maxAge * MINUTE).toBe(
          true,
        );
      }),
    );
  });
});

describe("the adaptive patterns", () => {
  it.each([
    ["performance_based", "every 1h, adapting from 30m to 4h"],
    ["load_based", "every 2h, adapting from 1h to 8h"],
    ["data_volume_based", "every 1h, adapting from 15m to 6h"],
  ] as const)("%s adapt", (name, words) => {
    const { schedule } = pattern(name);
    expect([schedule.kind, schedule.describe()]).toEqual(["adaptive", words]);
  });
});
