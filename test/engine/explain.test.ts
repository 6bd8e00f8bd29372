import { describe, expect, it } from "vitest";
import { condition, cron, maintenanceWindow, memoryStore, pipeline, stale } from "../../src/index.js";
import { fakeClock } from "../../src/testing/index.js";
import { harness, START } from "../support/harness.js";

const hourly = cron("0 * * * *");
const ok = () => {};

describe("explain", () => {
  it("says why it ran, also for an instant that is a little off the fire time", async () => {
    const { scheduler, clock } = await harness([
      pipeline({ id: "a", schedule: hourly, execution: { timeout: "3h" }, run: ({ clock: time }) => time.sleep("20m") }),
    ]);
    await clock.advance("3h10m");
    const ran = await scheduler.explain("a", "2026-03-02T01:00:00Z");
    expect(ran).toMatchObject({ answer: "ran", run: { status: "succeeded" }, trigger: { kind: "scheduled" } });
    expect(ran.text).toMatch(
      /^a at 2026-03-02T01:00:00Z: the scheduled trigger for 2026-03-02T01:00:00Z ran because it has no conditions; its run \w+ started 2026-03-02T01:00:00Z and succeeded after 20m\.$/,
    );
    expect((await scheduler.explain("a", "2026-03-02T00:59:30Z")).trigger?.id).toBe(ran.trigger?.id);
    expect((await scheduler.explain("a", "2026-03-02T02:05:00Z")).text).toContain("ran because");
    expect((await scheduler.explain("a")).answer).toBe("running");
    const between = await scheduler.explain("a", "2026-03-02T01:40:00Z");
    expect(between.answer).toBe("not_scheduled");
    expect(between.text).toContain(
      "its previous trigger was the scheduled trigger for 2026-03-02T01:00:00Z, which succeeded at 2026-03-02T01:20:00Z",
    );
    expect(between.nextFireAt).toEqual(new Date("2026-03-02T02:00:00Z"));
    await scheduler.stop({ drain: 0 });
  });

  it("says why it did not run: skipped, held, replaced, missed, paused", async () => {
    const store = memoryStore();
    const clock = fakeClock(START);
    const pipelines = [
      pipeline({ id: "fresh", schedule: hourly, conditions: [stale({ olderThan: "90m" })], run: ok }),
      pipeline({ id: "held", schedule: hourly, conditions: [condition("partner", () => false, { onBlock: "hold" })], run: ok }),
      pipeline({ id: "busy", schedule: hourly, execution: { timeout: "10h" }, run: ({ clock: time }) => time.sleep("5h") }),
      pipeline({ id: "paused", schedule: hourly, run: ok }),
    ];
    const first = await harness(pipelines, { clock, store });
    await first.scheduler.pause({ pipelineId: "paused", reason: "audit", user: "ana" });
    await clock.advance("3h30m");
    const text = async (id: string, at: string) => (await first.scheduler.explain(id, at)).text;
    expect(await text("fresh", "2026-03-02T02:00:00Z")).toContain("was skipped because stale: data is fresh: 1h old, limit 1h 30m");
    expect(await text("held", "2026-03-02T03:00:00Z")).toContain("is waiting because it is held: partner: partner does not hold");
    expect(await text("held", "2026-03-02T02:00:00Z")).toContain(
      "was replaced at 2026-03-02T03:00:00Z, while it waited, by the scheduled trigger for 2026-03-02T03:00:00Z, which is held",
    );
    const busy = await first.scheduler.explain("busy", "2026-03-02T03:00:00Z");
    expect(busy.answer).toBe("waiting");
    expect(busy.text).toMatch(
      /is waiting because 1 of 1 run slots of the pipeline is in use \(run \w+ of busy since 2026-03-02T01:00:00Z\)\. To start it sooner, /,
    );
    expect(await text("paused", "2026-03-02T02:00:00Z")).toContain(
      "the pipeline has been paused since 2026-03-02T00:00:00Z by ana (audit); its fire time 2026-03-02T02:00:00Z has not been decided yet",
    );
    await first.scheduler.resume({ pipelineId: "paused" });
    await clock.settle();
    expect(await first.scheduler.explain("paused", "2026-03-02T02:00:00Z")).toMatchObject({ answer: "missed" });
    expect(await text("paused", "2026-03-02T02:00:00Z")).toContain(
      "was dropped at 2026-03-02T03:30:00Z: the pipeline was paused from 2026-03-02T00:00:00Z to 2026-03-02T03:30:00Z by ana (audit)",
    );
    await first.scheduler.stop({ drain: 0 });
  });

  it("says what will be, as far as time alone can tell", async () => {
    const { scheduler } = await harness([
      pipeline({
        id: "a",
        schedule: hourly,
        conditions: [maintenanceWindow({ start: "05:00", end: "07:00" }), stale({ olderThan: "2h" })],
        execution: { timeout: "30m", retries: 0 },
        run: ok,
      }),
      pipeline({ id: "b", schedule: hourly, execution: { timeout: "30m", retries: 0 }, run: ok }),
    ]);
    const later = await scheduler.explain("a", "2026-03-02T04:00:00Z");
    expect(later.answer).toBe("may_run");
    expect(later.text).toContain(
      "its schedule fires at 2026-03-02T04:00:00Z, and it may run, depending on: stale depends on runs until then",
    );
    expect(later.findings.map(({ result }) => result)).toEqual(["pass", "not_evaluated"]);
    const inside = await scheduler.explain("a", "2026-03-02T06:00:00Z");
    expect(inside.answer).toBe("will_skip");
    expect(inside.text).toContain("it will be skipped because maintenance window: inside a window until 2026-03-02T07:00:00Z");
    expect((await scheduler.explain("a", "2026-03-02T06:30:00Z")).answer).toBe("not_scheduled");
    await scheduler.pause({ pipelineId: "b", reason: "audit", duration: "10h" });
    expect((await scheduler.explain("b", "2026-03-02T06:00:00Z")).answer).toBe("will_miss");
    expect((await scheduler.explain("b", "2026-03-02T11:00:00Z")).answer).toBe("will_run");
    await expect(scheduler.explain("nobody")).rejects.toMatchObject({ code: "UNKNOWN_PIPELINE" });
    await expect(scheduler.explain("a", "some day")).rejects.toMatchObject({ code: "INVALID_INSTANT" });
    await scheduler.stop();
  });

  it("does not invent what is not kept", async () => {
    const { scheduler, clock } = await harness([pipeline({ id: "a", schedule: hourly, run: ok })], {
      store: memoryStore({ retention: { count: 2 } }),
    });
    await clock.advance("6h");
    const forgotten = await scheduler.explain("a", "2026-03-02T01:00:00Z");
    expect(forgotten.answer).toBe("unknown");
    expect(forgotten.text).toContain("the record has been pruned");
    expect((await scheduler.explain("a", "2026-03-01T23:00:00Z")).answer).toBe("unknown");
    await scheduler.stop();
  });

  it("finds what was held however many triggers came after it", async () => {
    const conditions = [condition("partner", ({ trigger }) => trigger.kind !== "webhook", { onBlock: "hold" })];
    const { scheduler, clock } = await harness([
      pipeline({ id: "a", execution: { maxActiveRuns: 50 }, conditions, holdFor: "1h", run: ok }),
    ]);
    const held = await scheduler.trigger("a", { kind: "webhook", user: "shop" });
    await clock.advance("2h");
    for (let count = 0; count < 1_200; count++) await scheduler.trigger("a");
    await clock.advance("1m");
    const found = await scheduler.explain("a", "2026-03-02T00:30:00Z");
    expect([found.answer, found.trigger?.id]).toEqual(["expired", held.id]);
    expect((await scheduler.explain("a", "2026-03-02T01:30:00Z")).answer).toBe("not_scheduled");
    await scheduler.stop();
  });

  it("knows every pause, whichever began first", async () => {
    const { scheduler, clock } = await harness([pipeline({ id: "a", schedule: hourly, run: ok })]);
    await clock.advance("30m");
    await scheduler.pause({ user: "ops" });
    await clock.advance("1h");
    await scheduler.pause("a", { user: "ana" });
    await clock.advance("1h");
    for (const [at, by] of [
      ["2026-03-02T01:00:00Z", "the scheduler has been paused since 2026-03-02T00:30:00Z by ops"],
      ["2026-03-02T02:00:00Z", "the pipeline has been paused since 2026-03-02T01:30:00Z by ana"],
    ] as const) {
      const { answer, text } = await scheduler.explain("a", at);
      expect([answer, text.includes(by)], text).toEqual(["waiting", true]);
    }
    await scheduler.resume();
    await clock.advance("1m");
    for (const at of ["2026-03-02T01:00:00Z", "2026-03-02T02:00:00Z"])
      expect((await scheduler.explain("a", at)).text).toContain("the pipeline has been paused since 2026-03-02T01:30:00Z by ana");
    await scheduler.stop();
  });

  it("names every fire time of a long row of dropped ones, and no other instant", async () => {
    const store = memoryStore();
    const clock = fakeClock(START);
    const minutely = pipeline({ id: "a", schedule: cron("*/10 * * * *"), execution: { catchup: "none" }, run: ok });
    const first = await harness([minutely], { clock, store });
    await clock.advance("5m");
    await first.scheduler.stop();
    await clock.advance("20d");
    const { scheduler } = await harness([minutely], { clock, store });
    const row = await scheduler.explain("a", "2026-03-03T05:00:00Z");
    expect(row.answer).toBe("missed");
    expect(row.text).toContain("its fire time 2026-03-03T05:00:00Z, one of ");
    expect((await scheduler.explain("a", "2026-03-03T05:04:00Z")).answer).toBe("not_scheduled");
    expect((await scheduler.explain("a", "2026-03-21T05:00:00Z")).text).toContain("its fire time 2026-03-21T05:00:00Z was dropped");
    await scheduler.stop();
  });
});
