import { describe, expect, it } from "vitest";
import { NonRetryableError, pipeline } from "../../src/index.js";
import { fakeClock } from "../../src/testing/index.js";
import { harness, START } from "../support/harness.js";

const once = { retries: 0 } as const;

describe("the scheduler that a run is handed", () => {
  it("runs other pipelines and waits for their outputs, also while they take their time", async () => {
    const part = pipeline({
      id: "part",
      execution: { ...once, maxActiveRuns: 3 },
      run: async ({ parameters, clock }) => {
        await clock.sleep("20m");
        return { rows: Number(parameters.n) * 10 };
      },
    });
    const whole = pipeline({
      id: "whole",
      execution: once,
      run: async ({ scheduler: { run } }) => {
        const outcomes = await Promise.all([1, 2, 3].map((n) => run(part, { parameters: { n }, user: "whole" })));
        return outcomes.reduce((sum, { output }) => sum + (output?.rows ?? 0), 0);
      },
    });
    const clock = fakeClock(START, { onUnsettled: "reject" });
    const { scheduler } = await harness([part, whole], { clock });
    const outcome = scheduler.run("whole");
    await clock.advance("20m");
    expect((await outcome).output).toBe(60);
    expect((await outcome).run?.endedAt).toEqual(new Date("2026-03-02T00:20:00Z"));
    await scheduler.stop();
  });

  it("triggers without waiting, looks up and cancels", async () => {
    const slow = pipeline({ id: "slow", execution: once, run: ({ clock }) => clock.sleep("1h") });
    const parent = pipeline({
      id: "parent",
      execution: once,
      run: async ({ scheduler, clock }) => {
        const { id } = await scheduler.trigger(slow);
        await clock.sleep("1m");
        const found = await scheduler.getTrigger(id);
        await scheduler.cancel(id, { reason: "changed my mind" });
        const { status, run } = await scheduler.waitFor(id);
        return [found?.status, status, (await scheduler.getRun(run?.id ?? ""))?.status];
      },
    });
    const { scheduler, clock } = await harness([slow, parent]);
    const outcome = scheduler.run(parent);
    await clock.advance("1m");
    expect((await outcome).output).toEqual(["running", "cancelled", "cancelled"]);
    await scheduler.stop();
  });

  it("ends the waiting when the run is aborted, or its own signal", async () => {
    const slow = pipeline({ id: "slow", execution: { ...once, maxActiveRuns: 2 }, run: ({ clock }) => clock.sleep("1h") });
    const reasons: unknown[] = [];
    const parent = pipeline({
      id: "parent",
      execution: { ...once, timeout: "10m" },
      run: async ({ scheduler, clock }) => {
        const giving = new AbortController();
        const impatient = scheduler.run(slow, { signal: giving.signal }).catch((error) => reasons.push(error.message));
        await clock.sleep("1m");
        giving.abort(new NonRetryableError("too slow"));
        await impatient;
        return scheduler.run(slow).catch((error) => {
          reasons.push(error.code);
          throw error;
        });
      },
    });
    const { scheduler, clock } = await harness([slow, parent]);
    const outcome = scheduler.run(parent);
    await clock.advance("10m");
    expect((await outcome).status).toBe("timed_out");
    expect(reasons).toEqual(["too slow", "RUN_TIMED_OUT"]);
    expect((await scheduler.runs({ pipelineId: "slow", status: "running" })).items).toHaveLength(2); // they go on
    await scheduler.stop({ drain: 0 });
  });

  it("does not let a waiting run hold up a stop", async () => {
    const never = pipeline({ id: "never", execution: once, run: ({ clock }) => clock.sleep("30d") });
    const parent = pipeline({ id: "parent", execution: once, run: ({ scheduler }) => scheduler.run(never) });
    const { scheduler, clock, heard } = await harness([never, parent]);
    const outcome = scheduler.run("parent");
    await clock.advance("1m");
    await scheduler.stop({ drain: 0 });
    expect(await outcome).toMatchObject({ status: "failed", error: { code: "RUN_LOST" } });
    expect(heard("run.unresponsive")).toEqual([]);
  });
});

describe("a run that follows another", () => {
  it("gets the other's output, in a retry too", async () => {
    const extract = pipeline({ id: "extract", execution: once, run: ({ runId }) => ({ file: `${runId}.csv`, rows: 120 }) });
    const seen: unknown[] = [];
    const load = pipeline({
      id: "load",
      after: extract,
      execution: { retries: 1, retryDelay: "1m" },
      run: async ({ upstream, attempt }) => {
        const run = await upstream();
        seen.push([attempt, run?.pipelineId, run?.output?.rows]);
        if (attempt === 1) throw new Error("once");
        return run?.output?.file;
      },
    });
    const { scheduler, clock } = await harness([extract, load]);
    const extracted = scheduler.run(extract);
    await clock.advance("2m");
    const { run } = await extracted;
    expect(seen).toEqual([
      [1, "extract", 120],
      [2, "extract", 120],
    ]);
    expect((await scheduler.runs({ pipelineId: "load" })).items[0]?.output).toBe(`${run?.id}.csv`);
    await scheduler.stop();
  });

  it("gets none when something else triggered it, and may name pipelines and ids together", async () => {
    const first = pipeline({ id: "first", run: () => 1 });
    const load = pipeline({ id: "load", after: [first, "second"], run: async ({ upstream }) => (await upstream()) === null });
    expect(load.after).toEqual(["first", "second"]);
    const { scheduler, clock } = await harness([first, load]);
    const outcome = scheduler.run(load);
    await clock.settle();
    expect((await outcome).output).toBe(true);
    expect(() => pipeline({ id: "a", after: 7 as never, run: () => {} })).toThrow(/pipeline a: after: must be a pipeline, its id/);
    expect(() => pipeline({ id: "a", after: [{}] as never, run: () => {} })).toThrow(/pipeline a: after: must be a pipeline, its id/);
    await scheduler.stop();
  });
});
