import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { adapt } from "../../src/adaptive/adaptive.js";
import { freshnessModel, staleShare } from "../../src/adaptive/freshness-model.js";
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
import { randomFrom } from "../../src/testing/random.js";

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
    expect(asked([...good.slice(0, 3), run(5, false)])).toMatchObject({
      isChange: false,
      reason: expect.stringContaining("second confirmation"),
    });
    expect(asked([...twoBad, run(5, false), run(5, false)])).toMatchObject({ isChange: true, intervalMs: 90 * MINUTE });
  });

  it("waits for its cooldown", () => {
    expect(asked(runs(20, 5), HOUR, 9.5 * HOUR)).toMatchObject({
      isChange: false,
      reason: expect.stringContaining("in cooldown for another 30m"),
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
  /** Runs at an interval as they would go, from random numbers, and the share of the time in which data was too old. */
  function simulated(failureShare: number, minutes: number, interval: number, maxAge: number, seed: number): number {
    const random = randomFrom(seed);
    let [stale, last, at] = [0, null as number | null, 0];
    for (let n = 0; n < 20_000; n++) {
      if (random() >= failureShare) {
        if (last !== null) stale += Math.max(0, at + minutes - last - maxAge);
        last = at;
      }
      at += Math.max(interval, minutes);
    }
    return stale / at;
  }

  it("expects what happens", () => {
    fc.assert(
      fc.property(
        fc.record({
          failureShare: fc.double({ min: 0, max: 0.6, noNaN: true }),
          minutes: fc.integer({ min: 1, max: 60 }),
          interval: fc.integer({ min: 5, max: 200 }),
          seed: fc.nat(),
        }),
        ({ failureShare, minutes, interval, seed }) => {
          const model = { failureShare, isClustered: false, outages: [], outageRate: 0, durations: [minutes] };
          expect(Math.abs(staleShare(model, interval, 180) - simulated(failureShare, minutes, interval, 180, seed))).toBeLessThan(0.02);
        },
      ),
      { numRuns: 30 },
    );
  });

  it("expects an outage to make data old, more so at longer intervals", () => {
    const model = { failureShare: 0, isClustered: true, outages: [120], outageRate: 1 / 1_440, durations: [10] };
    const at = (interval: number) => staleShare(model, interval, 180);
    expect(at(30)).toBe(0); // 30 and 120 minutes, and at most 10 until the next run, which takes 10
    expect(at(90)).toBeGreaterThan(at(60));
    expect(at(60)).toBeGreaterThan(0);
    expect(at(60)).toBeLessThan((60 + 20 + 10 + 120 - 180) / 1_440);
  });

  it("chooses a shorter interval the fewer runs it knows, and the more of them failed", () => {
    const tuner = freshnessTarget({ maxAge: "3h", share: 0.99 });
    const at = (samples: readonly RunSample[]) => Number(wants(tuner, samples, 3 * HOUR).interval) / MINUTE;
    const spaced = (count: number, isFailure = (_: number) => false) =>
      Array.from({ length: count }, (_, n) => run(20, !isFailure(n), null, n * HOUR));
    expect(at(spaced(1_000))).toBeGreaterThan(150);
    expect(at(spaced(1_000))).toBeLessThanOrEqual(162); // 3 h less the 20 minutes that a run takes, and 1 %
    expect(at(spaced(3))).toBeLessThan(70);
    expect(at(spaced(20))).toBeLessThan(at(spaced(100)));
    expect(at(spaced(100))).toBeLessThanOrEqual(at(spaced(1_000)));
    expect(at(spaced(200, (n) => n % 10 === 0))).toBeLessThanOrEqual(80); // two intervals must fit
    expect(wants(tuner, spaced(20), HOUR).reason).toContain("20 runs, 0 failed, p95 20m");
  });

  it("shortens at once, and lengthens by at most a quarter", () => {
    const tuner = freshnessTarget({ maxAge: "3h" });
    const samples = Array.from({ length: 200 }, (_, n) => run(20, true, null, n * HOUR));
    expect(wants(tuner, samples, HOUR)).toMatchObject({
      interval: 75 * MINUTE,
      reason: expect.stringContaining("at most 25 % longer at a time"),
    });
    expect(wants(tuner, samples, 3 * HOUR)).toMatchObject({ isUrgent: true });
  });

  it("has the run after a failed one come sooner where failures tend to repeat, and goes back after a success", () => {
    const tuner = freshnessTarget({ maxAge: "3h" });
    const isInBurst = (n: number) => n % 50 > 44;
    const samples = Array.from({ length: 149 }, (_, n) => run(20, !isInBurst(n), null, n * HOUR));
    const calm = Number(wants(tuner, samples.slice(0, 140), 12 * HOUR).interval);
    const soon = wants(tuner, samples.slice(0, 147), calm);
    expect(Number(soon.interval)).toBeLessThan(calm / 2);
    expect(soon.reason).toContain("the newest run failed and failures tend to repeat");
    expect(
      Number(wants(tuner, [...samples.slice(0, 147), run(20, true, null, 147 * HOUR)], Number(soon.interval)).interval),
    ).toBeGreaterThan(2 * Number(soon.interval));
  });

  it("comes as near as it can when no interval keeps it, and waits for a first success", () => {
    const tuner = freshnessTarget({ maxAge: "30m", share: 0.99 });
    const { interval, reason } = wants(tuner, runs(10, 40));
    expect(Number(interval)).toBeLessThanOrEqual(40 * MINUTE);
    expect(reason).toContain("no interval keeps");
    expect(wants(tuner, runs(10, 40, 10))).toEqual({ interval: HOUR, reason: "no run has succeeded" });
  });

  it("never chooses an interval that it expects to break the promise without saying so", () => {
    const sample = fc.record({ minutes: fc.integer({ min: 1, max: 60 }), isSuccess: fc.boolean() });
    fc.assert(
      fc.property(fc.array(sample, { minLength: 3, maxLength: 60 }), fc.integer({ min: 60, max: 600 }), (all, maxAge) => {
        const samples = all.map(({ minutes, isSuccess }, n) => run(minutes, isSuccess, null, n * HOUR));
        const { interval, reason } = wants(freshnessTarget({ maxAge: maxAge * MINUTE, share: 0.95 }), samples, 24 * HOUR);
        if (!samples.some(({ isSuccess }) => isSuccess) || reason.includes("comes near")) return;
        expect(staleShare(freshnessModel(samples), Number(interval), maxAge * MINUTE)).toBeLessThanOrEqual(0.05);
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
