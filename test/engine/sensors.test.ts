import { describe, expect, it } from "vitest";
import { z } from "zod";
import { HeadgateError, memoryStore, pipeline, type SensorPollContext, sensor } from "../../src/index.js";
import { fakeClock } from "../../src/testing/index.js";
import { harness, START } from "../support/harness.js";

const numbers = (upTo: () => number, seen: unknown[] = []) =>
  sensor(
    "numbers",
    ({ cursor }: SensorPollContext) => {
      seen.push(cursor);
      const from = Number(cursor ?? 0);
      const events = Array.from({ length: Math.max(0, upTo() - from) }, (_, index) => ({ parameters: { n: from + index + 1 } }));
      return { events, cursor: Math.max(from, upTo()) };
    },
    { every: "1m", jitter: 0 },
  );

describe("a sensor", () => {
  it("raises a trigger for everything it finds, goes on where it was, and writes nothing while it finds nothing", async () => {
    let upTo = 2;
    const cursors: unknown[] = [];
    const ran: unknown[] = [];
    const memory = memoryStore();
    let writes = 0;
    const move = memory.moveCursor.bind(memory);
    const store = Object.assign(memory, {
      moveCursor: (...args: Parameters<typeof move>) => {
        writes++;
        return move(...args);
      },
    });
    const job = pipeline({ id: "a", sensors: [numbers(() => upTo, cursors)], run: ({ parameters }) => void ran.push(parameters.n) });
    const { scheduler, clock } = await harness([job], { store });
    await clock.advance("10s");
    expect(ran).toEqual([1, 2]);
    await clock.advance("10m");
    expect(cursors.length).toBe(11);
    expect(writes).toBe(1);
    upTo = 3;
    await clock.advance("1m");
    expect(ran).toEqual([1, 2, 3]);
    expect(cursors.at(-1)).toBe(2);
    const [trigger] = (await scheduler.triggers({ limit: 1 })).items;
    expect(trigger).toMatchObject({ kind: "sensor", user: "sensor numbers", parameters: { n: 3 } });
    await scheduler.stop();
    const again = await harness([job], { store, clock });
    await again.clock.advance("5m");
    expect(ran).toEqual([1, 2, 3]);
    await again.scheduler.stop();
  });

  it("is looked through by one node at a time, and by another when that one stops or is silent for longer than its lease", async () => {
    const looks = { one: 0, two: 0 };
    const store = memoryStore();
    const clock = fakeClock(START);
    const jobOf = (node: "one" | "two") => {
      const look = () => {
        looks[node]++;
        return { events: [], cursor: null };
      };
      return pipeline({ id: "a", sensors: [sensor("s", look, { every: "10s" })], run: () => {} });
    };
    const one = await harness([jobOf("one")], { store, clock, node: "one" });
    await clock.advance("1s");
    const two = await harness([jobOf("two")], { store, clock, node: "two" });
    await clock.advance("5m");
    expect(looks.one).toBeGreaterThan(25);
    expect(looks.two).toBe(0);
    expect(one.scheduler.status().sensors).toMatchObject([{ pipelineId: "a", name: "s", isHeldHere: true, failures: 0 }]);
    expect(two.scheduler.status().sensors).toMatchObject([{ isHeldHere: false }]);
    await one.scheduler.stop();
    const before = looks.one;
    await clock.advance("1m");
    expect(looks.one).toBe(before);
    expect(looks.two).toBeGreaterThan(2);
    await two.scheduler.stop();
  });

  it("that fails is asked less and less often, shows in status and events, and raises nothing", async () => {
    let isBroken = true;
    let looks = 0;
    const flaky = sensor(
      "flaky",
      ({ cursor }) => {
        looks++;
        if (isBroken) throw new Error("connection refused");
        return { events: cursor === null ? [{ reason: "found" }] : [], cursor: 1 };
      },
      { every: "1m", maxBackoff: "15m", jitter: 0 },
    );
    const job = pipeline({ id: "a", sensors: [flaky], run: () => {} });
    const { scheduler, clock } = await harness([job]);
    const told: string[] = [];
    scheduler.on("sensor.failed", ({ failures, error }) => told.push(`failed ${failures} ${error.message}`));
    scheduler.on("sensor.recovered", ({ failures }) => told.push(`recovered ${failures}`));
    await clock.advance("1h");
    expect(looks).toBe(7); // after 0, 2, 6, 14, 29, 44 and 59 minutes
    expect(scheduler.status().sensors[0]).toMatchObject({ failures: 7, error: "connection refused" });
    expect((await scheduler.triggers()).items).toEqual([]);
    isBroken = false;
    await clock.advance("15m");
    expect(told.at(0)).toBe("failed 1 connection refused");
    expect(told.at(-1)).toBe("recovered 7");
    expect(scheduler.status().sensors[0]).toMatchObject({ failures: 0, error: null });
    expect((await scheduler.triggers()).items).toMatchObject([{ reason: "found" }]);
    await scheduler.stop();
  });

  it("that never answers is given up after its timeout, and not asked again before it has", async () => {
    let asked = 0;
    let release: () => void = () => {};
    const stuck = sensor(
      "stuck",
      () => {
        asked++;
        return new Promise((resolve) => {
          release = () => resolve({ events: [{ reason: "late" }], cursor: 9 });
        });
      },
      { every: "10s", timeout: "5s", jitter: 0 },
    );
    const { scheduler, clock } = await harness([pipeline({ id: "a", sensors: [stuck], run: () => {} })]);
    const codes: unknown[] = [];
    scheduler.on("sensor.failed", ({ error }) => codes.push((error as HeadgateError).code));
    await clock.advance("10m");
    expect(asked).toBe(1);
    expect(codes).toEqual(["SENSOR_TIMED_OUT"]);
    release();
    await clock.advance("20s");
    expect(asked).toBe(2);
    expect((await scheduler.triggers()).items, "a late answer counts for nothing").toEqual([]);
    await scheduler.stop();
  });

  it("passes over what its pipeline cannot take, and says so", async () => {
    const source = sensor("s", ({ cursor }) => ({
      events: cursor === null ? [{ parameters: { n: "x" } }, { parameters: { n: 1 } }] : [],
      cursor: 1,
    }));
    const ran: number[] = [];
    const job = pipeline({
      id: "a",
      sensors: [source],
      parameters: z.object({ n: z.number() }),
      run: ({ parameters }) => void ran.push(parameters.n),
    });
    const { scheduler, clock } = await harness([job]);
    const rejected: unknown[] = [];
    scheduler.on("sensor.rejected", ({ error, event }) => rejected.push((error as HeadgateError).code, event.parameters));
    await clock.advance("3m");
    expect(ran).toEqual([1]);
    expect(rejected).toEqual(["INVALID_PARAMETERS", { n: "x" }]);
    await scheduler.stop();
  });

  it("asks for a run when something becomes true (edge), or one after the other while it is (level)", async () => {
    let isOpen = false;
    const runs = { edge: 0, level: 0 };
    const jobs = (["edge", "level"] as const).map((mode) =>
      pipeline({
        id: mode,
        sensors: [sensor("open", async () => isOpen, { mode, every: "1m", jitter: 0 })],
        run: async ({ clock }) => {
          runs[mode]++;
          await clock.sleep("150s");
        },
      }),
    );
    const { scheduler, clock } = await harness(jobs);
    await clock.advance("5m");
    isOpen = true;
    await clock.advance("9m");
    expect(runs).toEqual({ edge: 1, level: 3 });
    isOpen = false;
    await clock.advance("5m");
    isOpen = true;
    await clock.advance("1m");
    expect(runs).toEqual({ edge: 2, level: 4 });
    await clock.advance("10m");
    await scheduler.stop({ drain: 0 });
  });

  it("that finds nothing for longer than expected is told once", async () => {
    let isThere = true;
    const source = sensor("s", ({ now }) => ({ events: isThere ? [{}] : [], cursor: isThere ? now : null }), {
      every: "1m",
      jitter: 0,
      expectWithin: "10m",
    });
    const { scheduler, clock } = await harness([pipeline({ id: "a", sensors: [source], run: () => {} })]);
    const told: number[] = [];
    scheduler.on("sensor.overdue", ({ since }) => told.push(since.getTime()));
    await clock.advance("30s");
    isThere = false;
    await clock.advance("1h");
    expect(told).toEqual([Date.parse(START)]);
    expect(scheduler.status().sensors[0]?.isOverdue).toBe(true);
    await scheduler.stop();
  });

  it("finds everything once although the store is away for a while", async () => {
    const memory = memoryStore();
    let isAway = false;
    const guard = <F extends (...args: never[]) => Promise<unknown>>(method: F) =>
      ((...args: Parameters<F>) => (isAway ? Promise.reject(new HeadgateError("STORE_UNAVAILABLE", "away")) : method(...args))) as F;
    const store = Object.assign(memory, {
      claimCursors: guard(memory.claimCursors.bind(memory)),
      moveCursor: guard(memory.moveCursor.bind(memory)),
    });
    const ran: unknown[] = [];
    let upTo = 1;
    const job = pipeline({ id: "a", sensors: [numbers(() => upTo)], run: ({ parameters }) => void ran.push(parameters.n) });
    const { scheduler, clock } = await harness([job], { store });
    await clock.advance("1m");
    isAway = true;
    upTo = 4;
    await clock.advance("5m");
    expect(ran).toEqual([1]);
    isAway = false;
    await clock.advance("10m");
    expect(ran).toEqual([1, 2, 3, 4]);
    await scheduler.stop();
  });
});
