import { describe, expect, it } from "vitest";
import { cron, every, manual, pipeline } from "../../src/index.js";
import { fakeClock } from "../../src/testing/index.js";
import { harness, START, timeOf } from "../support/harness.js";
import { sharedStore } from "../support/shared-store.js";

const hourly = (id: string, catchup: "none" | "latest" | "all" = "latest") =>
  pipeline({ id, schedule: cron("0 * * * *"), execution: { catchup }, run: () => {} });
const BY = { reason: "bank holiday", user: "ana" };

async function runsOf(scheduler: Awaited<ReturnType<typeof harness>>["scheduler"], pipelineId: string) {
  return (await scheduler.runs({ pipelineId, limit: 100 })).items.map(({ scheduledFor }) => timeOf(scheduledFor)).toReversed();
}

describe("skip", () => {
  it("leaves out the next fire time, with a decision that says by whom and why, and nothing else", async () => {
    const { scheduler, clock, heard } = await harness([hourly("a"), hourly("b")]);
    const skips = await scheduler.skip("a", BY);
    expect(skips).toEqual([{ fireAt: new Date("2026-03-02T01:00:00Z"), at: new Date(START), ...BY }]);
    expect((await scheduler.getPipelineStatus("a")).skips).toEqual(skips);
    await clock.advance("3h");
    expect(await runsOf(scheduler, "a")).toEqual(["02:00:00", "03:00:00"]);
    expect(await runsOf(scheduler, "b")).toEqual(["01:00:00", "02:00:00", "03:00:00"]);
    const [decision] = (await scheduler.decisions({ pipelineId: "a", outcome: "skip" })).items;
    expect(decision).toMatchObject({
      triggerId: null,
      reason: "ana skipped it at 2026-03-02T00:00:00Z (bank holiday)",
      missed: { count: 1, skip: { at: new Date(START), ...BY } },
    });
    const explained = await scheduler.explain("a", "2026-03-02T01:00:00Z");
    expect(explained.answer).toBe("skipped");
    expect(explained.text).toContain(
      "its fire time 2026-03-02T01:00:00Z was left out because ana skipped it at 2026-03-02T00:00:00Z (bank holiday)",
    );
    expect((await scheduler.getPipelineStatus("a")).skips).toEqual([]);
    expect(heard("schedule.skipped")).toEqual([{ pipelineId: "a", fireTimes: [new Date("2026-03-02T01:00:00Z")], ...BY }]);
    const [audited] = await scheduler.audit.list({ limit: 1 });
    expect(audited).toMatchObject({
      action: "skip",
      pipelineId: "a",
      user: "ana",
      reason: "bank holiday",
      before: [],
      after: ["2026-03-02T01:00:00Z"],
    });
    await scheduler.stop();
  });

  it("takes the next few, or instants; asked again it changes nothing; unskip undoes all or some", async () => {
    const { scheduler, clock, heard } = await harness([hourly("a")]);
    await scheduler.skip("a", { next: 2 });
    await scheduler.skip("a", { next: 2, user: "ben" });
    await scheduler.skip("a", { at: ["2026-03-02T05:00:00Z", "2026-03-02T04:00:00Z"] });
    const skips = (await scheduler.getPipelineStatus("a")).skips;
    expect(skips.map(({ fireAt, user }) => `${timeOf(fireAt)} ${user}`)).toEqual([
      "01:00:00 null",
      "02:00:00 null",
      "04:00:00 null",
      "05:00:00 null",
    ]);
    const back = await scheduler.unskip("a", { at: "2026-03-02T02:00:00Z", user: "ana" });
    expect(back.map(({ fireAt }) => timeOf(fireAt))).toEqual(["02:00:00"]);
    expect(await scheduler.unskip("a", { at: "2026-03-02T03:00:00Z" })).toEqual([]);
    await clock.advance("4h30m");
    expect(await scheduler.unskip("a")).toHaveLength(1);
    await clock.advance("1h");
    expect(await runsOf(scheduler, "a")).toEqual(["02:00:00", "03:00:00", "05:00:00"]);
    expect(heard("schedule.unskipped").map(({ fireTimes }) => fireTimes.length)).toEqual([1, 1]);
    await scheduler.stop();
  });

  it("is foretold by explain and upcoming, also within a pause", async () => {
    const { scheduler, clock } = await harness([hourly("a")]);
    await scheduler.skip("a", { at: ["2026-03-02T02:00:00Z", "2026-03-02T04:00:00Z"], ...BY });
    const why = "ana skipped it at 2026-03-02T00:00:00Z (bank holiday)";
    expect(await scheduler.explain("a", "2026-03-02T02:00:00Z")).toMatchObject({
      answer: "will_skip",
      text: expect.stringContaining(`it will be left out because ${why}`),
    });
    const upcoming = await scheduler.upcoming({ count: 4 });
    expect(upcoming.map(({ fireAt, answer }) => `${timeOf(fireAt)} ${answer}`)).toEqual([
      "01:00:00 will_run",
      "02:00:00 will_skip",
      "03:00:00 may_run",
      "04:00:00 will_skip",
    ]);
    await scheduler.pause("a", { duration: "5h" });
    expect((await scheduler.explain("a", "2026-03-02T04:00:00Z")).answer).toBe("will_skip");
    await clock.advance("6h");
    expect((await scheduler.explain("a", "2026-03-02T04:00:00Z")).answer).toBe("skipped");
    await scheduler.stop();
  });

  it("does not count for catchup: the latest fire time that was not skipped is made", async () => {
    const { scheduler, clock } = await harness([hourly("a", "latest"), hourly("all", "all"), hourly("none", "none")]);
    for (const id of ["a", "all", "none"]) {
      await scheduler.skip(id, { at: "2026-03-02T03:00:00Z" });
      await scheduler.pause(id);
    }
    await clock.advance("3h30m");
    for (const id of ["a", "all", "none"]) await scheduler.resume(id);
    await clock.settle();
    expect(await runsOf(scheduler, "a")).toEqual(["02:00:00"]);
    expect(await runsOf(scheduler, "all")).toEqual(["01:00:00", "02:00:00"]);
    expect(await runsOf(scheduler, "none")).toEqual([]);
    for (const id of ["a", "all", "none"]) expect((await scheduler.explain(id, "2026-03-02T03:00:00Z")).answer).toBe("skipped");
    await scheduler.stop();
  });

  it("holds on other nodes at once, and for those that start later", async () => {
    const store = sharedStore();
    const clock = fakeClock(START);
    const one = await harness([hourly("a")], { store: store, clock, node: "one" });
    const two = await harness([hourly("a")], { store: store, clock, node: "two" });
    await one.scheduler.skip("a", { next: 1 });
    await one.scheduler.stop();
    const three = await harness([hourly("a")], { store: store, clock, node: "three" });
    await clock.advance("2h");
    expect(await runsOf(three.scheduler, "a")).toEqual(["02:00:00"]);
    await Promise.all([two.scheduler.stop(), three.scheduler.stop()]);
  });

  it("refuses what is not a fire time to come, naming what is; nothing changes", async () => {
    const { scheduler, clock } = await harness([hourly("a"), pipeline({ id: "m", schedule: manual(), run: () => {} })]);
    await clock.advance("90m");
    await expect(scheduler.skip("a", { at: "2026-03-02T02:30:00Z" })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("skip: at: 2026-03-02T02:30:00Z is not a fire time of a (cron 0 * * * *"),
    });
    await expect(scheduler.skip("a", { at: "2026-03-02T01:00:00Z" })).rejects.toMatchObject({
      code: "ALREADY_FINISHED",
      message: "skip of a: the fire time 2026-03-02T01:00:00Z has been decided already; its next fire time is 2026-03-02T02:00:00Z",
    });
    await expect(scheduler.skip("m")).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(scheduler.skip("a", { next: 0 })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(scheduler.skip("a", { next: 1.5 })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(scheduler.skip("a", { next: 1, at: "2026-03-02T02:00:00Z" })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(scheduler.skip("a", { at: [] })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(scheduler.skip("a", { at: "soon" })).rejects.toMatchObject({ code: "INVALID_INSTANT" });
    await expect(scheduler.skip("a", { nxt: 1 } as never)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(scheduler.skip("nobody")).rejects.toMatchObject({ code: "UNKNOWN_PIPELINE" });
    expect((await scheduler.getPipelineStatus("a")).skips).toEqual([]);
    await scheduler.stop();
    await expect(scheduler.skip("a")).rejects.toMatchObject({ code: "SCHEDULER_STOPPED" });
  });

  it("ends with the fire time of a schedule that was replaced", async () => {
    const { scheduler, clock } = await harness([hourly("a")]);
    await scheduler.skip("a", { next: 2 });
    await scheduler.replace(pipeline({ id: "a", schedule: every("90m", { anchor: START }), run: () => {} }));
    await clock.advance("4h");
    expect(await runsOf(scheduler, "a")).toEqual(["01:30:00", "03:00:00"]);
    expect((await scheduler.getPipelineStatus("a")).skips).toEqual([]);
    await scheduler.stop();
  });

  it("is not counted as missed", async () => {
    const { scheduler, clock } = await harness([hourly("a")]);
    await scheduler.skip("a", { next: 1 });
    await clock.advance("1h");
    expect(await scheduler.statistics.get("a")).toMatchObject({ missed: 0 });
    await scheduler.stop();
  });
});
