import { describe, expect, it } from "vitest";
import { condition, healthy, type Probe, pipeline, succeeded } from "../../src/index.js";
import { harness } from "../support/harness.js";

const probe = (measure: () => boolean | Promise<boolean>, rest: Partial<Probe> = {}): Probe<boolean> => ({ name: "db", ...rest, measure });

describe("a probe", () => {
  it("is asked once for all pipelines that want to know", async () => {
    let asked = 0;
    const db = probe(() => ++asked > 0);
    const jobs = Array.from({ length: 200 }, (_, n) => pipeline({ id: `p${n}`, conditions: [healthy({ probes: [db] })], run: () => {} }));
    const { scheduler, clock, heard } = await harness(jobs);
    await Promise.all(jobs.map(({ id }) => scheduler.trigger(id)));
    await clock.advance("1s");
    expect(heard("trigger.succeeded").length).toBe(200);
    expect(asked).toBe(1);
    await scheduler.stop();
  });

  it("that fails is tried again as often as it says, and shares its failure", async () => {
    let asked = 0;
    const flaky = probe(
      () => {
        if (++asked < 3) throw new Error("reset");
        return true;
      },
      { retries: 2 },
    );
    const { scheduler, clock, heard } = await harness([pipeline({ id: "a", conditions: [healthy({ probes: [flaky] })], run: () => {} })]);
    await scheduler.trigger("a");
    await clock.advance("1s");
    expect(asked).toBe(3);
    expect(heard("trigger.succeeded").length).toBe(1);
    await scheduler.stop();
  });

  it("that failed five times in a row is left alone for half a minute, then asked once", async () => {
    let asked = 0;
    let isDown = true;
    const dead = probe(
      () => {
        asked++;
        if (isDown) throw new Error("refused");
        return true;
      },
      { ttlMs: 0 },
    );
    const { scheduler, clock, heard } = await harness([
      pipeline({ id: "a", conditions: [healthy({ probes: [dead] })], execution: { maxActiveRuns: 50 }, run: () => {} }),
    ]);
    const ask = async (times: number) => {
      for (let n = 0; n < times; n++) {
        await scheduler.trigger("a");
        await clock.advance("100ms");
      }
    };
    await ask(8);
    expect(asked).toBe(5);
    expect(heard("trigger.skipped").at(-1)?.decision.reason).toMatch(/not called again until .*: it failed 5 times in a row/);
    await clock.advance("31s");
    await ask(3);
    expect(asked).toBe(6);
    isDown = false;
    await clock.advance("31s");
    await ask(3);
    expect(asked).toBe(9);
    expect(heard("trigger.succeeded").length).toBe(3);
    await scheduler.stop();
  });

  it("that never answers is given up after its timeout", async () => {
    const mute = probe(() => new Promise<boolean>(() => {}), { timeoutMs: 2_000 });
    const { scheduler, clock, heard } = await harness([pipeline({ id: "a", conditions: [healthy({ probes: [mute] })], run: () => {} })]);
    await scheduler.trigger("a");
    await clock.advance("3s");
    expect(heard("trigger.skipped")[0]?.decision.reason).toContain("no response within 2s");
    await scheduler.stop();
  });
});

describe("a held trigger", () => {
  const held = { onBlock: "hold", recheckInterval: "15m" } as const;

  it("is looked at every recheckInterval", async () => {
    let asked = 0;
    const never = condition("never", async () => ++asked < 0);
    const { scheduler, clock } = await harness([pipeline({ id: "a", ...held, conditions: [never], run: () => {} })]);
    await scheduler.trigger("a");
    await clock.advance("61m");
    expect(asked).toBe(5);
    await scheduler.stop();
  });

  it("is looked at as soon as the pipeline it waits for succeeds", async () => {
    const { scheduler, clock, heard } = await harness([
      pipeline({ id: "extract", run: () => {} }),
      pipeline({ id: "load", ...held, conditions: [succeeded("extract")], run: () => {} }),
    ]);
    await scheduler.trigger("load");
    await clock.advance("1m");
    expect(heard("trigger.held").length).toBe(1);
    await scheduler.trigger("extract");
    await clock.advance("1s");
    expect(heard("trigger.succeeded").map(({ trigger }) => trigger.pipelineId)).toEqual(["extract", "load"]);
    await scheduler.stop();
  });

  it("is looked at as soon as its probe is found well for another pipeline", async () => {
    let isWell = false;
    const conditions = [healthy({ probes: [probe(() => isWell)] })];
    const { scheduler, clock, heard } = await harness(["a", "b", "c"].map((id) => pipeline({ id, ...held, conditions, run: () => {} })));
    await scheduler.trigger("a");
    await scheduler.trigger("b");
    await clock.advance("1m");
    expect(heard("trigger.held").length).toBe(2);
    isWell = true;
    await scheduler.trigger("c");
    await clock.advance("1s");
    expect(
      heard("trigger.succeeded")
        .map(({ trigger }) => trigger.pipelineId)
        .toSorted(),
    ).toEqual(["a", "b", "c"]);
    await scheduler.stop();
  });

  it("is looked at when somebody asks for it, and after a resume", async () => {
    let isOpen = false;
    const { scheduler, clock, heard } = await harness([
      pipeline({ id: "a", ...held, conditions: [condition("open", async () => isOpen)], run: () => {} }),
    ]);
    await scheduler.trigger("a");
    await clock.advance("1m");
    isOpen = true;
    await scheduler.recheck("a");
    await clock.advance("1s");
    expect(heard("trigger.succeeded").length).toBe(1);
    isOpen = false;
    await scheduler.trigger("a");
    await clock.advance("1m");
    await scheduler.pause({ pipelineId: "a" });
    isOpen = true;
    await scheduler.resume({ pipelineId: "a" });
    await clock.advance("1s");
    expect(heard("trigger.succeeded").length).toBe(2);
    await expect(scheduler.recheck("nobody")).rejects.toMatchObject({ code: "UNKNOWN_PIPELINE" });
    await scheduler.stop();
  });
});
