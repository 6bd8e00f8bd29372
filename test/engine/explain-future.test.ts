import { describe, expect, it } from "vitest";
import { adaptive, cron, every, healthy, maintenanceWindow, manual, memoryStore, pipeline, stale } from "../../src/index.js";
import { fakeClock } from "../../src/testing/index.js";
import { harness, START } from "../support/harness.js";

const ok = () => {};
const daily = cron("0 2 * * *");
const hourly = cron("0 * * * *");
const on = (time: string) => `2026-03-02T${time}:00Z`;
/** Ends long before the next hour, whatever happens. */
const short = { timeout: "10m", retries: 0 } as const;
const warehouse = (isUp: () => boolean) => healthy({ probes: [{ name: "warehouse", measure: isUp, ttlMs: 0 }] });

describe("explain of an instant to come", () => {
  it("knows when a held trigger is looked at again, and when it expires", async () => {
    const window = maintenanceWindow({ start: "01:00", end: "04:00" }, { onBlock: "hold" });
    const { scheduler, clock } = await harness([
      pipeline({ id: "a", schedule: daily, conditions: [window], execution: short, run: ok }),
      pipeline({ id: "b", schedule: daily, conditions: [window], holdFor: "1h", execution: short, run: ok }),
    ]);
    expect(await scheduler.explain("a", on("02:00"))).toMatchObject({ answer: "will_wait" });
    expect(await scheduler.explain("a", on("04:00"))).toMatchObject({ answer: "will_run" });
    expect(await scheduler.explain("b", on("02:00"))).toMatchObject({ answer: "will_expire" });
    await clock.advance("2h30m");
    const run = await scheduler.explain("a", on("04:00"));
    expect(run).toMatchObject({ answer: "will_run", dependsOn: [], trigger: { status: "held" } });
    expect(run.text).toContain("the scheduled trigger for 2026-03-02T02:00:00Z, held until then");
    expect(await scheduler.explain("b", on("03:00"))).toMatchObject({ answer: "will_expire", trigger: { status: "held" } });
    expect(await scheduler.explain("b", on("04:00"))).toMatchObject({ answer: "not_scheduled" });
    await clock.advance("2h");
    expect(await scheduler.explain("a", on("02:00"))).toMatchObject({ answer: "ran" });
    expect(await scheduler.explain("b", on("02:00"))).toMatchObject({ answer: "expired" });
    await scheduler.stop();
  });

  it("knows a retry that is due, a trigger with notBefore, and what waits behind a run", async () => {
    const { scheduler, clock } = await harness([
      pipeline({
        id: "fails",
        schedule: hourly,
        execution: { retries: 1, retryDelay: "90m", timeout: "5m" },
        run: () => {
          throw new Error("ECONNREFUSED");
        },
      }),
      pipeline({ id: "later", schedule: manual(), execution: short, run: ok }),
      pipeline({ id: "busy", schedule: hourly, execution: { timeout: "5h" }, run: ({ clock: time }) => time.sleep("4h") }),
    ]);
    await scheduler.trigger("later", { notBefore: on("03:00"), user: "ana" });
    await clock.advance("1h10m");
    const retry = await scheduler.explain("fails", on("02:30"));
    expect(retry).toMatchObject({ answer: "will_retry", run: { status: "retrying", attempt: 1 } });
    expect(retry.text).toContain("attempt 2");
    expect(retry.text).toContain("ECONNREFUSED");
    expect(await scheduler.explain("fails", on("02:00"))).toMatchObject({ answer: "will_wait" }); // its slot is taken until the retry
    expect(await scheduler.explain("later", on("03:00"))).toMatchObject({ answer: "will_run", trigger: { user: "ana" } });
    expect(await scheduler.explain("later", on("02:00"))).toMatchObject({ answer: "will_wait", trigger: { user: "ana" } });
    const queued = await scheduler.explain("busy", on("02:00"));
    expect(queued).toMatchObject({ answer: "may_run", dependsOn: [{ kind: "slot" }] });
    expect(queued.text).toMatch(/run \w+ running since 2026-03-02T01:00:00Z/);
    await scheduler.stop({ drain: 0 });
  });

  it("is hedged by conditions that cannot be known, and names one that blocks now", async () => {
    let isUp = false;
    const { scheduler, clock } = await harness([
      pipeline({ id: "a", schedule: daily, conditions: [warehouse(() => isUp)], onBlock: "hold", execution: short, run: ok }),
    ]);
    const before = await scheduler.explain("a", on("02:00"));
    expect(before).toMatchObject({ answer: "may_run", dependsOn: [{ kind: "condition", name: "healthy" }] });
    await clock.advance("2h10m");
    const look = await scheduler.explain("a", on("02:15"));
    expect(look).toMatchObject({ answer: "may_run", trigger: { status: "held" }, dependsOn: [{ kind: "condition", name: "healthy" }] });
    const tomorrow = await scheduler.explain("a", "2026-03-03T02:00:00Z");
    expect(tomorrow.answer).toBe("may_run");
    expect(tomorrow.text).toMatch(/healthy.* blocked at 2026-03-02T02:00:00Z .*warehouse is not healthy/);
    isUp = true;
    await scheduler.stop();
  });

  it("is hedged by pools and by the scheduler's limit, as far as others can take their slots", async () => {
    const pooled = { ...short, pool: "wh" };
    const { scheduler } = await harness(
      [
        pipeline({ id: "a", schedule: cron("0 2 * * *"), execution: pooled, run: ok }),
        pipeline({ id: "b", schedule: cron("0 3 * * *"), execution: pooled, run: ok }),
        pipeline({ id: "c", schedule: cron("0 5 * * *"), execution: short, run: ok }),
      ],
      { pools: { wh: 1 }, maxActiveRuns: 2 },
    );
    expect(await scheduler.explain("a", on("02:00"))).toMatchObject({ answer: "will_run", dependsOn: [] });
    expect(await scheduler.explain("b", on("03:00"))).toMatchObject({ answer: "may_run", dependsOn: [{ kind: "pool", name: "wh" }] });
    expect(await scheduler.explain("c", on("05:00"))).toMatchObject({ answer: "may_run", dependsOn: [{ kind: "limit" }] });
    await scheduler.stop();
  });

  it("is hedged by an adaptive interval, for every fire time after which it may have changed", async () => {
    const schedule = adaptive({ base: "1h", min: "30m", max: "4h", tuner: (_, ms) => ({ interval: ms, reason: "same" }) });
    const { scheduler } = await harness([pipeline({ id: "a", schedule, execution: short, run: ok })]);
    expect(await scheduler.explain("a", on("01:00"))).toMatchObject({ answer: "will_run" });
    expect(await scheduler.explain("a", on("02:00"))).toMatchObject({ answer: "may_run", dependsOn: [{ kind: "interval" }] });
    expect((await scheduler.explain("a", on("02:30"))).text).toContain("may change before");
    await scheduler.settings.change("a", { isAdaptive: false });
    expect(await scheduler.explain("a", on("02:00"))).toMatchObject({ answer: "will_run" });
    await scheduler.stop();
  });

  it("goes by where the store has the schedule, not only by its rule", async () => {
    const store = memoryStore();
    const { scheduler } = await harness([pipeline({ id: "a", schedule: hourly, execution: short, run: ok })], { store });
    const [state] = await store.states(["a"]);
    const moved = { pipelineId: "a", scheduleKey: hourly.key, expectedFireAt: state?.nextFireAt ?? null, lastFireAt: null };
    await store.fire([{ ...moved, nextFireAt: Date.parse(on("05:00")), triggers: [], dropped: [] }], Date.parse(START));
    const passed = await scheduler.explain("a", on("02:00"));
    expect(passed).toMatchObject({ answer: "not_scheduled", nextFireAt: new Date(on("05:00")) });
    expect(passed.text).toContain("its next fire time is 2026-03-02T05:00:00Z");
    expect(await scheduler.explain("a", on("05:00"))).toMatchObject({ answer: "will_run" });
    const fires = await scheduler.upcoming({ count: 2 });
    expect(fires.map(({ fireAt }) => fireAt.toISOString().slice(11, 16))).toEqual(["05:00", "06:00"]);
    await scheduler.stop();
  });

  it("knows what a pause leaves of the fire times in it", async () => {
    const { scheduler } = await harness([
      pipeline({ id: "latest", schedule: hourly, execution: short, run: ok }),
      pipeline({ id: "none", schedule: hourly, execution: { ...short, catchup: "none" }, run: ok }),
      pipeline({ id: "ever", schedule: hourly, execution: short, run: ok }),
    ]);
    for (const id of ["latest", "none"]) await scheduler.pause(id, { duration: "3h30m", user: "ana", reason: "moving" });
    await scheduler.pause("ever");
    const answer = async (id: string, time: string) => (await scheduler.explain(id, on(time))).answer;
    expect(await answer("latest", "02:00")).toBe("will_miss");
    expect(await answer("latest", "03:00")).toBe("will_wait");
    expect(await answer("latest", "03:30")).toBe("will_run");
    expect(await answer("latest", "04:00")).toBe("will_run");
    expect(await answer("none", "03:00")).toBe("will_miss");
    expect(await answer("none", "04:00")).toBe("will_run");
    expect(await answer("ever", "05:00")).toBe("will_wait");
    const marked = await scheduler.upcoming({ pipelineId: "latest", count: 4 });
    expect(marked.map((one) => one.answer)).toEqual(["will_miss", "will_miss", "will_wait", "will_run"]);
    expect(marked[0]?.reason).toContain("paused");
    await scheduler.stop();
  });

  it("knows that a retry waits for the end of a pause that has none", async () => {
    const fails = () => {
      throw new Error("down");
    };
    const { scheduler, clock } = await harness([
      pipeline({ id: "a", schedule: cron("0 1 * * *"), execution: { retries: 1, retryDelay: "1h" }, run: fails }),
    ]);
    await clock.advanceTo("2026-03-02T01:10:00Z");
    await scheduler.pause("a", { user: "ana" });
    const { answer, text } = await scheduler.explain("a", "2026-03-02T03:30:00Z");
    expect(answer).toBe("will_wait");
    expect(text).toContain("will wait for attempt 2, due when the pause ends (attempt 1 failed: down)");
    await scheduler.stop({ drain: 0 });
  });

  it("knows data that will be fresh", async () => {
    const { scheduler, clock } = await harness([
      pipeline({ id: "a", schedule: hourly, conditions: [stale({ olderThan: "90m" })], execution: short, run: ok }),
    ]);
    await clock.advance("1h10m");
    expect(await scheduler.explain("a", on("02:00"))).toMatchObject({ answer: "will_skip", dependsOn: [] });
    expect(await scheduler.explain("a", on("03:00"))).toMatchObject({ answer: "will_run" });
    expect((await scheduler.explain("a", on("04:00"))).answer).toBe("may_run");
    await scheduler.stop();
  });

  it("does not promise a run while an earlier one may still run", async () => {
    const { scheduler } = await harness([
      pipeline({ id: "long", schedule: every("1h"), execution: { retries: 0, timeout: "2h" }, run: ok }),
      pipeline({ id: "skips", schedule: every("1h"), execution: { retries: 0, timeout: "2h", overlap: "skip" }, run: ok }),
    ]);
    expect((await scheduler.explain("long", on("01:00"))).answer).toBe("will_run");
    const second = await scheduler.explain("long", on("02:00"));
    expect(second).toMatchObject({ answer: "may_run", dependsOn: [{ kind: "slot" }] });
    expect(second.text).toContain("otherwise it will wait");
    expect((await scheduler.explain("skips", on("02:00"))).text).toContain("otherwise it will be skipped");
    await scheduler.stop();
  });

  it("shows the pipeline's local time beside UTC", async () => {
    const clock = fakeClock(START);
    const { scheduler } = await harness(
      [pipeline({ id: "a", schedule: cron("30 2 * * *"), timeZone: "Europe/Berlin", execution: short, run: ok })],
      { clock },
    );
    expect((await scheduler.explain("a", on("01:30"))).text).toContain("2026-03-02T01:30:00Z (02:30 Europe/Berlin)");
    await scheduler.stop();
  });
});
