import { describe, expect, it } from "vitest";
import { cron, type Overlap, pipeline } from "../../src/index.js";
import { harness, timeOf } from "../support/harness.js";

/** Hourly, with runs of two and a half hours. */
async function overlapping(overlap: Overlap, maxActiveRuns = 1) {
  const long = pipeline({
    id: "long",
    schedule: cron("0 * * * *"),
    execution: { overlap, maxActiveRuns, timeout: "10h", retries: 0 },
    run: ({ clock }) => clock.sleep("2h30m"),
  });
  const found = await harness([long]);
  await found.clock.advance("6h15m");
  const outcomes = (await found.scheduler.triggers()).items.toReversed();
  return { ...found, outcomes: outcomes.map(({ scheduledFor, status }) => `${timeOf(scheduledFor).slice(0, 5)} ${status}`) };
}

describe("overlap", () => {
  it("queue_one keeps the newest scheduled trigger waiting and says which it replaced", async () => {
    const { scheduler, outcomes, heard } = await overlapping("queue_one");
    expect(outcomes).toEqual([
      "01:00 succeeded",
      "02:00 superseded",
      "03:00 succeeded",
      "04:00 superseded",
      "05:00 superseded",
      "06:00 running",
    ]);
    const all = (await scheduler.triggers()).items;
    const replaced = all.find(({ scheduledFor }) => timeOf(scheduledFor) === "02:00:00");
    const newer = all.find(({ scheduledFor }) => timeOf(scheduledFor) === "03:00:00");
    expect(replaced?.supersededBy).toBe(newer?.id);
    expect(newer?.supersedes).toBe(replaced?.id);
    expect(heard("trigger.superseded")).toHaveLength(3);
    await scheduler.stop({ drain: 0 });
  });

  it("queue keeps every scheduled trigger", async () => {
    const { scheduler, outcomes } = await overlapping("queue");
    expect(outcomes).toEqual(["01:00 succeeded", "02:00 succeeded", "03:00 running", "04:00 pending", "05:00 pending", "06:00 pending"]);
    await scheduler.stop({ drain: 0 });
  });

  it("skip drops a scheduled trigger with a decision that says so", async () => {
    const { scheduler, outcomes } = await overlapping("skip");
    expect(outcomes).toEqual(["01:00 succeeded", "02:00 skipped", "03:00 skipped", "04:00 running", "05:00 skipped", "06:00 skipped"]);
    const [skip] = (await scheduler.decisions({ outcome: "skip" })).items;
    expect(skip?.reason).toBe('overlap policy is "skip" and 1 of 1 run slots is in use');
    await scheduler.stop({ drain: 0 });
  });

  it("cancel_running cancels the oldest run for the newest fire time", async () => {
    const { scheduler, outcomes, heard } = await overlapping("cancel_running");
    expect(outcomes).toEqual([
      "01:00 cancelled",
      "02:00 cancelled",
      "03:00 cancelled",
      "04:00 cancelled",
      "05:00 cancelled",
      "06:00 running",
    ]);
    expect(heard("run.cancelled")[0]?.run.cancelRequest?.reason).toContain("cancel_running");
    await scheduler.stop({ drain: 0 });
  });

  it("lets maxActiveRuns run at once", async () => {
    const { scheduler, outcomes } = await overlapping("queue", 3);
    expect(outcomes.slice(0, 3).every((one) => one.endsWith("succeeded"))).toBe(true);
    expect(outcomes.slice(3)).toEqual(["04:00 running", "05:00 running", "06:00 running"]);
    await scheduler.stop({ drain: 0 });
  });

  it("never replaces what somebody asked for", async () => {
    const long = pipeline({
      id: "long",
      schedule: cron("0 * * * *"),
      execution: { timeout: "10h" },
      run: ({ clock }) => clock.sleep("90m"),
    });
    const { scheduler, clock } = await harness([long]);
    await clock.advance("61m");
    for (let n = 0; n < 3; n++) await scheduler.trigger("long", { user: `user-${n}` });
    await clock.advance("8h");
    const manual = (await scheduler.triggers({ kind: "manual" })).items;
    expect(manual.map(({ status }) => status)).toEqual(["succeeded", "succeeded", "succeeded"]);
    await scheduler.stop({ drain: 0 });
  });

  it("of fire times that come due together keeps the newest under queue_one, and every one is recorded", async () => {
    const { scheduler, clock } = await harness([pipeline({ id: "fast", schedule: cron("* * * * * *"), run: () => {} })], {
      maxTimerDelay: "10s",
    });
    clock.jump(20_000);
    await clock.advance("1s");
    const statuses = (await scheduler.triggers()).items.map(({ status }) => status);
    expect(statuses.length).toBeGreaterThanOrEqual(20);
    expect(statuses.filter((status) => status === "succeeded").length).toBeGreaterThanOrEqual(1);
    expect(statuses.every((status) => status === "succeeded" || status === "superseded")).toBe(true);
    await scheduler.stop();
  });

  it("cancel_running stops at once a run whose next attempt begins in the claim that cancels it", async () => {
    const stubborn = pipeline({
      id: "stubborn",
      schedule: cron("0 * * * *"),
      execution: { overlap: "cancel_running", maxActiveRuns: 2, retries: 1, retryDelay: "30m", timeout: "10h" },
      run: async ({ attempt, clock }) => {
        if (attempt === 1) throw new Error("the source is late");
        await clock.sleep("5h");
      },
    });
    const { scheduler, clock } = await harness([stubborn]);
    await clock.advance("1h10m");
    await scheduler.pause({ duration: "1h4m" });
    await scheduler.trigger("stubborn"); // takes the free slot in the claim that retries, before the fire time
    await clock.advance("1h10m");
    const [run] = (await scheduler.runs()).items.toReversed();
    expect(run).toMatchObject({ status: "cancelled", attempt: 2 });
    expect(run?.cancelRequest?.at).toEqual(run?.attemptStartedAt);
    expect(run?.endedAt).toEqual(run?.cancelRequest?.at);
    await scheduler.stop({ drain: 0 });
  });
});
