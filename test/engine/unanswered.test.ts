import { describe, expect, it } from "vitest";
import { condition, every, HeadgateError, pipeline, type Store } from "../../src/index.js";
import { fakeClock } from "../../src/testing/index.js";
import { type Faults, faultyStore, isWork, storeIsAway } from "../support/faulty-store.js";
import { harness, START } from "../support/harness.js";
import { sharedStore } from "../support/shared-store.js";

/** Loses the answer to the first call of a method, and whatever is asked until `until`. */
function losing(method: keyof Store, isDone: () => boolean): Faults {
  let isLost = false;
  return {
    before: (called) => (isLost && !isDone() && isWork(called) ? storeIsAway() : null),
    after: (called) => {
      if (called !== method || isLost) return null;
      isLost = true;
      return storeIsAway();
    },
  };
}

describe("a request that was committed and not answered", () => {
  const clockOf = () => fakeClock(START);

  for (const [awayMs, how] of [
    [1_000, "within the lease"],
    [3_600_000, "long after the lease"],
  ] as const) {
    for (const [method, conditions] of [
      ["decide", [condition("open", async () => true)]],
      ["claim", []],
    ] as const) {
      it(`${method}: the run is started once, by the node that decided on it, ${how}`, async () => {
        const clock = clockOf();
        let executions = 0;
        const job = pipeline({ id: "a", conditions, execution: { retries: 0 }, run: () => ++executions });
        const faults: Faults = {};
        const { scheduler, heard } = await harness([job], { clock, store: faultyStore(sharedStore(), faults) });
        const backAt = clock.now() + awayMs;
        Object.assign(
          faults,
          losing(method, () => clock.now() >= backAt),
        );
        await scheduler.trigger("a");
        await clock.advance(awayMs + 60_000);
        const [run] = (await scheduler.runs()).items;
        expect(run).toMatchObject({ status: "succeeded", attempt: 1, attempts: [] });
        expect(executions).toBe(1);
        expect((await scheduler.runs()).items).toHaveLength(1);
        expect((await scheduler.decisions()).items).toHaveLength(1);
        for (const name of ["decision", "run.started", "run.succeeded"] as const) expect(heard(name)).toHaveLength(1);
        expect(heard("error")).toHaveLength(0);
        await scheduler.stop();
      });
    }
  }

  it("finish: the run has succeeded, and what follows is emitted", async () => {
    const clock = clockOf();
    const faults: Faults = {};
    const { scheduler, heard } = await harness(
      [pipeline({ id: "a", run: () => "done" }), pipeline({ id: "b", after: ["a"], run: () => "next" })],
      { clock, store: faultyStore(sharedStore(), faults) },
    );
    let lost = 0;
    faults.after = (method) => (method === "finish" && lost++ === 0 ? storeIsAway() : null);
    await scheduler.trigger("a");
    await clock.advance("1m");
    expect(heard("run.succeeded").map(({ run }) => run.pipelineId)).toEqual(["a", "b"]);
    expect(heard("trigger.created").map(({ trigger }) => trigger.pipelineId)).toEqual(["a", "b"]);
    expect(heard("run.late_result")).toHaveLength(0);
    await scheduler.stop();
  });

  it("fire: its events are emitted once", async () => {
    const clock = clockOf();
    const faults: Faults = {};
    const job = pipeline({ id: "a", schedule: every("1h"), run: () => "done" });
    const { scheduler, heard } = await harness([job], { clock, store: faultyStore(sharedStore(), faults) });
    let lost = 0;
    faults.after = (method) => (method === "fire" && lost++ === 0 ? storeIsAway() : null);
    await clock.advance("90m");
    expect(heard("schedule.fired")).toHaveLength(1);
    expect(heard("trigger.created")).toHaveLength(1);
    expect((await scheduler.triggers()).items).toHaveLength(1);
    await scheduler.stop();
  });
});

describe("a decision that the store does not take", () => {
  const open = condition("open", async () => true);

  it("is made again when its claim has run out, and reported once with its trigger", async () => {
    const faults: Faults = { before: (method) => (method === "decide" ? new Error("a trigger of the table has raised 42") : null) };
    const store = faultyStore(sharedStore(), faults);
    const { scheduler, clock, heard } = await harness([pipeline({ id: "a", conditions: [open], run: () => "done" })], { store });
    const { id } = await scheduler.trigger("a");
    await clock.advance("10m");
    expect(heard("error")).toMatchObject([{ where: expect.stringContaining(`trigger ${id} of pipeline a`) }]);
    faults.before = null;
    await clock.advance("3m");
    expect((await scheduler.runs()).items).toMatchObject([{ status: "succeeded", attempt: 1 }]);
    await scheduler.stop();
  });

  it("is recorded without its evidence when that is what the store refuses", async () => {
    const refused = (requests: readonly { decision: { findings: readonly { evidence?: unknown }[] } }[]) =>
      requests.some(({ decision }) => decision.findings.some(({ evidence }) => evidence !== undefined));
    const store = faultyStore(sharedStore(), {
      before: (method, [requests]) =>
        method === "decide" && refused(requests as never) ? new HeadgateError("STORE_REJECTED", "too large") : null,
    });
    const measured = condition("measured", async () => ({ result: "pass", reason: "fine", evidence: { rows: 7 } }));
    const { scheduler, clock } = await harness([pipeline({ id: "a", conditions: [measured], run: () => "done" })], { store });
    await scheduler.trigger("a");
    await clock.advance("1s");
    expect((await scheduler.runs()).items).toMatchObject([{ status: "succeeded" }]);
    expect((await scheduler.decisions()).items).toMatchObject([{ outcome: "run" }]);
    await scheduler.stop();
  });
});

describe("progress", () => {
  it("that a heartbeat could not send goes with the next, and one that the store refuses costs no run its lease", async () => {
    const shared = sharedStore();
    const faults: Faults = {};
    const slow = (id: string, progress: unknown) =>
      pipeline({
        id,
        run: async ({ heartbeat, clock: time }) => {
          heartbeat(progress);
          await time.sleep("5m");
        },
      });
    const { scheduler, clock, heard } = await harness([slow("good", { rows: 1 }), slow("bad", { poison: true })], {
      store: faultyStore(shared, faults),
      leaseDuration: "30s",
    });
    let failures = 0;
    faults.before = (method, [requests]) => {
      if (method !== "heartbeat") return null;
      if (failures++ < 3) return storeIsAway();
      return JSON.stringify(requests).includes("poison") ? new HeadgateError("STORE_REJECTED", "no") : null;
    };
    await scheduler.trigger("good");
    await scheduler.trigger("bad");
    await clock.advance("4m");
    const [good] = (await scheduler.runs({ pipelineId: "good" })).items;
    const [bad] = (await scheduler.runs({ pipelineId: "bad" })).items;
    expect(good).toMatchObject({ status: "running", attempt: 1, progress: { rows: 1 } });
    expect(bad).toMatchObject({ status: "running", attempt: 1, progress: null });
    expect(heard("error").map(({ where }) => where)).toEqual([`progress of run ${bad?.id}, which was not stored`]);
    await clock.advance("2m");
    expect(heard("run.succeeded")).toHaveLength(2);
    await scheduler.stop();
  });
});
