import { describe, expectTypeOf, it } from "vitest";
import { z } from "zod";
import {
  type AsJson,
  createScheduler,
  cron,
  type Pipeline,
  pipeline,
  type Run,
  type RunOutcome,
  type Scheduler,
  type Trigger,
} from "../../src/index.js";

const sales = pipeline({
  id: "sales",
  parameters: z.object({ region: z.string(), full: z.boolean().default(false) }),
  run: async ({ parameters }) => ({ rows: parameters.full ? 2 : 1, at: new Date(0) }),
});
const nightly = pipeline({
  id: "nightly",
  schedule: cron("0 2 * * *"),
  parameters: z.object({ days: z.number().default(1) }),
  run: ({ parameters }) => parameters.days,
});
const plain = pipeline({ id: "plain", run: () => {} });
const quiet = { logger: { log: () => {} } };
const scheduler = createScheduler({ pipelines: [sales, nightly, plain], ...quiet });

/** Compiled, and never called. */
const compiled = (_: (...given: never) => unknown) => {};

describe("a pipeline's types", () => {
  it("are inferred: its id, what a trigger may give, and its output as JSON", () => {
    expectTypeOf(sales).toEqualTypeOf<
      Pipeline<"sales", { region: string; full?: boolean | undefined }, { readonly rows: number; readonly at: string }>
    >();
    expectTypeOf(nightly).toEqualTypeOf<Pipeline<"nightly", { days?: number | undefined }, number>>();
    expectTypeOf(plain).toEqualTypeOf<Pipeline<"plain", Record<string, unknown>, null>>();
  });

  it("fit where any pipeline does", () => {
    expectTypeOf(sales).toExtend<Pipeline>();
    expectTypeOf([sales, nightly, plain]).toExtend<readonly Pipeline[]>();
    expectTypeOf(scheduler).toExtend<Scheduler>();
    expectTypeOf(createScheduler(quiet)).toEqualTypeOf<Scheduler>();
  });

  it("give its function the parsed parameters", () => {
    pipeline({
      id: "parsed",
      parameters: z.object({ day: z.coerce.date(), full: z.boolean().default(false) }),
      run: ({ parameters }) => expectTypeOf(parameters).toEqualTypeOf<{ day: Date; full: boolean }>(),
    });
    pipeline({ id: "open", run: ({ parameters }) => expectTypeOf(parameters).toEqualTypeOf<Record<string, unknown>>() });
  });
});

describe("what JSON leaves of a type", () => {
  it("is what an output is typed as", () => {
    expectTypeOf<AsJson<unknown>>().toEqualTypeOf<unknown>();
    expectTypeOf<AsJson<void>>().toEqualTypeOf<null>();
    expectTypeOf<AsJson<"a" | 1 | null>>().toEqualTypeOf<"a" | 1 | null>();
    expectTypeOf<AsJson<readonly [Date, undefined]>>().toEqualTypeOf<readonly [string, null]>();
    expectTypeOf<AsJson<{ a?: number; b: number | undefined; c: () => void }>>().toEqualTypeOf<{
      readonly a?: number;
      readonly b: number | undefined;
    }>();
  });
});

describe("triggering a pipeline", () => {
  it("checks the parameters", () => {
    compiled(() => scheduler.trigger(sales, { parameters: { region: "north" }, user: "ana" }));
    compiled(() => scheduler.trigger(nightly));
    compiled(() => scheduler.trigger(plain, { parameters: { anything: 1 } }));
    // @ts-expect-error it cannot run without a region
    compiled(() => scheduler.trigger(sales));
    // @ts-expect-error nor without parameters
    compiled(() => scheduler.trigger(sales, { user: "ana" }));
    // @ts-expect-error the region is a text
    compiled(() => scheduler.trigger(sales, { parameters: { region: 1 } }));
    // @ts-expect-error there is no such parameter
    compiled(() => scheduler.trigger(nightly, { parameters: { hours: 1 } }));
    // @ts-expect-error there is no such option
    compiled(() => scheduler.trigger(nightly, { reasons: "none" }));
  });

  it("checks them by the pipeline's id too, as far as the scheduler's types know it", () => {
    compiled(() => scheduler.trigger("sales", { parameters: { region: "north" } }));
    compiled(() => scheduler.trigger("added-later", { parameters: { anything: 1 } }));
    compiled((id = "sales" as string) => scheduler.trigger(id, { parameters: { anything: 1 } }));
    // @ts-expect-error it cannot run without a region
    compiled(() => scheduler.trigger("sales"));
    // @ts-expect-error the region is a text
    compiled(() => scheduler.trigger("sales", { parameters: { region: 1 } }));
    // @ts-expect-error there is no such parameter
    compiled(() => scheduler.trigger("nightly", { parameters: { hours: 1 } }));
  });

  it("checks the parameters of a backfill", () => {
    compiled(() => scheduler.backfill(nightly, { from: 0, to: 1 }));
    compiled(() => scheduler.backfill("nightly", { from: 0, parameters: { days: 2 } }));
    // @ts-expect-error the days are a number
    compiled(() => scheduler.backfill("nightly", { from: 0, parameters: { days: "2" } }));
    // @ts-expect-error it cannot run without a region
    compiled(() => scheduler.backfill(sales, { from: 0 }));
  });

  it("says what comes of it", () => {
    type Sales = { readonly rows: number; readonly at: string };
    compiled(() => expectTypeOf(scheduler.trigger(sales, { parameters: { region: "a" } })).resolves.toEqualTypeOf<Trigger<Sales>>());
    compiled(() => expectTypeOf(scheduler.run("sales", { parameters: { region: "a" } })).resolves.toEqualTypeOf<RunOutcome<Sales>>());
    compiled(() => expectTypeOf(scheduler.run(nightly)).resolves.toEqualTypeOf<RunOutcome<number>>());
    compiled(() => expectTypeOf(scheduler.run("added-later")).resolves.toEqualTypeOf<RunOutcome>());
    compiled((trigger: Trigger<Sales>) => expectTypeOf(scheduler.waitFor(trigger)).resolves.toEqualTypeOf<RunOutcome<Sales>>());
    compiled(() => expectTypeOf(scheduler.waitFor("an id")).resolves.toEqualTypeOf<RunOutcome>());
    // @ts-expect-error what a transaction accepts cannot be waited for within it
    compiled(() => scheduler.run(plain, { transaction: {} }));
  });

  it("is narrowed by how it ended", () => {
    compiled((outcome: RunOutcome<number>) => {
      if (outcome.status === "succeeded") expectTypeOf(outcome.output).toEqualTypeOf<number>();
      else expectTypeOf(outcome.output).toEqualTypeOf<null>();
      if (outcome.status === "failed") expectTypeOf(outcome.run).toEqualTypeOf<Run<number>>();
      if (outcome.status === "skipped") expectTypeOf(outcome.run).toEqualTypeOf<null>();
    });
  });
});

describe("a run", () => {
  it("knows the output of the pipelines that its pipeline follows", () => {
    pipeline({ id: "one", after: nightly, run: ({ upstream }) => expectTypeOf(upstream()).resolves.toEqualTypeOf<Run<number> | null>() });
    pipeline({
      id: "several",
      after: [sales, nightly],
      run: ({ upstream }) =>
        expectTypeOf(upstream()).resolves.toEqualTypeOf<Run<number | { readonly rows: number; readonly at: string }> | null>(),
    });
    pipeline({ id: "by-id", after: "sales", run: ({ upstream }) => expectTypeOf(upstream()).resolves.toEqualTypeOf<Run | null>() });
  });

  it("checks the parameters of what it triggers", () => {
    pipeline({
      id: "parent",
      run: async ({ scheduler }) => {
        compiled(() => expectTypeOf(scheduler.run(nightly, { parameters: { days: 2 } })).resolves.toEqualTypeOf<RunOutcome<number>>());
        // @ts-expect-error the days are a number
        compiled(() => scheduler.run(nightly, { parameters: { days: "2" } }));
      },
    });
  });
});
