import { describe, expect, it } from "vitest";
import { z } from "zod";
import {
  at,
  createScheduler,
  cron,
  every,
  HeadgateError,
  memoryStore,
  pipeline,
  type SchedulerOptions,
  type TriggerOptions,
} from "../../src/index.js";
import { fakeClock } from "../../src/testing/index.js";
import { harness, START, timeOf } from "../support/harness.js";

const ok = () => {};

describe("pipeline()", () => {
  const bad: [string, Parameters<typeof pipeline>[0], string][] = [
    ["an empty id", { id: "", run: ok }, "id"],
    ["an id with a slash", { id: "a/b", run: ok }, "id"],
    ["no function", { id: "a", run: undefined as never }, "run"],
    ["an unknown option", { id: "a", run: ok, retires: 3 } as never, "retires"],
    ["an unknown execution option", { id: "a", run: ok, execution: { retry: 3 } as never }, "retry"],
    ["negative retries", { id: "a", run: ok, execution: { retries: -1 } }, "retries"],
    ["an unknown overlap", { id: "a", run: ok, execution: { overlap: "stack" as never } }, "overlap"],
    [
      "an unknown onBlock",
      {
        id: "a",
        run: ok,
        onBlock: "wait" as never,
        conditions: [{ name: "x", needs: "time", evaluate: () => ({ result: "pass", reason: "" }) }],
      },
      "onBlock",
    ],
    ["something that is no schedule", { id: "a", run: ok, schedule: "0 2 * * *" as never }, "schedule"],
    ["something that is no condition", { id: "a", run: ok, conditions: [true as never] }, "conditions[0]"],
    [
      "parameters that a fire time cannot bring",
      { id: "a", run: ok, schedule: every("1h"), parameters: z.object({ day: z.string() }) as never },
      "parameters",
    ],
  ];
  it.each(bad)("refuses %s, naming the option", (_, options, option) => {
    expect(() => pipeline(options)).toThrow(HeadgateError);
    expect(() => pipeline(options)).toThrow(option);
  });

  it("takes everything not said from its pattern", () => {
    const one = pipeline({ id: "a", pattern: "production_daily", execution: { retries: 1 }, run: ok });
    expect(one.execution).toMatchObject({ retries: 1, retryDelayMs: 600_000, timeoutMs: 3 * 3_600_000, maxActiveRuns: 1 });
    expect(one.slaMs).toBe(4 * 3_600_000);
    expect(one.schedule.describe()).toContain("0 2 * * *");
    expect(pipeline({ id: "b", pattern: "financial_end_of_day", run: ok }).gate.conditions.map(({ name }) => name)).toEqual([
      "business day",
    ]);
    expect(() => pipeline({ id: "c", pattern: "hourly-ish" as never, run: ok })).toThrow(/UNKNOWN_PATTERN|is unknown/);
  });
});

describe("createScheduler()", () => {
  const bad: [string, SchedulerOptions, string][] = [
    ["two pipelines with one id", { pipelines: [pipeline({ id: "a", run: ok }), pipeline({ id: "a", run: ok })] }, "DUPLICATE_PIPELINE"],
    ["an unknown pool", { pipelines: [pipeline({ id: "a", run: ok, execution: { pool: "db" } })] }, "UNKNOWN_POOL"],
    ["a pool without slots", { pools: { db: 0 } }, "INVALID_ARGUMENT"],
    ["an unknown option", { pipeline: [] } as never, "INVALID_ARGUMENT"],
    ["a lease that is too short", { leaseDuration: "10ms" }, "INVALID_ARGUMENT"],
    ["a lease that is no duration", { leaseDuration: "soon" }, "INVALID_DURATION"],
    ["something that is no pipeline", { pipelines: [{ id: "a", run: ok } as never] }, "INVALID_PIPELINE"],
  ];
  it.each(bad)("refuses %s", (_, options, code) => {
    expect(() => createScheduler(options)).toThrow(expect.objectContaining({ code }));
  });
});

describe("trigger()", () => {
  it("with a key is accepted once; another content under the key is a conflict", async () => {
    const { scheduler, clock, heard } = await harness([pipeline({ id: "a", run: ok })]);
    const first = await scheduler.trigger("a", { idempotencyKey: "order-1", parameters: { n: 1 } });
    await clock.settle();
    const again = await scheduler.trigger("a", { idempotencyKey: "order-1", parameters: { n: 1 }, reason: "retry" });
    expect(again.id).toBe(first.id);
    expect(again.status).toBe("succeeded");
    await expect(scheduler.trigger("a", { idempotencyKey: "order-1", parameters: { n: 2 } })).rejects.toMatchObject({
      code: "IDEMPOTENCY_CONFLICT",
    });
    expect(heard("trigger.created")).toHaveLength(1);
    await scheduler.stop();
  });

  const bad: [string, TriggerOptions, string][] = [
    ["a kind that cannot be asked for", { kind: "scheduled" as never }, "INVALID_ARGUMENT"],
    ["an unknown priority", { priority: "urgent" as never }, "INVALID_ARGUMENT"],
    ["an unknown option", { prio: "high" } as never, "INVALID_ARGUMENT"],
    ["an empty key", { idempotencyKey: "" }, "INVALID_ARGUMENT"],
    ["a very long reason", { reason: "x".repeat(1_001) }, "INVALID_ARGUMENT"],
    ["a user that is no text", { user: 7 as never }, "INVALID_ARGUMENT"],
    ["a bad instant", { notBefore: "tomorrow" }, "INVALID_INSTANT"],
    ["parameters that are no object", { parameters: [1, 2] }, "INVALID_PARAMETERS"],
    ["parameters that are not JSON", { parameters: { big: 10n } }, "INVALID_PARAMETERS"],
    ["huge parameters", { parameters: { text: "x".repeat(1_000_001) } }, "INVALID_PARAMETERS"],
  ];
  it.each(bad)("refuses %s", async (_, options, code) => {
    const { scheduler } = await harness([pipeline({ id: "a", run: ok })]);
    await expect(scheduler.trigger("a", options)).rejects.toMatchObject({ code });
    expect((await scheduler.triggers()).items).toEqual([]);
    await scheduler.stop();
  });

  it("of an unknown pipeline, or before start, is refused", async () => {
    const { scheduler } = await harness([]);
    await expect(scheduler.trigger("nobody")).rejects.toMatchObject({ code: "UNKNOWN_PIPELINE" });
    await scheduler.stop();
    const notYet = createScheduler({ pipelines: [pipeline({ id: "a", run: ok })] });
    await expect(notYet.trigger("a")).rejects.toMatchObject({ code: "SCHEDULER_STOPPED" });
  });
});

describe("backfill()", () => {
  it("runs every fire time of a span, oldest first, once per key, and again under another", async () => {
    const seen: string[] = [];
    const { scheduler, clock } = await harness([
      pipeline({
        id: "daily",
        schedule: cron("0 2 * * *"),
        run: ({ trigger }) => seen.push(trigger.scheduledFor?.toISOString().slice(0, 10) ?? ""),
      }),
    ]);
    const span = { from: "2026-01-01", to: "2026-01-05", user: "ana", reason: "new currency", idempotencyKey: "eur" };
    const triggers = await scheduler.backfill("daily", span);
    expect(triggers.map(({ kind, priority }) => `${kind} ${priority}`)).toEqual(Array(4).fill("backfill low"));
    await clock.settle();
    await scheduler.backfill("daily", span);
    await clock.settle();
    expect(seen).toEqual(["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04"]);
    await scheduler.backfill("daily", { from: "2026-01-04", to: "2026-01-05" });
    await clock.settle();
    expect(seen).toHaveLength(5);
    await expect(scheduler.backfill("daily", { from: "1900-01-01", to: "2026-01-01" })).rejects.toMatchObject({ code: "TOO_MANY" });
    await scheduler.stop();
  });
});

describe("pipelines that come and go", () => {
  it("are added, replaced (planned anew once) and removed while running", async () => {
    const { scheduler, clock } = await harness([pipeline({ id: "a", schedule: every("1h"), run: ok })]);
    await clock.advance("90m");
    await scheduler.add(pipeline({ id: "b", schedule: every("30m"), run: ok }));
    await scheduler.replace(pipeline({ id: "a", schedule: cron("45 * * * *"), run: ok }));
    await clock.advance("1h");
    const fired = (await scheduler.triggers()).items
      .toReversed()
      .map(({ pipelineId, scheduledFor }) => `${pipelineId} ${timeOf(scheduledFor)}`);
    expect(fired).toEqual(["a 01:00:00", "a 01:45:00", "b 02:00:00", "b 02:30:00"]);
    expect(await scheduler.remove("b")).toBe(true);
    expect(await scheduler.remove("b")).toBe(false);
    await clock.advance("2h");
    expect((await scheduler.triggers({ pipelineId: "b" })).items).toHaveLength(2);
    await expect(scheduler.add(pipeline({ id: "a", run: ok }))).rejects.toMatchObject({ code: "DUPLICATE_PIPELINE" });
    await expect(scheduler.replace(pipeline({ id: "z", run: ok }))).rejects.toMatchObject({ code: "UNKNOWN_PIPELINE" });
    await scheduler.stop();
  });

  it("keep their place when they are registered again unchanged", async () => {
    const store = memoryStore();
    const clock = fakeClock(START);
    const one = () => pipeline({ id: "a", schedule: cron("0 */6 * * *"), run: ok });
    for (let round = 0; round < 5; round++) {
      const { scheduler } = await harness([one()], { clock, store });
      await clock.advance("1h");
      await scheduler.stop();
    }
    const { scheduler } = await harness([one()], { clock, store });
    await clock.advance("8h");
    expect((await scheduler.triggers()).items.map(({ scheduledFor }) => timeOf(scheduledFor)).toReversed()).toEqual([
      "06:00:00",
      "12:00:00",
    ]);
    await scheduler.stop();
  });

  it("may all be there before start", async () => {
    const scheduler = createScheduler({ clock: fakeClock(START), pipelines: [pipeline({ id: "a", run: ok })] });
    await scheduler.add(pipeline({ id: "b", schedule: at("2026-03-02T05:00:00Z"), run: ok }));
    await scheduler.replace(pipeline({ id: "a", schedule: at("2026-03-02T04:00:00Z"), run: ok }));
    expect((await scheduler.upcoming()).map(({ pipelineId }) => pipelineId)).toEqual(["a", "b"]);
    await scheduler.start();
    expect(scheduler.status()).toMatchObject({ phase: "running", pipelines: 2, nextFireAt: new Date("2026-03-02T04:00:00Z") });
    await scheduler.stop();
  });
});

describe("lists", () => {
  it("come in pages, newest first, without gaps or repeats, also while more is made", async () => {
    const { scheduler, clock } = await harness([
      pipeline({ id: "a", schedule: every("1m"), run: ok }),
      pipeline({ id: "b", schedule: every("1m"), run: ok }),
    ]);
    await clock.advance("50m");
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await scheduler.runs({ pipelineId: "a", limit: 7, ...(cursor === undefined ? {} : { cursor }) });
      seen.push(...page.items.map(({ scheduledFor }) => timeOf(scheduledFor)));
      cursor = page.nextCursor ?? undefined;
      await clock.advance("1m");
    } while (cursor !== undefined);
    expect(seen).toHaveLength(50);
    expect(new Set(seen).size).toBe(50);
    expect(seen).toEqual(seen.toSorted().toReversed());
    await expect(scheduler.runs({ limit: 0 })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(scheduler.runs({ limit: 1_001 })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await scheduler.stop();
  });

  it("upcoming merges the fire times of all pipelines", async () => {
    const { scheduler } = await harness([
      pipeline({ id: "a", schedule: every("20m"), run: ok }),
      pipeline({ id: "b", schedule: every("30m"), run: ok }),
    ]);
    const fires = await scheduler.upcoming({ until: "2026-03-02T01:00:01Z" });
    const next = fires.map(({ pipelineId, fireAt }) => `${pipelineId} ${timeOf(fireAt)}`);
    expect(next.slice(0, 3)).toEqual(["a 00:20:00", "b 00:30:00", "a 00:40:00"]);
    expect(next.slice(3).toSorted()).toEqual(["a 01:00:00", "b 01:00:00"]);
    await expect(scheduler.upcoming({ pipelineId: "nobody" })).rejects.toMatchObject({ code: "UNKNOWN_PIPELINE" });
    await scheduler.stop();
  });
});

describe("events", () => {
  it("harm nothing when a listener throws or rejects: that is reported", async () => {
    const { scheduler, clock, heard } = await harness([pipeline({ id: "a", run: ok })]);
    scheduler.on("run.succeeded", () => {
      throw new Error("listener is broken");
    });
    scheduler.on("run.succeeded", async () => {
      throw new Error("listener is broken later");
    });
    scheduler.on("error", () => {
      throw new Error("so is this one");
    });
    let once = 0;
    const stop = scheduler.on("decision", () => once++);
    scheduler.once("trigger.created", () => once++);
    await scheduler.trigger("a");
    await clock.settle();
    stop();
    await scheduler.trigger("a");
    await clock.settle();
    expect(once).toBe(2);
    expect(heard("error").map(({ error }) => error.message)).toEqual(
      Array(2).fill(["listener is broken", "listener is broken later"]).flat(),
    );
    expect((await scheduler.runs({ status: "succeeded" })).items).toHaveLength(2);
    await scheduler.stop();
  });

  it("tell each step of a trigger once and in order", async () => {
    const { scheduler, clock, told } = await harness([
      pipeline({
        id: "a",
        schedule: every("1h"),
        execution: { retries: 1, retryDelay: "1m" },
        run: ({ attempt }) => {
          if (attempt === 1) throw new Error("once");
        },
      }),
    ]);
    await clock.advance("1h1m");
    expect(told.map(({ name }) => name)).toEqual([
      "started",
      "schedule.fired",
      "trigger.created",
      "decision",
      "trigger.running",
      "run.started",
      "run.retrying",
      "run.attempt",
      "run.succeeded",
      "trigger.succeeded",
    ]);
    await scheduler.stop();
  });
});
