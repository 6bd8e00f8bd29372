import { describe, expect, it } from "vitest";
import { condition, cron, every, maintenanceWindow, maxPerPeriod, pipeline, stale, succeeded } from "../../src/index.js";
import { harness, timeOf } from "../support/harness.js";

const ok = () => {};

describe("a gate", () => {
  it("skips when a condition blocks, and the decision carries every finding", async () => {
    const { scheduler, clock } = await harness([
      pipeline({
        id: "a",
        schedule: cron("0 * * * *"),
        conditions: [
          condition("warehouse open", () => true),
          stale({ olderThan: "3h" }),
          maintenanceWindow({ start: "10:00", end: "11:00", description: "backup" }),
        ],
        run: ok,
      }),
    ]);
    await clock.advance("10h");
    const decisions = (await scheduler.decisions()).items.toReversed();
    expect(decisions.map(({ outcome }) => outcome)).toEqual(["run", "skip", "skip", "skip", "run", "skip", "skip", "skip", "run", "skip"]);
    expect(decisions[1]?.findings).toMatchObject([
      { condition: "maintenance window", result: "pass" },
      { condition: "stale", result: "block", reason: "data is fresh: 1h old, limit 3h" },
      { condition: "warehouse open", result: "not_evaluated" },
    ]);
    expect(decisions[9]?.findings[0]).toMatchObject({
      condition: "maintenance window",
      result: "block",
      recheckAt: new Date("2026-03-02T11:00:00Z"),
    });
    expect(decisions[9]?.findings.slice(1).every(({ result }) => result === "not_evaluated")).toBe(true);
    await scheduler.stop();
  });

  it("holds until the condition that blocks knows better, then runs", async () => {
    const { scheduler, clock, heard } = await harness([
      pipeline({
        id: "a",
        schedule: cron("30 2 * * *"),
        conditions: [maintenanceWindow({ start: "02:00", end: "04:00" }, { onBlock: "hold" })],
        run: ok,
      }),
    ]);
    await clock.advance("6h");
    expect(heard("trigger.held")).toHaveLength(1);
    const [run] = (await scheduler.runs()).items;
    expect(timeOf(run?.startedAt ?? null)).toBe("04:00:00");
    expect(timeOf(run?.scheduledFor ?? null)).toBe("02:30:00");
    const outcomes = (await scheduler.decisions()).items.map(({ outcome }) => outcome);
    expect(outcomes).toEqual(["run", "hold"]);
    await scheduler.stop();
  });

  it("looks again every recheckInterval, and expires after holdFor", async () => {
    const asked: string[] = [];
    const { scheduler, clock, heard } = await harness([
      pipeline({
        id: "a",
        schedule: cron("0 1 * * *"),
        conditions: [condition("partner ready", ({ now }) => asked.push(timeOf(new Date(now))) < 0)],
        onBlock: "hold",
        holdFor: "1h",
        recheckInterval: "20m",
        run: ok,
      }),
    ]);
    await clock.advance("5h");
    expect(asked).toEqual(["01:00:00", "01:20:00", "01:40:00"]);
    const [trigger] = (await scheduler.triggers()).items;
    expect(trigger).toMatchObject({ status: "expired", endReason: "held for as long as holdFor allows" });
    expect(timeOf(trigger?.endedAt ?? null)).toBe("02:00:00");
    expect(heard("trigger.expired")).toHaveLength(1);
    await scheduler.stop();
  });

  it("counts a condition that throws or never answers as its onError says", async () => {
    const { scheduler, clock } = await harness([
      pipeline({
        id: "blocks",
        schedule: every("1h"),
        conditions: [
          condition("throws", () => {
            throw new Error("no route to host");
          }),
        ],
        run: ok,
      }),
      pipeline({
        id: "passes",
        schedule: every("1h"),
        conditions: [condition("hangs", () => new Promise(() => {}), { onError: "pass", timeout: "5s" })],
        run: ok,
      }),
    ]);
    await clock.advance("1h");
    await clock.advance("5s");
    const [blocked] = (await scheduler.decisions({ pipelineId: "blocks" })).items;
    expect(blocked).toMatchObject({ outcome: "skip" });
    expect(blocked?.findings[0]?.reason).toBe("could not be evaluated (no route to host), which counts as block");
    const [passed] = (await scheduler.decisions({ pipelineId: "passes" })).items;
    expect(passed).toMatchObject({ outcome: "run" });
    expect(passed?.findings[0]?.reason).toContain("no response within 5s");
    await scheduler.stop();
  });

  it("shares what a probe measures between pipelines for a short time", async () => {
    let measured = 0;
    const probe = { name: "health", measure: async () => ++measured };
    const healthy = () => condition("healthy", async ({ measure }) => (await measure(probe)) > 0);
    const many = Array.from({ length: 50 }, (_, n) => pipeline({ id: `p${n}`, schedule: every("1h"), conditions: [healthy()], run: ok }));
    const { scheduler, clock } = await harness(many);
    await clock.advance("1h");
    expect((await scheduler.runs({ limit: 100 })).items).toHaveLength(50);
    expect(measured).toBe(1);
    await clock.advance("1h");
    expect(measured).toBe(2);
    await scheduler.stop();
  });

  it("knows what other pipelines did, and how often this one ran", async () => {
    const { scheduler, clock } = await harness([
      pipeline({ id: "extract", schedule: cron("0 3 * * *"), run: ok }),
      pipeline({ id: "load", schedule: cron("0 * * * *"), conditions: [succeeded("extract", { within: "2h" })], run: ok }),
      pipeline({ id: "often", schedule: cron("*/10 * * * *"), conditions: [maxPerPeriod({ count: 2, period: "1h" })], run: ok }),
    ]);
    await clock.advance("7h");
    const loaded = (await scheduler.runs({ pipelineId: "load" })).items.map(({ startedAt }) => timeOf(startedAt));
    expect(loaded.toReversed()).toEqual(["04:00:00", "05:00:00"]);
    const often = (await scheduler.runs({ pipelineId: "often" })).items.map(({ startedAt }) => timeOf(startedAt));
    expect(often.toReversed().slice(0, 4)).toEqual(["00:10:00", "00:20:00", "01:10:00", "01:20:00"]);
    await scheduler.stop();
  });
});
