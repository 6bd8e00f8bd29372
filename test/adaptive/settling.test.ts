import { describe, expect, it } from "vitest";
import { type AdaptiveOptions, adaptive, combine, dataVolumeBased, loadBased, performanceBased, pipeline } from "../../src/index.js";
import { simulate } from "../../src/testing/index.js";
import { type Course, DAY, DAYS, HOUR, MINUTE, play, type World } from "./worlds.js";

const SEEDS = Array.from({ length: 10 }, (_, n) => n + 1);
/** Days after which an interval should have settled. */
const SETTLED = 15 * DAY;

const PERFORMANCE = { base: "1h", min: "30m", max: "4h", tuner: performanceBased() } satisfies AdaptiveOptions;
const VOLUME = { base: "1h", min: "15m", max: "6h", tuner: dataVolumeBased() } satisfies AdaptiveOptions;

/** Every start with every seed. */
function courses(options: AdaptiveOptions, world: World, seeds: readonly number[] = SEEDS): Course[] {
  const { policy } = adaptive(options);
  return [policy.minMs, policy.baseMs, policy.maxMs].flatMap((intervalMs) =>
    seeds.map((seed) => play(world, seed, { intervalMs, policy })),
  );
}

/** Changes of direction in the settled days, per day. */
function reversalsADay({ changes }: Course): number {
  const signs = changes.filter(({ at }) => at >= SETTLED).map(({ fromMs, toMs }) => Math.sign(toMs - fromMs));
  return signs.filter((sign, n) => n > 0 && sign !== signs[n - 1]).length / (DAYS - SETTLED / DAY);
}

/** Mean interval from one instant to another, ms. */
function meanInterval({ runs }: Course, from = SETTLED, to = Number.POSITIVE_INFINITY): number {
  const fires = runs.flatMap(({ fireAt }) => (fireAt >= from && fireAt < to ? [fireAt] : []));
  return ((fires.at(-1) as number) - (fires[0] as number)) / (fires.length - 1);
}

function expectOneInterval(all: readonly Course[], minutes: number): void {
  for (const course of all) {
    expect(Math.abs(course.intervalMs / MINUTE / minutes - 1), `ends at ${course.intervalMs / MINUTE} min`).toBeLessThan(0.15);
    expect(reversalsADay(course)).toBeLessThanOrEqual(1);
  }
}

const succeeding =
  (share: number): World =>
  () =>
  ({ random }) => ({ minutes: 10, isSuccess: random() < share });

/** Successes with so many records an hour, spread by a factor of e^±noise. */
const arriving =
  (perHour: (at: number) => number, noise = 0): World =>
  () =>
  ({ at, sinceSuccessMs, random }) => ({
    minutes: 10,
    isSuccess: true,
    records: Math.round((perHour(at) * sinceSuccessMs * Math.exp(noise * (2 * random() - 1))) / HOUR),
  });

describe("a performance-based interval", () => {
  it.each([
    [0.3, 240],
    [0.6, 240],
    [0.8, 60],
    [0.87, 60],
    [0.9, 60],
    [0.93, 60],
    [0.95, 60],
    [0.98, 30],
    [1, 30],
  ])("settles on one interval while a share of %s succeeds: %s min", (share, minutes) => {
    const all = courses(PERFORMANCE, succeeding(share));
    expectOneInterval(all, minutes);
  });

  it("settles on one interval when the limit is where the share is", () => {
    expectOneInterval(courses({ ...PERFORMANCE, tuner: performanceBased({ successRateBelow: 0.9 }) }, succeeding(0.9)), 60);
  });

  it("settles on the base while runs are reliable, but take long", () => {
    expectOneInterval(
      courses(PERFORMANCE, () => ({ random }) => ({ minutes: 32 + 6 * random(), isSuccess: true })),
      60,
    );
  });

  it.each([0, 3, 7, 11, 17, 23])("is back at its base within 12 h of an outage of 48 h that begins at %s h", (hour) => {
    const begin = 10 * DAY + hour * HOUR + 13 * MINUTE;
    const end = begin + 2 * DAY;
    const { changes } = play(
      () =>
        ({ at }) => ({ minutes: 10, isSuccess: at < begin || at >= end }),
      1,
      {
        intervalMs: HOUR,
        policy: adaptive(PERFORMANCE).policy,
      },
    );
    expect(changes.find(({ at, toMs }) => at > begin && toMs === 4 * HOUR)?.at).toBeLessThan(end);
    const back = changes.find(({ at, toMs }) => at >= end && toMs <= HOUR);
    expect(back?.at).toBeLessThanOrEqual(end + 12 * HOUR);
    expect(back?.reason).toContain("in the 2 runs since that changed, 10m on average: back to the base interval");
    expect(
      meanInterval(
        {
          runs: play(
            () =>
              ({ at }) => ({ minutes: 10, isSuccess: at < begin || at >= end }),
            1,
            { intervalMs: HOUR, policy: adaptive(PERFORMANCE).policy },
          ).runs,
          changes,
          intervalMs: 0,
        },
        end + DAY,
      ),
    ).toBe(30 * MINUTE);
  });
});

describe("an interval by the volume of data", () => {
  it.each([
    [0.05, 60],
    [0.3, 60],
    [0.9, 60],
    [1, 60],
    [2, 30],
    [3, 20],
    [10, 15],
  ])("settles on one interval while %s million records arrive an hour: %s min", (millions, minutes) => {
    expectOneInterval(
      courses(
        VOLUME,
        arriving(() => millions * 1_000_000),
        [1],
      ),
      minutes,
    );
  });

  it.each([
    [0.3, 60],
    [3, 20],
  ])("settles near one interval while about %s million arrive an hour", (millions, minutes) => {
    for (const course of courses(
      VOLUME,
      arriving(() => millions * 1_000_000, 0.5),
    ))
      expect(Math.abs(meanInterval(course) / MINUTE / minutes - 1)).toBeLessThan(0.15);
  });

  it.each([
    [40, 60],
    [50, 360],
  ])("settles on one interval while runs take about %s min: %s min", (duration, minutes) => {
    expectOneInterval(
      courses(VOLUME, () => ({ random }) => ({ minutes: duration - 5 + 10 * random(), isSuccess: true, records: 1_000 })),
      minutes,
    );
  });

  it("comes back from one busy day, and from a week of long runs", () => {
    const policy = adaptive(VOLUME).policy;
    const busy = play(
      arriving((at) => (at >= 10 * DAY && at < 11 * DAY ? 3_000_000 : 50_000)),
      1,
      { intervalMs: HOUR, policy },
    );
    expect(meanInterval(busy, 10.5 * DAY, 11 * DAY)).toBeLessThan(25 * MINUTE);
    expect(meanInterval(busy, 11.25 * DAY)).toBe(HOUR);
    const long = play(
      () =>
        ({ at }) => ({ minutes: at >= 5 * DAY && at < 12 * DAY ? 60 : 5, isSuccess: true, records: 1_000 }),
      1,
      { intervalMs: HOUR, policy },
    );
    expect(meanInterval(long, 8 * DAY, 12 * DAY)).toBe(6 * HOUR);
    expect(meanInterval(long, 14 * DAY)).toBe(HOUR);
  });

  it("follows a day with much and a night with little", () => {
    const course = play(
      arriving((at) => (at % DAY < DAY / 2 ? 3_000_000 : 50_000)),
      1,
      { intervalMs: HOUR, policy: adaptive(VOLUME).policy },
    );
    const night = [20, 21, 22, 23].map((day) => meanInterval(course, day * DAY + 16 * HOUR, (day + 1) * DAY));
    const day = [20, 21, 22, 23].map((day) => meanInterval(course, day * DAY + 4 * HOUR, day * DAY + 12 * HOUR));
    for (const one of night) expect(one).toBe(HOUR);
    for (const one of day) expect(one).toBeLessThan(25 * MINUTE);
  });
});

describe("combined tuners", () => {
  it("do not stay at the longest interval after an outage", () => {
    const options = { ...VOLUME, tuner: combine(performanceBased(), dataVolumeBased()) };
    const goes: World = (seed) => {
      const arrives = arriving(() => 3_000_000)(seed);
      return (start) => ({ ...arrives(start), isSuccess: start.at < 5 * DAY || start.at >= 6 * DAY });
    };
    for (const course of courses(options, goes, [1])) {
      expect(course.changes.some(({ at, toMs }) => at > 5 * DAY && at < 6 * DAY && toMs > 4 * HOUR)).toBe(true);
      expect(course.changes.find(({ at, toMs }) => at >= 6 * DAY && toMs <= HOUR)?.at).toBeLessThan(6.75 * DAY);
      expect(meanInterval(course, 10 * DAY)).toBeLessThan(21 * MINUTE);
    }
  });
});

describe("a load-based interval", () => {
  const T0 = Date.parse("2026-01-01T00:00:00Z");
  const sync = pipeline({ id: "sync", schedule: adaptive({ base: "2h", min: "1h", max: "8h", tuner: loadBased() }), run: () => {} });
  const played = (load: (at: number) => number, days = 14) =>
    simulate({
      pipelines: [sync],
      from: T0,
      to: T0 + days * DAY,
      load: (at) => ({ cpu: load(at.getTime() - T0), memory: 0.4 }),
      world: { run: () => ({ duration: "10m" }) },
    });

  it("is long by day and short by night where the day is loaded", async () => {
    const { intervals } = await played((at) => (at % DAY >= 8 * HOUR && at % DAY < 20 * HOUR ? 0.9 : 0.15));
    const at = (instant: number) => intervals.filter((one) => one.at.getTime() - T0 <= instant).at(-1)?.toMs;
    for (let day = 3; day < 14; day++) {
      expect(at(day * DAY + 6 * HOUR)).toBe(HOUR);
      expect(at(day * DAY + 15 * HOUR)).toBe(8 * HOUR);
      const signs = intervals
        .filter((one) => Math.floor((one.at.getTime() - T0) / DAY) === day)
        .map(({ fromMs, toMs }) => Math.sign(toMs - fromMs));
      expect(signs.length).toBeLessThanOrEqual(6);
      expect(signs.filter((sign, n) => n > 0 && sign !== signs[n - 1]).length).toBeLessThanOrEqual(2);
    }
  });

  it("settles while the load is the same, and where it is its own", async () => {
    const constant = await played(() => 0.7);
    expect(constant.intervals).toEqual([]);
    expect((await played(() => 0.95)).intervals.map(({ toMs }) => toMs / HOUR)).toEqual([4, 8]);
    expect((await played(() => 0.1)).intervals.at(-1)?.toMs).toBe(HOUR);
  });

  it("settles where the load is all its own", () => {
    for (const busyMs of [0.2, 0.6, 1, 1.5, 2.5].map((hours) => hours * HOUR)) {
      for (const intervalMs of [HOUR, 2 * HOUR, 8 * HOUR]) {
        let [interval, changes] = [intervalMs, 0];
        for (let look = 0; look < 50; look++) {
          const cpu = Math.min(1, busyMs / interval);
          const next = loadBased()({ ...NOTHING, cpu }, interval, { baseMs: 2 * HOUR, minMs: HOUR, maxMs: 8 * HOUR });
          const ms = Math.min(8 * HOUR, Math.max(HOUR, Number(next.interval)));
          if (ms !== interval) changes++;
          interval = ms;
        }
        expect(changes, `${busyMs / HOUR} h busy, from ${intervalMs / HOUR} h`).toBeLessThanOrEqual(6);
      }
    }
  });
});

const NOTHING = {
  samples: [],
  successRate: null,
  duration: null,
  lastRecords: null,
  meanRecords: null,
  recordsTrend: null,
  cpu: null,
  memory: null,
  queueLength: null,
};
