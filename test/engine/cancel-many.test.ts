import { describe, expect, it } from "vitest";
import { cron, manual, pipeline } from "../../src/index.js";
import { harness } from "../support/harness.js";

const slow = (id: string, tags: readonly string[] = []) =>
  pipeline({ id, schedule: manual(), tags, execution: { retries: 0 }, run: ({ clock, signal: _ }) => clock.sleep("1h") });

async function world() {
  const made = await harness([slow("a", ["etl"]), slow("b", ["etl"]), pipeline({ id: "c", schedule: cron("0 * * * *"), run: () => {} })]);
  const { scheduler, clock } = made;
  for (const id of ["a", "b"]) for (let n = 0; n < 3; n++) await scheduler.trigger(id);
  await clock.advance("1s");
  await scheduler.pause("c");
  await scheduler.backfill("c", { from: "2026-03-01T00:00:00Z", to: "2026-03-01T04:00:00Z" });
  await scheduler.trigger("c");
  await clock.settle();
  const counts = async () => {
    const count = async (status: "pending" | "running" | "cancelled") => (await scheduler.triggers({ status, limit: 1_000 })).items.length;
    return { pending: await count("pending"), running: await count("running"), cancelled: await count("cancelled") };
  };
  return { ...made, counts };
}

describe("cancelMany", () => {
  it("previews and cancels what waits of a tag, each with its audit record, and leaves what runs", async () => {
    const { scheduler, counts, heard } = await world();
    expect(await counts()).toEqual({ pending: 9, running: 2, cancelled: 0 });
    const preview = await scheduler.cancelMany({ tag: "etl", preview: true });
    expect([preview.triggers.length, preview.isComplete, new Set(preview.triggers.map(({ status }) => status))]).toEqual([
      4,
      true,
      new Set(["pending"]),
    ]);
    expect(await counts()).toEqual({ pending: 9, running: 2, cancelled: 0 });
    const done = await scheduler.cancelMany({ tag: "etl", user: "ana", reason: "wrong month" });
    expect(done.triggers.map(({ id }) => id)).toEqual(preview.triggers.map(({ id }) => id));
    expect(await counts()).toEqual({ pending: 5, running: 2, cancelled: 4 });
    expect(heard("trigger.cancelled")).toHaveLength(4);
    const records = await scheduler.audit.list({ limit: 4 });
    expect(new Set(records.map(({ action, user, reason }) => `${action} ${user} ${reason}`))).toEqual(new Set(["cancel ana wrong month"]));
    expect((await scheduler.cancelMany({ tag: "etl" })).triggers).toEqual([]);
    await scheduler.stop({ drain: 0 });
  });

  it("by kind, fire time and status; runs are asked to end", async () => {
    const { scheduler, clock, counts } = await world();
    const early = await scheduler.cancelMany({ kind: "backfill", until: "2026-03-01T02:00:00Z" });
    expect(early.triggers.map(({ scheduledFor }) => scheduledFor?.getUTCHours())).toEqual([1, 0]);
    const runs = await scheduler.cancelMany({ pipelineIds: ["a", "b"], status: "active" });
    expect(runs.triggers.map(({ status, pipelineId }) => `${pipelineId} ${status}`).toSorted()).toEqual(["a running", "b running"]);
    await clock.settle();
    expect(await counts()).toEqual({ pending: 5, running: 2, cancelled: 4 });
    await scheduler.cancelMany({ everything: true, status: "all" });
    await clock.settle();
    expect(await counts()).toEqual({ pending: 0, running: 0, cancelled: 11 });
    await scheduler.stop({ drain: 0 });
  });

  it("ends at 1,000, says so, and goes on when it is called again", async () => {
    const { scheduler, counts } = await harness([pipeline({ id: "c", schedule: cron("* * * * *"), run: () => {} })]).then(async (made) => {
      await made.scheduler.pause("c");
      await made.scheduler.backfill("c", { from: "2026-03-01T00:00:00Z", to: "2026-03-01T20:00:00Z" });
      return { ...made, counts: async () => (await made.scheduler.triggers({ status: "cancelled", limit: 1_000 })).items.length };
    });
    const first = await scheduler.cancelMany({ pipelineId: "c" });
    expect([first.triggers.length, first.isComplete]).toEqual([1_000, false]);
    const second = await scheduler.cancelMany({ pipelineId: "c" });
    expect([second.triggers.length, second.isComplete, await counts()]).toEqual([200, true, 1_000]);
    await scheduler.stop();
  });

  it.each([
    [{}, "INVALID_ARGUMENT", "cancelMany: everything: must be true to cancel over all pipelines, or set a filter"],
    [{ everything: true, tag: "etl" }, "INVALID_ARGUMENT", "cancelMany: everything: cannot be combined with another filter"],
    [{ everything: 1 }, "INVALID_ARGUMENT", "cancelMany: everything: must be true or false (got 1)"],
    [{ tag: "etl", status: "held" }, "INVALID_ARGUMENT", "cancelMany: status"],
    [{ tag: "elt" }, "UNKNOWN_PIPELINE", 'no pipeline has the tag "elt"'],
    [{ tag: "etl", from: "soon" }, "INVALID_INSTANT", "from"],
    [{ tag: "etl", dryRun: true }, "INVALID_ARGUMENT", "cancelMany: dryRun: unknown option"],
  ] as const)("refuses %j, and cancels nothing", async (options, code, message) => {
    const { scheduler, counts } = await world();
    await expect(scheduler.cancelMany(options as never)).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
    expect((await counts()).cancelled).toBe(0);
    await scheduler.stop({ drain: 0 });
  });
});

describe("lists over some pipelines", () => {
  it("have those of each, newest first and page by page, of a few as of many, by ids, tag or owner", async () => {
    const ids = Array.from({ length: 30 }, (_, index) => `p${index}`);
    const { scheduler, clock } = await harness(
      ids.map((id, index) =>
        pipeline({
          id,
          schedule: cron("*/10 * * * *"),
          tags: index % 3 === 0 ? ["third"] : [],
          owner: index < 25 ? "ana" : "ben",
          run: () => {},
        }),
      ),
    );
    await clock.advance("2h");
    const all = (await scheduler.runs({ limit: 1_000 })).items;
    expect(all).toHaveLength(360);
    for (const [selection, isMeant] of [
      [{ tag: "third" }, (id: string) => Number(id.slice(1)) % 3 === 0],
      [{ owner: "ana" }, (id: string) => Number(id.slice(1)) < 25],
      [{ pipelineIds: ["p1", "p2"] }, (id: string) => id === "p1" || id === "p2"],
      [{ pipelineIds: ["p29"] }, (id: string) => id === "p29"],
    ] as const) {
      const wanted = all.filter(({ pipelineId }) => isMeant(pipelineId)).map(({ id }) => id);
      const found: string[] = [];
      for (let cursor: string | null | undefined; cursor !== null; ) {
        const page = await scheduler.runs({ ...selection, limit: 7, ...(cursor === undefined ? {} : { cursor }) });
        found.push(...page.items.map(({ id }) => id));
        cursor = page.nextCursor;
      }
      expect(found).toEqual(wanted);
    }
    expect(await scheduler.runs({ tag: "none" })).toEqual({ items: [], nextCursor: null });
    const next = await scheduler.upcoming({ tag: "third", count: 10 });
    expect(new Set(next.map(({ pipelineId }) => pipelineId)).size).toBe(10);
    await expect(scheduler.runs({ tag: "third", owner: "ana" })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await scheduler.stop();
  });
});
