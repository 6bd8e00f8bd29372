import { describe, expect, it } from "vitest";
import { cron, pipeline } from "../../src/index.js";
import { harness } from "../support/harness.js";

describe("a pipeline that follows another", () => {
  it("is triggered by each of its successes, and by nothing else", async () => {
    const { scheduler, clock } = await harness([
      pipeline({
        id: "extract",
        schedule: cron("0 * * * *"),
        execution: { retries: 0 },
        run: ({ trigger }) => {
          if (trigger.scheduledFor?.getUTCHours() === 2) throw new Error("source is down");
        },
      }),
      pipeline({ id: "load", after: "extract", run: () => {} }),
      pipeline({ id: "report", after: ["load", "extract"], execution: { maxActiveRuns: 5 }, run: () => {} }),
    ]);
    await clock.advance("3h");
    const loads = (await scheduler.triggers({ pipelineId: "load" })).items;
    expect(loads.map(({ kind, status, reason }) => `${kind} ${status} ${reason}`)).toEqual([
      "dependency succeeded extract succeeded",
      "dependency succeeded extract succeeded",
    ]);
    expect((await scheduler.runs({ pipelineId: "report" })).items).toHaveLength(4);
    await scheduler.stop();
  });

  it("may not follow itself, by itself or in a cycle", async () => {
    const run = () => {};
    await expect(async () => pipeline({ id: "a", after: "a", run })).rejects.toMatchObject({ code: "INVALID_PIPELINE" });
    const circle = [pipeline({ id: "a", after: "c", run }), pipeline({ id: "b", after: "a", run }), pipeline({ id: "c", after: "b", run })];
    await expect(harness(circle)).rejects.toThrow(/in a cycle: a → b → c → a|in a cycle/);
  });
});
