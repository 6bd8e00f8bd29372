import { describe, expect, it } from "vitest";
import { every, memoryStore, pipeline } from "../../src/index.js";
import { harness } from "../support/harness.js";

const ok = () => {};

describe("the memory store's retention", () => {
  it("keeps the newest ended triggers with their runs and decisions, and all that is not ended", async () => {
    const forgotten: string[] = [];
    const store = memoryStore({ retention: { count: 10 }, onPrune: ({ trigger }) => forgotten.push(trigger?.id ?? "dropped") });
    const { scheduler, clock } = await harness(
      [
        pipeline({ id: "often", schedule: every("1m"), run: ok }),
        pipeline({ id: "long", execution: { timeout: "30d" }, run: ({ clock: time }) => time.sleep("20d") }),
      ],
      { store },
    );
    const long = await scheduler.trigger("long");
    await clock.advance("1h");
    const kept = (await scheduler.triggers()).items;
    expect(kept.map(({ pipelineId }) => pipelineId)).toEqual([...Array(10).fill("often"), "long"]);
    expect((await scheduler.runs()).items).toHaveLength(11);
    expect((await scheduler.decisions()).items).toHaveLength(11);
    expect(forgotten).toHaveLength(50);
    expect((await scheduler.getTrigger(long.id))?.status).toBe("running");
    await scheduler.stop({ drain: 0 });
  });

  it("forgets by age", async () => {
    const { scheduler, clock } = await harness([pipeline({ id: "a", schedule: every("6h"), run: ok })], {
      store: memoryStore({ retention: { maxAge: "1d" } }),
    });
    await clock.advance("5d");
    const kept = (await scheduler.triggers()).items;
    expect(kept.length).toBeGreaterThanOrEqual(4);
    expect(kept.length).toBeLessThanOrEqual(5);
    await scheduler.stop();
  });

  it("does not make a fire time twice after it has forgotten it", async () => {
    const { scheduler, clock } = await harness([pipeline({ id: "a", schedule: every("1h"), run: ok })], {
      store: memoryStore({ retention: { count: 0 } }),
    });
    let runs = 0;
    scheduler.on("run.started", () => runs++);
    await clock.advance("12h");
    expect(runs).toBe(12);
    expect((await scheduler.triggers()).items).toEqual([]);
    await scheduler.stop();
  });

  it("refuses a count that is none", () => {
    expect(() => memoryStore({ retention: { count: -1 } })).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    expect(() => memoryStore({ retention: { maxAge: "long" } })).toThrow(expect.objectContaining({ code: "INVALID_DURATION" }));
  });
});

describe("the memory store's bounds in bytes", () => {
  const text = "x".repeat(90_000);

  it("keep no more of what has ended than retention.bytes of parameters and outputs", async () => {
    const store = memoryStore({ retention: { bytes: 1_000_000 } });
    const { scheduler, clock } = await harness([pipeline({ id: "a", run: () => text })], { store });
    for (let n = 0; n < 20; n++) {
      await scheduler.trigger("a", { parameters: { n, text } });
      await clock.settle();
    }
    const kept = (await scheduler.triggers()).items;
    expect(kept.map(({ parameters }) => (parameters as { n: number }).n)).toEqual([19, 18, 17, 16, 15]);
    expect((await scheduler.runs()).items).toHaveLength(5);
    expect(() => memoryStore({ retention: { bytes: -1 } })).toThrow("retention.bytes: must be an integer ≥ 0 (got -1)");
    await scheduler.stop();
  });

  it("keep no more than 32 MiB of answers under idempotency keys, the newest of them", async () => {
    const store = memoryStore();
    const asked = (n: number) => ({ key: `k${n}`, request: "same", at: n });
    const large = { text: "x".repeat(1_000_000) };
    for (let n = 0; n < 50; n++) {
      await store.saveResponse({ ...asked(n), answer: null });
      await store.saveResponse({ ...asked(n), answer: large });
    }
    const isKept = async (n: number) => (await store.saveResponse({ ...asked(n), request: "another", answer: null })).request === "same";
    expect([await isKept(49), await isKept(20), await isKept(10)]).toEqual([true, true, false]);
  });
});
