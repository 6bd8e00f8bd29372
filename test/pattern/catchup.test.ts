import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createScheduler, listPatterns, memoryStore, type PatternName, patterns, pipeline, upcoming } from "../../src/index.js";
import { fakeClock } from "../../src/testing/index.js";
import { sampled } from "../support/sampled.js";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const START = Date.parse("2026-03-02T00:00:00Z");

/**
 * What the patterns say of fire times that were missed: all of them, the latest one however long ago it was, or the latest one within a day. Without fire times of their own there is
 * nothing to miss.
 */
const PROMISES: Readonly<Record<PatternName, "all" | "latest" | "latest of a day" | "nothing to miss">> = {
  production_daily: "latest",
  production_hourly: "latest",
  development_frequent: "latest",
  business_hours_only: "latest of a day", // a run that makes up for Friday belongs into no weekend
  weekend_batch: "latest",
  manual_only: "nothing to miss",
  high_frequency: "latest",
  low_frequency: "all",
  data_arrival: "nothing to miss",
  external_api_update: "nothing to miss",
  database_change: "nothing to miss",
  webhook_trigger: "nothing to miss",
  ecommerce_peak_hours: "latest",
  financial_end_of_day: "latest",
  retail_inventory_update: "latest",
  marketing_campaign_sync: "latest",
  performance_based: "latest",
  load_based: "latest",
  data_volume_based: "latest",
};

/** Fire times that got a trigger at the start after a downtime. */
async function madeUpAfter(name: PatternName, downAt: number, upAt: number): Promise<number[]> {
  const store = memoryStore({ retention: { maxAge: "36500d" } });
  const options = { store, logger: { log: () => {} } };
  const make = () =>
    pipeline({ id: "a", pattern: patterns[name], execution: { ...patterns[name].execution, timeout: "1h" }, run: () => {} });
  const before = fakeClock(downAt - 1);
  const first = createScheduler({ pipelines: [make()], clock: before, ...options });
  await first.start();
  await before.advance(1);
  await first.stop({ drain: 0 });
  const after = fakeClock(upAt);
  const second = createScheduler({ pipelines: [make()], clock: after, ...options });
  const made: number[] = [];
  second.on("trigger.created", ({ trigger }) => trigger.scheduledFor !== null && made.push(trigger.scheduledFor.getTime()));
  await second.start();
  await after.settle();
  await second.stop({ drain: 0 });
  return made;
}

describe("what a pattern says of missed fire times", () => {
  it("is said of all", () => {
    expect(
      listPatterns()
        .map(({ name }) => name)
        .sort(),
    ).toEqual(Object.keys(PROMISES).sort());
    for (const one of listPatterns())
      expect(/every missed \w+ is made up/.test(one.description), one.name).toBe(PROMISES[one.name as PatternName] === "all");
  });

  it.each(Object.entries(PROMISES))("%s: %s", async (name, promise) => {
    const { schedule } = patterns[name as PatternName];
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 400 * 24 }),
        fc.oneof(fc.integer({ min: 1, max: 96 }), fc.integer({ min: 1, max: 200 * 24 })),
        async (startHours, downHours) => {
          const downAt = START + startHours * HOUR_MS + 1_800_000;
          const upAt = downAt + downHours * HOUR_MS;
          const span = schedule.kind === "cron" ? downAt : Math.max(downAt, upAt - 30 * DAY_MS);
          const missed = upcoming(schedule, { from: span, until: upAt + 1 }).map((at) => at.getTime());
          const made = await madeUpAfter(name as PatternName, downAt, upAt);
          const latest = missed.at(-1);
          if (promise === "all") expect(made).toEqual(missed);
          else if (promise === "nothing to miss") expect(made).toEqual([]);
          else if (latest === undefined) expect(made).toEqual([]);
          else if (promise === "latest") expect(made).toEqual([latest]);
          else expect(made).toEqual(upAt - latest <= DAY_MS ? [latest] : []);
        },
      ),
      { numRuns: sampled(25) },
    );
  });

  it("low_frequency makes up years of months, weekend_batch the weekend that was missed", async () => {
    const from = Date.parse("2021-01-31T12:00:00Z");
    const until = Date.parse("2026-02-03T09:00:00Z");
    expect(await madeUpAfter("low_frequency", from, until)).toHaveLength(61);
    const [friday, monday] = [Date.parse("2026-03-06T12:00:00Z"), Date.parse("2026-03-09T08:00:00Z")];
    expect(await madeUpAfter("weekend_batch", friday, monday)).toEqual([Date.parse("2026-03-08T06:00:00Z")]);
  });
});
