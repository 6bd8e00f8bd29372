import { afterEach, describe, expect, it } from "vitest";
import { type Catchup, cron, memoryStore, pipeline, type Schedule, type Scheduler, type Store } from "../../src/index.js";
import { fakeClock } from "../../src/testing/index.js";
import { bound } from "../support/bound-store.js";
import { type Harness, harness, START } from "../support/harness.js";
import { sharedStore } from "../support/shared-store.js";
import { places } from "../support/stores.js";
import { type WallClock, wallClock } from "../support/wall-clock.js";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const STEPS = [30 * SECOND, 10 * MINUTE, 12 * HOUR, 30 * HOUR, 400 * DAY].flatMap((ms) => [ms, -ms]);
const SCHEDULES: readonly (readonly [string, Schedule, number])[] = [
  ["every second", cron("* * * * * *"), MINUTE],
  ["every minute", cron("* * * * *"), 12 * MINUTE],
  ["hourly", cron("0 * * * *"), 2 * HOUR],
];
const CATCHUPS: readonly Catchup[] = ["none", "latest", "all"];

const { sqlite, postgres } = await places();
const running: Scheduler[] = [];
afterEach(async () => {
  for (const scheduler of running.splice(0)) await scheduler.stop({ drain: 0 });
});

interface World {
  readonly truth: ReturnType<typeof fakeClock>;
  readonly clocks: readonly [WallClock, WallClock];
  readonly nodes: readonly [Harness, Harness];
  readonly store: Store;
  readonly startAt: number;
  /** When triggers were made in real time, by id. */
  readonly madeAt: ReadonlyMap<string, number>;
}

/** Two nodes on one store, whose server has the right time or none. */
async function world(place: () => Store, hasClock: boolean, schedule: Schedule, catchup: Catchup): Promise<World> {
  const truth = fakeClock(START);
  const clocks = [wallClock(truth), wallClock(truth)] as const;
  const job = () => pipeline({ id: "job", schedule, execution: { catchup, overlap: "queue", maxActiveRuns: 100_000 }, run: () => {} });
  const madeAt = new Map<string, number>();
  const open = (): Store => {
    const store = bound(place());
    return {
      ...store,
      pollMs: 5_000,
      serverTime: async () => (hasClock ? truth.now() : null),
      fire: async (requests, now) => {
        const results = await store.fire(requests, now);
        for (const { id } of results.flatMap(({ triggers }) => triggers)) madeAt.set(id, truth.now());
        return results;
      },
    };
  };
  const node = async (clock: WallClock, name: string): Promise<Harness> => {
    const made = await harness([job()], { clock, store: open(), node: name, random: () => (name === "one" ? 0.25 : 0.75) }); // ids of their own
    running.push(made.scheduler);
    return made;
  };
  const nodes = [await node(clocks[0], "one"), await node(clocks[1], "two")] as const;
  const store = open();
  await store.open();
  return { truth, clocks, nodes, store, startAt: truth.now(), madeAt };
}

interface Outcomes {
  /** Fire times of real time without an outcome, and with several. */
  readonly none: number[];
  readonly several: number[];
  /** Fire times that are still to come and were recorded as dropped, and those of real time. */
  readonly droppedAhead: number[];
  readonly dropped: number[];
  /** The longest time from a fire time after `settledAt` to its trigger, ms. */
  readonly longestLagMs: number;
  readonly earliestMs: number;
}

async function outcomes({ store, truth, startAt, madeAt }: World, schedule: Schedule, settledAt: number): Promise<Outcomes> {
  const now = truth.now();
  const counts = new Map<number, number>();
  const add = (at: number) => counts.set(at, (counts.get(at) ?? 0) + 1);
  const triggers = await store.listTriggers({ pipelineId: "job", limit: 200_000 });
  const decisions = (await store.listDecisions({ pipelineId: "job", limit: 200_000 })).filter(({ triggerId }) => triggerId === null);
  for (const { scheduledFor } of triggers) add(scheduledFor as number);
  const droppedAt = new Set<number>();
  for (const { scheduledFor, missed } of decisions) {
    const first = scheduledFor as number;
    const last = missed?.lastAt ?? first;
    let count = 0;
    for (let at: number | null = first; at !== null && at <= last; at = schedule.nextAfter(at)) {
      count++;
      if (at <= startAt) continue;
      add(at);
      droppedAt.add(at);
    }
    expect(count).toBe(missed?.count ?? 1);
  }
  const real: number[] = [];
  for (let at = schedule.nextAfter(startAt); at !== null && at <= now; at = schedule.nextAfter(at)) real.push(at);
  const settled = triggers.filter(({ scheduledFor }) => (scheduledFor as number) > settledAt && (scheduledFor as number) <= now);
  const lags = settled.map(({ id, scheduledFor }) => (madeAt.get(id) as number) - (scheduledFor as number));
  return {
    none: real.filter((at) => !counts.has(at)),
    several: [...counts].flatMap(([at, count]) => (count === 1 ? [] : [at])),
    droppedAhead: [...droppedAt].filter((at) => at > now),
    dropped: real.filter((at) => droppedAt.has(at)),
    longestLagMs: Math.max(0, ...lags),
    earliestMs: Math.min(0, ...lags),
  };
}

/** A step for 12 s that is undone, and what has become of the fire times of real time. */
async function stepped(made: World, schedule: Schedule, lengthMs: number, byMs: number, count: 1 | 2): Promise<Outcomes> {
  const { truth, clocks } = made;
  await truth.advance(5_500);
  for (const clock of clocks.slice(0, count)) clock.aheadMs = byMs;
  await truth.advance("12s");
  for (const clock of clocks.slice(0, count)) clock.aheadMs = 0;
  await truth.advance("10s");
  const settledAt = truth.now();
  await truth.advance(lengthMs);
  return outcomes(made, schedule, settledAt);
}

const RIGHT = { none: [], several: [], droppedAhead: [], dropped: [] };

describe.each(SCHEDULES)("a step of the clock for 12 s, %s", (_, schedule, lengthMs) => {
  for (const catchup of CATCHUPS) {
    it(`is not noticed where the store has a clock (catchup ${catchup})`, async () => {
      for (const byMs of STEPS) {
        for (const count of [1, 2] as const) {
          const shared = sharedStore();
          const made = await world(() => shared, true, schedule, catchup);
          const found = await stepped(made, schedule, lengthMs, byMs, count);
          expect({ byMs, count, ...found }).toMatchObject({ byMs, count, ...RIGHT, earliestMs: 0 });
          expect(found.longestLagMs).toBeLessThanOrEqual(1_000);
          expect(made.nodes[0].heard("clock.jumped").map((one) => one.byMs)).toEqual([byMs, -byMs]);
          expect(made.nodes[0].heard("run.lost")).toEqual([]);
          expect(made.nodes[0].scheduler.status()).toMatchObject({ clockCorrectionMs: 0, clockAheadMs: 0 });
          for (const scheduler of running.splice(0)) await scheduler.stop({ drain: 0 });
        }
      }
    });

    it(`is made good where it has none (catchup ${catchup})`, async () => {
      for (const byMs of STEPS) {
        for (const count of [1, 2] as const) {
          if (lengthMs === MINUTE && Math.abs(byMs) > (catchup === "latest" && count === 1 ? 12 * HOUR : 10 * MINUTE)) continue; // too many fire times
          const shared = sharedStore(memoryStore({ retention: { count: 1_000_000 } }));
          const made = await world(() => shared, false, schedule, catchup);
          const found = await stepped(made, schedule, lengthMs, byMs, count);
          expect({ byMs, count, ...found }).toMatchObject({ byMs, count, ...RIGHT });
          expect(found.longestLagMs).toBeLessThanOrEqual(1_000);
          for (const scheduler of running.splice(0)) await scheduler.stop({ drain: 0 });
        }
      }
    });
  }
});

describe.each([sqlite, ...postgres])("a step of the clock for 12 s, on %s", (_, place) => {
  it.each([
    ["with a clock", true],
    ["without one", false],
  ])("every second, %s", async (__, hasClock) => {
    const schedule = cron("* * * * * *");
    for (const byMs of [10 * MINUTE, -10 * MINUTE, 12 * HOUR]) {
      const made = await world(place(), hasClock, schedule, "latest");
      const found = await stepped(made, schedule, 20 * SECOND, byMs, 2);
      expect({ byMs, ...found }).toMatchObject({ byMs, ...RIGHT });
      await made.store.close();
      for (const scheduler of running.splice(0)) await scheduler.stop({ drain: 0 });
    }
  });
});
