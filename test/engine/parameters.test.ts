import { describe, expect, it } from "vitest";
import { every, pipeline } from "../../src/index.js";
import { harness } from "../support/harness.js";
import { places } from "../support/stores.js";

const { memory, sqlite, postgres } = await places();
const LARGE = { list: [1, 2, 3], text: "x".repeat(2_000) };

describe.each([memory, sqlite, ...postgres])("parameters of a backfill, on %s", (_, place) => {
  it("are each run's own: what a run changes of them, no other run, attempt or list sees", async () => {
    const seen: unknown[] = [];
    const greedy = pipeline({
      id: "a",
      schedule: every("1h"),
      execution: { retries: 1, retryDelay: "1m", maxActiveRuns: 3 },
      run: ({ parameters, trigger, attempt }) => {
        const own = parameters as { list: number[]; text?: string };
        seen.push([structuredClone(own), structuredClone(trigger.parameters)]);
        own.list.push(99);
        delete own.text;
        if (attempt === 1) throw new Error("once");
      },
    });
    const { scheduler, clock, heard } = await harness([greedy], { store: place()() });
    await scheduler.backfill("a", { from: "2026-03-01T00:00:00Z", to: "2026-03-01T03:00:00Z", parameters: LARGE });
    await clock.advance("5m");
    expect(seen).toEqual(Array(6).fill([LARGE, LARGE]));
    expect((await scheduler.triggers()).items.map(({ parameters, status }) => [parameters, status])).toEqual(
      Array(3).fill([LARGE, "succeeded"]),
    );
    for (const name of ["trigger.created", "trigger.running", "trigger.succeeded"] as const)
      expect(heard(name).map(({ trigger }) => [trigger.parameters, trigger.omitted])).toEqual(Array(3).fill([LARGE, undefined]));
    await scheduler.stop();
  });
});

describe.each([memory, sqlite, ...postgres])("lists, on %s", (_, place) => {
  it("leave out values over valueLimit, and say so", async () => {
    const work = pipeline({ id: "a", run: ({ parameters }) => parameters });
    const { scheduler, clock } = await harness([work], { store: place()() });
    await scheduler.trigger("a", { parameters: LARGE });
    await clock.settle();
    const [trigger] = (await scheduler.triggers({ valueLimit: 1_000 })).items;
    expect([trigger?.parameters, trigger?.omitted]).toEqual([null, ["parameters"]]);
    const [run] = (await scheduler.runs({ valueLimit: 1_000 })).items;
    expect([run?.output, run?.omitted]).toEqual([null, ["output"]]);
    expect((await scheduler.runs()).items[0]?.output).toEqual(LARGE);
    await expect(scheduler.triggers({ valueLimit: -1 })).rejects.toThrow("valueLimit: must be an integer ≥ 0 (got -1)");
    expect((await scheduler.explain("a", trigger?.createdAt)).trigger?.parameters).toEqual(LARGE);
    await scheduler.stop();
  });
});
