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
      /^a at 2026-03-02T01:00:00Z: the scheduled trigger for 2026-03-02T01:00:00Z ran because it has no conditions; its run \w+ started 2026-03-02T01:00:00Z and succeeded after 20m$/,
    );
    expect((await scheduler.explain("a", "2026-03-02T00:59:30Z")).trigger?.id).toBe(ran.trigger?.id);
    expect((await scheduler.explain("a", "2026-03-02T02:05:00Z")).text).toContain("ran because");
    expect((await scheduler.explain("a")).answer).toBe("running");
    const between = await scheduler.explain("a", "2026-03-02T01:40:00Z");
    expect(between.answer).toBe("not_scheduled");
    expect(between.text).toContain("the last before it was the scheduled trigger for 2026-03-02T01:00:00Z, succeeded 2026-03-02T01:20:00Z");
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
    expect(await text("fresh", "2026-03-02T02:00:00Z")).toContain("was skipped: stale: data is fresh: 1h old, limit 1h 30m");
    expect(await text("held", "2026-03-02T03:00:00Z")).toContain("is waiting: held, because partner: partner does not hold");
    expect(await text("held", "2026-03-02T02:00:00Z")).toContain("was replaced while it waited: a newer fire time took its place");
    const busy = await first.scheduler.explain("busy", "2026-03-02T03:00:00Z");
    expect(busy.answer).toBe("waiting");
    expect(busy.text).toMatch(/is waiting: 1 of 1 runs are taken \(\w+ running since 2026-03-02T01:00:00Z\)$/);
    expect(await text("paused", "2026-03-02T02:00:00Z")).toContain(
      "the pipeline is paused since 2026-03-02T00:00:00Z by ana (audit); on resume catchup (latest) decides",
    );
    await first.scheduler.resume({ pipelineId: "paused" });
    await clock.settle();
    expect(await first.scheduler.explain("paused", "2026-03-02T02:00:00Z")).toMatchObject({ answer: "missed" });
    expect(await text("paused", "2026-03-02T02:00:00Z")).toContain("was dropped: the pipeline was paused from ");
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
      "its schedule fires at 2026-03-02T04:00:00Z, and it may run, which depends on this: stale depends on runs until then",
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
    expect(forgotten.text).toContain("beyond the store's retention");
    expect((await scheduler.explain("a", "2026-03-01T23:00:00Z")).answer).toBe("unknown");
    await scheduler.stop();
  });
});
