import { describe, expect, it } from "vitest";
import type { Core } from "../../src/engine/context/core.js";
import type { Entry } from "../../src/engine/context/fire-queue.js";
import { CatchupCauses } from "../../src/engine/firing/catchup-causes.js";
import { cron, memoryStore, pipeline } from "../../src/index.js";
import { fakeClock } from "../../src/testing/index.js";
import { faultyStore, storeIsAway } from "../support/faulty-store.js";
import { type Harness, harness, START } from "../support/harness.js";

const hourly = pipeline({ id: "hourly", schedule: cron("0 * * * *"), execution: { catchup: "all" }, run: () => {} });
const at = (time: string) => new Date(`2026-03-02T${time}Z`);

async function catchupOf({ scheduler }: Harness, time: string) {
  const { items } = await scheduler.triggers({ from: at(time), until: new Date(at(time).getTime() + 1) });
  return items[0]?.catchup;
}

describe("why catchup made a fire time is recorded", () => {
  it("a downtime: from the last sign of life until the scheduler started", async () => {
    const [store, clock] = [memoryStore(), fakeClock(START)];
    const first = await harness([hourly], { clock, store });
    await clock.advance("1h10m");
    await first.scheduler.trigger("hourly");
    await clock.advance("10m");
    await first.scheduler.stop();
    await clock.advance("3h");
    const second = await harness([hourly, pipeline({ ...{ id: "new", schedule: cron("0 * * * *") }, run: () => {} })], { clock, store });
    await clock.advance("1h");
    expect(await catchupOf(second, "03:00:00")).toEqual({ cause: "downtime", from: at("01:10:00"), until: at("04:20:00") });
    expect(await catchupOf(second, "04:00:00")).toEqual({ cause: "downtime", from: at("01:10:00"), until: at("04:20:00") });
    expect(await catchupOf(second, "05:00:00")).toBeNull();
    await second.scheduler.stop();
  });

  it("a pause of the pipeline or of everything", async () => {
    const one = await harness([hourly]);
    await one.clock.advance("30m");
    await one.scheduler.pause("hourly", { reason: "audit", user: "ana" });
    await one.clock.advance("1h");
    await one.scheduler.resume("hourly");
    await one.clock.settle();
    expect(await catchupOf(one, "01:00:00")).toEqual({
      cause: "paused",
      from: at("00:30:00"),
      until: at("01:30:00"),
      pause: { reason: "audit", user: "ana", isGlobal: false },
    });
    await one.scheduler.pause({ duration: "1h" });
    await one.clock.advance("2h");
    expect(await catchupOf(one, "02:00:00")).toMatchObject({
      from: at("01:30:00"),
      until: at("02:30:00"),
      pause: { user: null, isGlobal: true },
    });
    expect(await catchupOf(one, "03:00:00")).toBeNull();
    await one.scheduler.stop();
  });

  it("a store that could not be used, also on dropped fire times", async () => {
    let isAway = false;
    const store = faultyStore(memoryStore(), {
      before: () => {
        if (isAway) throw storeIsAway();
      },
    });
    const clock = fakeClock(START);
    const latest = pipeline({ id: "latest", schedule: cron("0 * * * *"), run: () => {} });
    const one = await harness([hourly, latest], { clock, store });
    await clock.advance("1h30m");
    isAway = true;
    await clock.advance("2h");
    isAway = false;
    await clock.advance("1m");
    const cause = await catchupOf(one, "02:00:00");
    expect(cause?.cause).toBe("store_unavailable");
    expect(cause?.from?.getTime()).toBeGreaterThanOrEqual(at("01:30:00").getTime());
    expect(cause?.until.getTime()).toBeGreaterThanOrEqual(at("03:30:00").getTime());
    const { items } = await one.scheduler.decisions({ pipelineId: "latest", outcome: "skip" });
    expect(items[0]).toMatchObject({ scheduledFor: at("02:00:00"), missed: { count: 1, lastAt: at("02:00:00"), cause } });
    await one.scheduler.stop();
  });

  it("a clock that was moved forward", async () => {
    const one = await harness([hourly]);
    await one.clock.advance("30m");
    one.clock.jump(2 * 3_600_000);
    await one.clock.advance("1m");
    const cause = await catchupOf(one, "01:00:00");
    expect(cause?.cause).toBe("clock_step");
    expect((cause?.until.getTime() ?? 0) - (cause?.from?.getTime() ?? 0)).toBe(2 * 3_600_000);
    await one.scheduler.stop();
  });

  it("a process that did nothing for a while, from its last round on", () => {
    const causes = new CatchupCauses({ settings: { trustMs: 30_000, onTimeMs: 30_000 } } as Core);
    const entry = { addedAt: 0, lastFireAt: null } as Entry;
    causes.look(1_000, 0, null);
    causes.look(31_000, 0, null);
    expect(causes.of(entry, 30_000, [], 31_000)).toBeNull();
    causes.look(500_000, 0, null);
    const stalled = { cause: "stalled", from: 31_000, until: 500_000 };
    expect(causes.of(entry, 60_000, [], 500_000)).toEqual(stalled);
    causes.look(501_000, 0, null);
    expect(causes.of(entry, 60_000, [], 501_000)).toEqual(stalled);
    expect(causes.of(entry, 60_000, [{ from: 50_000, until: 70_000, reason: null, user: null, isGlobal: false }], 501_000)?.cause).toBe(
      "paused",
    );
  });
});
