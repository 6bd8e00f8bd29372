import { describe, expect, it } from "vitest";
import { at, condition, createScheduler, cron, every, HeadgateError, pipeline, type Scheduler } from "../../src/index.js";
import { fakeClock } from "../../src/testing/index.js";
import { harness, timeOf } from "../support/harness.js";
import { sharedStore } from "../support/shared-store.js";

const hourly = (id: string, catchup: "none" | "latest" | "all" = "latest") =>
  pipeline({ id, schedule: cron("0 * * * *"), execution: { catchup }, run: () => {} });

describe("pause", () => {
  it("of one pipeline fires nothing, and on resume catchup records what it drops as paused", async () => {
    const { scheduler, clock, heard } = await harness([hourly("a"), hourly("b")]);
    await clock.advance("90m");
    await scheduler.pause({ pipelineId: "a", reason: "moving", user: "ana" });
    await clock.advance("4h");
    expect((await scheduler.runs({ pipelineId: "a" })).items).toHaveLength(1);
    expect((await scheduler.runs({ pipelineId: "b" })).items).toHaveLength(5);
    expect(await scheduler.resume({ pipelineId: "a", user: "ben" })).toBe(true);
    await clock.settle();
    const runs = (await scheduler.runs({ pipelineId: "a" })).items;
    expect(runs.map(({ scheduledFor }) => timeOf(scheduledFor))).toEqual(["05:00:00", "01:00:00"]);
    const skips = (await scheduler.decisions({ pipelineId: "a", outcome: "skip" })).items;
    expect(skips.map(({ scheduledFor, reason }) => `${timeOf(scheduledFor)} ${reason}`).toReversed()).toEqual([
      "02:00:00 the pipeline was paused from 2026-03-02T01:30:00Z to 2026-03-02T05:30:00Z by ana (moving)",
      "03:00:00 the pipeline was paused from 2026-03-02T01:30:00Z to 2026-03-02T05:30:00Z by ana (moving)",
      "04:00:00 the pipeline was paused from 2026-03-02T01:30:00Z to 2026-03-02T05:30:00Z by ana (moving)",
    ]);
    expect(heard("paused")).toMatchObject([{ pipelineId: "a", reason: "moving", user: "ana", until: null }]);
    expect(heard("resumed")).toMatchObject([{ pipelineId: "a", user: "ben", isAutomatic: false }]);
    await scheduler.stop();
  });

  it("of everything ends by itself after its duration", async () => {
    const { scheduler, clock, heard } = await harness([hourly("a", "none"), hourly("b", "all")]);
    await scheduler.pause({ reason: "upgrade", user: "ana", duration: "2h30m" });
    await clock.settle();
    expect(scheduler.status().pause).toMatchObject({ reason: "upgrade", user: "ana" });
    await clock.advance("3h");
    expect(heard("resumed")).toMatchObject([{ pipelineId: null, isAutomatic: true }]);
    expect((await scheduler.runs({ pipelineId: "a" })).items.map(({ scheduledFor }) => timeOf(scheduledFor))).toEqual(["03:00:00"]);
    expect((await scheduler.runs({ pipelineId: "b" })).items.map(({ scheduledFor }) => timeOf(scheduledFor)).toReversed()).toEqual([
      "01:00:00",
      "02:00:00",
      "03:00:00",
    ]);
    const skipped = (await scheduler.decisions({ pipelineId: "a", outcome: "skip" })).items;
    const why = "everything was paused from 2026-03-02T00:00:00Z to 2026-03-02T02:30:00Z by ana (upgrade)";
    expect(skipped.map(({ reason }) => reason)).toEqual([why, why]);
    await scheduler.stop();
  });

  it("that overlaps or follows others is named by what it dropped: the pipeline's own before that of everything", async () => {
    const { scheduler, clock } = await harness([hourly("a", "none"), hourly("b", "none")], { misfireThreshold: "1s" });
    const till = (time: string) => clock.advanceTo(`2026-03-02T${time}:00Z`);
    await till("00:30");
    await scheduler.pause({ user: "ana", reason: "upgrade" });
    await till("02:30");
    await scheduler.pause("a", { user: "ben", reason: "wrong data" });
    await till("03:30");
    await scheduler.resume();
    await till("05:30");
    await scheduler.pause({ user: "cleo" });
    await till("06:30");
    await scheduler.resume("a");
    await till("07:30");
    await scheduler.resume();
    await clock.settle();
    const dropped = async (pipelineId: string) =>
      (await scheduler.decisions({ pipelineId, outcome: "skip" })).items.toReversed().map(({ scheduledFor, missed }) => {
        const { at, until, user, reason, isGlobal } = missed?.pause ?? {};
        const who = isGlobal === undefined ? "missed" : isGlobal ? "all" : "one";
        const span = `${timeOf(at ?? null)}-${timeOf(until ?? null)}`;
        return `${timeOf(scheduledFor).slice(0, 2)} ${who} ${span} ${user} ${reason}`;
      });
    expect(await dropped("a")).toEqual([
      "01 all 00:30:00-03:30:00 ana upgrade",
      "02 all 00:30:00-03:30:00 ana upgrade",
      "03 one 02:30:00-06:30:00 ben wrong data",
      "04 one 02:30:00-06:30:00 ben wrong data",
      "05 one 02:30:00-06:30:00 ben wrong data",
      "06 one 02:30:00-06:30:00 ben wrong data",
      "07 all 05:30:00-07:30:00 cleo null",
    ]);
    expect(await dropped("b")).toEqual([
      "01 all 00:30:00-03:30:00 ana upgrade",
      "02 all 00:30:00-03:30:00 ana upgrade",
      "03 all 00:30:00-03:30:00 ana upgrade",
      "06 all 05:30:00-07:30:00 cleo null",
      "07 all 05:30:00-07:30:00 cleo null",
    ]);
    await scheduler.stop();
  });

  it("that ran out while the machine slept ended then, whoever resumes or pauses again before it is noticed", async () => {
    const { scheduler, clock, heard } = await harness([hourly("a", "none"), hourly("b", "none")]);
    for (const id of ["a", "b"]) await scheduler.pause(id, { user: "ana", duration: "90m" });
    clock.jump(4.5 * 3_600_000);
    await Promise.all([scheduler.pause("a", { user: "ben" }), scheduler.resume("b", { user: "cleo" })]);
    expect(
      heard("resumed")
        .map(({ pipelineId, user, isAutomatic }) => [pipelineId, user, isAutomatic])
        .toSorted(),
    ).toEqual([
      ["a", "ana", true],
      ["b", "ana", true],
    ]);
    await clock.advance("1h");
    expect(await scheduler.resume("a")).toBe(true);
    await clock.settle();
    const skips = async (pipelineId: string) =>
      (await scheduler.decisions({ pipelineId, outcome: "skip" })).items
        .toReversed()
        .map(({ scheduledFor, missed }) => `${timeOf(scheduledFor).slice(0, 2)} ${missed?.pause?.user ?? "missed"}`);
    expect(await skips("a")).toEqual(["01 ana", "02 missed", "03 missed", "04 missed", "05 ben"]);
    expect(await skips("b")).toEqual(["01 ana", "02 missed", "03 missed", "04 missed"]);
    await scheduler.stop();
  });

  it("ends after its duration although the node that paused is gone, and the pipeline never fires on the others", async () => {
    const clock = fakeClock("2026-03-02T00:00:00Z");
    const store = sharedStore();
    const node = (name: string) =>
      createScheduler({ pipelines: [pipeline({ id: "a", run: () => {} })], store, clock, node: name, logger: { log: () => {} } });
    const [one, other] = [node("one"), node("other")];
    await one.start();
    await other.start();
    await one.pause("a", { user: "ana", duration: "10m" });
    await clock.advance("1m");
    await one.stop();
    await clock.advance("1m");
    await other.trigger("a", { user: "ben" });
    await clock.advance("10m");
    const [run] = (await other.runs({ pipelineId: "a" })).items;
    expect(timeOf(run?.startedAt ?? null)).toBe("00:10:00");
    await other.stop();
  });

  it("of a pipeline without a schedule ends by itself too", async () => {
    const { scheduler, clock } = await harness([pipeline({ id: "asked", run: () => {} })]);
    await scheduler.pause({ pipelineId: "asked", duration: "10m" });
    await scheduler.trigger("asked");
    await clock.advance("9m");
    expect((await scheduler.runs()).items).toHaveLength(0);
    await clock.advance("2m");
    expect((await scheduler.runs({ status: "succeeded" })).items).toHaveLength(1);
    await scheduler.stop();
  });

  it.each(["a", undefined])("that ends by itself has held triggers looked at, as one that somebody ends (of %s)", async (pipelineId) => {
    let isOpen = false;
    const open = condition("open", () => isOpen, { onBlock: "hold" });
    const { scheduler, clock } = await harness([
      pipeline({ id: "a", schedule: at("2026-03-02T01:00:00Z"), conditions: [open], recheckInterval: "6h", run: () => {} }),
    ]);
    await clock.advanceTo("2026-03-02T01:10:00Z");
    expect((await scheduler.triggers()).items[0]?.status).toBe("held");
    await scheduler.pause({ ...(pipelineId === undefined ? {} : { pipelineId }), duration: "30m" });
    isOpen = true;
    await clock.advanceTo("2026-03-02T01:41:00Z");
    expect((await scheduler.runs()).items[0]?.startedAt.toISOString()).toBe("2026-03-02T01:40:00.000Z");
    await scheduler.stop();
  });

  it("lets triggers wait, holds back retries, and refuses an immediate one unless it is forced", async () => {
    const { scheduler, clock } = await harness([
      pipeline({
        id: "a",
        execution: { retries: 1, retryDelay: "1m" },
        run: ({ attempt, trigger }) => {
          if (attempt === 1 && trigger.reason === "fails") throw new Error("once");
        },
      }),
    ]);
    await scheduler.trigger("a", { reason: "fails" });
    await clock.settle();
    await scheduler.pause({ pipelineId: "a", reason: "audit" });
    const waiting = await scheduler.trigger("a");
    await expect(scheduler.trigger("a", { kind: "immediate" })).rejects.toMatchObject({ code: "PAUSED" });
    await clock.advance("10m");
    expect((await scheduler.runs()).items.map(({ status }) => status)).toEqual(["retrying"]);
    const forced = await scheduler.trigger("a", { kind: "immediate", force: true, user: "root", reason: "fire drill" });
    await clock.settle();
    expect((await scheduler.getTrigger(forced.id))?.status).toBe("succeeded");
    const [decision] = (await scheduler.decisions({ triggerId: forced.id })).items;
    expect(decision?.reason).toBe("conditions, pause and maxActiveRuns bypassed: forced by root: fire drill");
    expect((await scheduler.getTrigger(waiting.id))?.status).toBe("pending");
    await scheduler.resume({ pipelineId: "a" });
    await clock.settle();
    expect((await scheduler.runs({ status: "succeeded" })).items).toHaveLength(3);
    await scheduler.stop();
  });

  it("and its end are in the audit log with before and after, and nothing is when there was nothing to end", async () => {
    const { scheduler } = await harness([hourly("a")]);
    await scheduler.pause({ pipelineId: "a", user: "ana", reason: "moving" });
    await scheduler.pause({ user: "ben" });
    await scheduler.resume({ pipelineId: "a", user: "ben", reason: "moved" });
    expect(await scheduler.resume({ pipelineId: "a" })).toBe(false);
    const records = await scheduler.audit.list({ limit: 10 });
    expect(records.map(({ kind, action, pipelineId, user, reason }) => [kind, action, pipelineId, user, reason])).toEqual([
      ["change", "resume", "a", "ben", "moved"],
      ["change", "pause", null, "ben", null],
      ["change", "pause", "a", "ana", "moving"],
    ]);
    expect(records[0]).toMatchObject({ before: { user: "ana", reason: "moving", until: null }, after: null });
    expect(records[2]).toMatchObject({ before: null, after: { user: "ana", reason: "moving" } });
    expect(await scheduler.audit.verify()).toMatchObject({ isIntact: true, records: 3, problem: null });
    await scheduler.stop();
  });

  it("of an unknown pipeline is an error that says so", async () => {
    const { scheduler } = await harness([]);
    await expect(scheduler.pause({ pipelineId: "nobody" })).rejects.toThrow(HeadgateError);
    await expect(scheduler.resume({ pipelineId: "nobody" })).rejects.toMatchObject({ code: "UNKNOWN_PIPELINE" });
    expect(await scheduler.resume()).toBe(false);
    await scheduler.stop();
  });
});

it("shows at once that everything is paused, and that it is not any more", async () => {
  const { scheduler } = await harness([pipeline({ id: "a", schedule: every("1h"), run: () => {} })]);
  for (let turn = 0; turn < 20; turn++) {
    await scheduler.pause({ user: "ana" });
    expect(scheduler.status().pause).toMatchObject({ user: "ana" });
    await scheduler.resume();
    expect(scheduler.status().pause).toBeNull();
  }
  await scheduler.stop();
});

describe("a pause of a selection", () => {
  const tagged = (id: string, tags: readonly string[], owner?: string) =>
    pipeline({ id, schedule: cron("0 * * * *"), tags, ...(owner === undefined ? {} : { owner }), run: () => {} });
  const all = () => [tagged("a", ["etl", "sales"], "team sales"), tagged("b", ["etl"]), tagged("c", [], "team sales"), tagged("d", [])];
  const paused = async (scheduler: Scheduler) => {
    const found = await Promise.all(["a", "b", "c", "d"].map((id) => scheduler.getPipelineStatus(id)));
    return found.flatMap(({ pipelineId, pause }) => (pause === null ? [] : [pipelineId])).join("");
  };

  it("pauses and resumes those of a tag, an owner or a list, each with an audit record and an event", async () => {
    const { scheduler, clock, heard } = await harness(all());
    await scheduler.pause({ tag: "etl", reason: "moving", user: "ana" });
    expect(await paused(scheduler)).toBe("ab");
    expect(heard("paused").map(({ pipelineId }) => pipelineId)).toEqual(["a", "b"]);
    const records = await scheduler.audit.list({ limit: 2 });
    expect(records.map(({ action, pipelineId, user }) => [action, pipelineId, user])).toEqual([
      ["pause", "b", "ana"],
      ["pause", "a", "ana"],
    ]);
    await clock.advance("1h");
    expect((await scheduler.runs()).items.map(({ pipelineId }) => pipelineId).toSorted()).toEqual(["c", "d"]);
    await scheduler.pause({ pipelineIds: ["d", "b", "d"] });
    expect(await paused(scheduler)).toBe("abd");
    expect((await scheduler.getPipelineStatus("b")).pause?.at).toEqual(new Date("2026-03-02T00:00:00Z"));
    expect(await scheduler.resume({ owner: "team sales" })).toBe(true);
    expect(await scheduler.resume({ owner: "team sales" })).toBe(false);
    expect(await paused(scheduler)).toBe("bd");
    expect((await scheduler.getPipelineStatus("a")).owner).toBe("team sales");
    await scheduler.stop();
  });

  it("lasts until an instant, and then ends by itself", async () => {
    const { scheduler, clock, heard } = await harness(all());
    await scheduler.pause({ tag: "sales", until: "2026-03-02T02:30:00Z" });
    expect(heard("paused")).toMatchObject([{ pipelineId: "a", until: new Date("2026-03-02T02:30:00Z") }]);
    await clock.advance("3h");
    const runs = (await scheduler.runs({ pipelineId: "a" })).items.map(({ scheduledFor }) => timeOf(scheduledFor)).toReversed();
    expect(runs).toEqual(["02:00:00", "03:00:00"]);
    await scheduler.stop();
  });

  it.each([
    [{ tag: "etl", owner: "team sales" }, "INVALID_ARGUMENT", "pause: owner: cannot be combined with `tag`"],
    [{ pipelineId: "a", tag: "etl" }, "INVALID_ARGUMENT", "pause: tag: cannot be combined with `pipelineId`"],
    [{ tag: "elt" }, "UNKNOWN_PIPELINE", 'no pipeline has the tag "elt"'],
    [{ owner: "" }, "INVALID_ARGUMENT", 'pause: owner: must be the name of an owner; leave it out for the whole scheduler (got "")'],
    [{ pipelineIds: [] }, "INVALID_ARGUMENT", "pause: pipelineIds: must be an array of one or more pipelines' ids (got an array)"],
    [{ pipelineIds: ["a", "nobody"] }, "UNKNOWN_PIPELINE", "nobody"],
    [{ tag: undefined }, "INVALID_ARGUMENT", "pause: tag: must be a tag; leave it out for the whole scheduler (got undefined)"],
    [
      { until: "2026-03-02T00:00:00Z" },
      "INVALID_ARGUMENT",
      "pause: until: must be an instant to come (got 2026-03-02T00:00:00Z, and it is 2026-03-02T00:00:00Z)",
    ],
    [{ until: "2026-03-03T00:00:00Z", duration: "1h" }, "INVALID_ARGUMENT", "pause: until: cannot be combined with `duration`"],
  ] as const)("refuses %j, and pauses nothing", async (options, code, message) => {
    const { scheduler } = await harness(all());
    await expect(scheduler.pause(options as never)).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
    expect([await paused(scheduler), scheduler.status().pause]).toEqual(["", null]);
    await scheduler.stop();
  });
});
