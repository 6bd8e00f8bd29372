import { describe, expect, it } from "vitest";
import { at, cron, every, manual, memoryStore, pipeline } from "../../src/index.js";
import { fakeClock } from "../../src/testing/index.js";
import { harness, START, timeOf } from "../support/harness.js";

const ok = () => {};

describe("a schedule", () => {
  it("makes one trigger, one decision and one run for each fire time, on time", async () => {
    const { clock, scheduler } = await harness([pipeline({ id: "quarter", schedule: every("15m"), run: ok })]);
    await clock.advance("1h");
    const triggers = (await scheduler.triggers()).items.toReversed();
    expect(triggers.map(({ scheduledFor }) => timeOf(scheduledFor))).toEqual(["00:15:00", "00:30:00", "00:45:00", "01:00:00"]);
    expect(triggers.every(({ status, kind }) => status === "succeeded" && kind === "scheduled")).toBe(true);
    const runs = (await scheduler.runs()).items.toReversed();
    expect(runs.map(({ startedAt }) => timeOf(startedAt))).toEqual(["00:15:00", "00:30:00", "00:45:00", "01:00:00"]);
    const decisions = (await scheduler.decisions()).items;
    expect(decisions).toHaveLength(4);
    expect(decisions[0]).toMatchObject({ pipelineId: "quarter", kind: "scheduled", outcome: "run", findings: [], missed: null });
    await scheduler.stop();
  });

  it("does not drift with the length of its runs", async () => {
    const slow = pipeline({ id: "slow", schedule: every("10m"), run: ({ clock: time }) => time.sleep("9m59s") });
    const { clock, scheduler } = await harness([slow]);
    await clock.advance("1h");
    const starts = (await scheduler.runs()).items.map(({ startedAt }) => timeOf(startedAt)).toReversed();
    expect(starts).toEqual(["00:10:00", "00:20:00", "00:30:00", "00:40:00", "00:50:00", "01:00:00"]);
    await scheduler.stop({ drain: 0 });
  });

  it("fires once and never again when it is `at` one instant, and never when it is manual", async () => {
    const { clock, scheduler } = await harness([
      pipeline({ id: "once", schedule: at("2026-03-02T03:00:00Z"), run: ok }),
      pipeline({ id: "asked", schedule: manual(), run: ok }),
    ]);
    await clock.advance("2d");
    expect((await scheduler.triggers()).items.map(({ pipelineId }) => pipelineId)).toEqual(["once"]);
    await scheduler.stop();
  });

  it("that throws is reported, no longer fires, and disturbs no other", async () => {
    const bad = { kind: "custom" as const, key: "bad", describe: () => "bad", nextAfter: (from: number) => thrower(from) };
    const begin = Date.parse(START);
    const thrower = (from: number) => {
      if (from > begin) throw new Error("no calendar for that year");
      return begin + 60_000;
    };
    const { clock, scheduler, heard } = await harness([
      pipeline({ id: "bad", schedule: bad, run: ok }),
      pipeline({ id: "good", schedule: every("1m"), run: ok }),
    ]);
    await clock.advance("3m");
    expect(heard("error").map(({ where }) => where)).toEqual(["the schedule of pipeline bad, which no longer fires"]);
    expect((await scheduler.runs({ pipelineId: "good" })).items).toHaveLength(3);
    await scheduler.stop();
  });
});

describe("catchup", () => {
  /** Runs hourly until 02:30, is down until 06:30, and comes back. */
  async function afterOutage(execution: Parameters<typeof pipeline>[0]["execution"]) {
    const store = memoryStore();
    const clock = fakeClock(START);
    const hourly = pipeline({ id: "hourly", schedule: cron("0 * * * *"), ...(execution === undefined ? {} : { execution }), run: ok });
    const first = await harness([hourly], { clock, store });
    await clock.advance("2h30m");
    await first.scheduler.stop();
    await clock.advance("4h");
    const second = await harness([hourly], { clock, store });
    await clock.settle();
    const { items: triggers } = await second.scheduler.triggers({ from: "2026-03-02T03:00:00Z" });
    const { items: dropped } = await second.scheduler.decisions({ outcome: "skip" });
    await second.scheduler.stop();
    return {
      made: triggers.map(({ scheduledFor }) => timeOf(scheduledFor)).toReversed(),
      dropped: dropped.map(({ scheduledFor, reason }) => `${timeOf(scheduledFor)} ${reason}`).toReversed(),
    };
  }

  it("latest makes the newest missed fire time and records the others", async () => {
    expect(await afterOutage(undefined)).toEqual({
      made: ["06:00:00"],
      dropped: [
        '03:00:00 missed, 3h 30m late; catchup is "latest" and there was a newer fire time',
        '04:00:00 missed, 2h 30m late; catchup is "latest" and there was a newer fire time',
        '05:00:00 missed, 1h 30m late; catchup is "latest" and there was a newer fire time',
      ],
    });
  });

  it("all makes every missed fire time, oldest first, and drops what its window does not hold", async () => {
    const { made, dropped } = await afterOutage({ catchup: "all", catchupWindow: "3h" });
    expect(made).toEqual(["04:00:00", "05:00:00", "06:00:00"]);
    expect(dropped).toEqual(["03:00:00 missed, 3h 30m late; older than the catchup window of 3h"]);
  });

  it("none drops every missed fire time", async () => {
    const { made, dropped } = await afterOutage({ catchup: "none" });
    expect(made).toEqual([]);
    expect(dropped).toHaveLength(4);
    expect(dropped[3]).toBe('06:00:00 missed, 30m late; catchup is "none"');
  });

  it("tells a row of dropped fire times as one once there are very many", async () => {
    const store = memoryStore();
    const clock = fakeClock(START);
    const secondly = pipeline({ id: "secondly", schedule: every("1s"), execution: { catchup: "none" }, run: ok });
    const first = await harness([secondly], { clock, store });
    await first.scheduler.stop();
    await clock.advance("2h");
    const second = await harness([secondly], { clock, store, misfireThreshold: 0 });
    const page = await allDecisions(second.scheduler);
    expect(page.reduce((sum, { missed }) => sum + (missed?.count ?? 1), 0)).toBe(7_199);
    expect(page.length).toBeLessThan(2_100);
    await second.scheduler.stop();
  });
});

async function allDecisions(scheduler: Awaited<ReturnType<typeof harness>>["scheduler"]) {
  const all = [];
  let cursor: string | null = null;
  do {
    const page: Awaited<ReturnType<typeof scheduler.decisions>> = await scheduler.decisions({
      outcome: "skip",
      limit: 1_000,
      ...(cursor === null ? {} : { cursor }),
    });
    all.push(...page.items);
    cursor = page.nextCursor;
  } while (cursor !== null);
  return all;
}
