import { readFile } from "node:fs/promises";
import { describe, expect, expectTypeOf, it } from "vitest";
import { z } from "zod";
import { functionExecutor, HeadgateError, NonRetryableError, pipeline } from "../../src/index.js";
import { harness, timeOf } from "../support/harness.js";

describe("a run", () => {
  it("gets its parameters as its schema makes them, fully typed", async () => {
    const seen: unknown[] = [];
    const { scheduler, clock } = await harness([
      pipeline({
        id: "a",
        parameters: z.object({ day: z.iso.date().transform((text) => new Date(text)), full: z.boolean().default(false) }),
        run: ({ parameters }) => {
          expectTypeOf(parameters).toEqualTypeOf<{ day: Date; full: boolean }>();
          seen.push(parameters);
          return { rows: 12 };
        },
      }),
    ]);
    await scheduler.trigger("a", { parameters: { day: "2026-02-28" } });
    await clock.settle();
    expect(seen).toEqual([{ day: new Date("2026-02-28"), full: false }]);
    expect((await scheduler.runs()).items[0]).toMatchObject({ status: "succeeded", output: { rows: 12 } });
    await expect(scheduler.trigger("a", { parameters: { day: "yesterday" } })).rejects.toMatchObject({ code: "INVALID_PARAMETERS" });
    await scheduler.stop();
  });

  it("is tried again as the retry policy says", async () => {
    const attempts: string[] = [];
    const { scheduler, clock, heard } = await harness([
      pipeline({
        id: "a",
        execution: { retries: 3, retryDelay: "1m", backoff: "exponential" },
        run: ({ attempt, clock: time }) => {
          attempts.push(timeOf(new Date(time.now())));
          if (attempt < 4) throw new Error(`no ${attempt}`);
        },
      }),
    ]);
    await scheduler.trigger("a");
    await clock.advance("1h");
    expect(attempts).toEqual(["00:00:00", "00:01:00", "00:03:00", "00:07:00"]);
    const [run] = (await scheduler.runs()).items;
    expect(run).toMatchObject({ status: "succeeded", attempt: 4 });
    expect(run?.attempts.map(({ outcome, error }) => `${outcome} ${error?.message}`)).toEqual([
      "failed no 1",
      "failed no 2",
      "failed no 3",
    ]);
    expect(heard("run.retrying")).toHaveLength(3);
    expect(heard("trigger.succeeded")).toHaveLength(1);
    await scheduler.stop();
  });

  it("fails when its attempts are used up, or at once on a NonRetryableError", async () => {
    const { scheduler, clock } = await harness([
      pipeline({
        id: "a",
        execution: { retries: 2, retryDelay: "1m" },
        run: ({ trigger }) => {
          throw trigger.reason === "bad input" ? new NonRetryableError("row 7 is broken") : new Error("down");
        },
      }),
    ]);
    await scheduler.trigger("a", { reason: "bad day" });
    await clock.advance("10m");
    await scheduler.trigger("a", { reason: "bad input" });
    await clock.advance("10m");
    const [second, first] = (await scheduler.runs()).items;
    expect(first).toMatchObject({ status: "failed", attempt: 3, error: { message: "down" } });
    expect(second).toMatchObject({ status: "failed", attempt: 1, error: { message: "row 7 is broken" } });
    expect((await scheduler.triggers({ status: "failed" })).items).toHaveLength(2);
    await scheduler.stop();
  });

  it("is timed out through its signal", async () => {
    let reason: unknown;
    const { scheduler, clock } = await harness([
      pipeline({
        id: "a",
        execution: { retries: 0, timeout: "5m" },
        run: ({ signal }) =>
          new Promise((_, reject) =>
            signal.addEventListener("abort", () => {
              reason = signal.reason;
              reject(signal.reason);
            }),
          ),
      }),
    ]);
    await scheduler.trigger("a");
    await clock.advance("6m");
    expect(reason).toBeInstanceOf(HeadgateError);
    expect((await scheduler.runs()).items[0]).toMatchObject({ status: "timed_out", error: { code: "RUN_TIMED_OUT" } });
    await scheduler.stop();
  });

  it("that ignores its signal is reported, its slot is freed, and what it does later is refused", async () => {
    const release: (() => void)[] = [];
    const deaf = pipeline({
      id: "deaf",
      execution: { retries: 0, timeout: "1m", maxActiveRuns: 5 },
      run: () => new Promise<string>((resolve) => release.push(() => resolve("late"))),
    });
    const { scheduler, clock, heard } = await harness([deaf], { executor: functionExecutor({ concurrency: 1 }), cancelGracePeriod: "10s" });
    await scheduler.trigger("deaf");
    await scheduler.trigger("deaf");
    await clock.advance("61s");
    expect(release).toHaveLength(1);
    await clock.advance("10s");
    expect(heard("run.unresponsive")).toHaveLength(1);
    expect(release).toHaveLength(2);
    release[0]?.();
    await clock.settle();
    expect(heard("run.late_result")).toHaveLength(1);
    expect((await scheduler.runs()).items.map(({ status }) => status)).toEqual(["running", "timed_out"]);
    release[1]?.();
    await clock.settle();
    await scheduler.stop();
  });

  it("is cancelled by its id or its trigger's, running, waiting or between attempts", async () => {
    const { scheduler, clock, heard } = await harness([
      pipeline({
        id: "a",
        execution: { retries: 3, retryDelay: "1h" },
        run: async ({ trigger, clock: time }) => {
          if (trigger.reason === "fails") throw new Error("down");
          await time.sleep("1h");
        },
      }),
    ]);
    const running = await scheduler.trigger("a");
    const waiting = await scheduler.trigger("a");
    await clock.settle();
    await scheduler.cancel(waiting.id, { user: "ana", reason: "not needed" });
    expect((await scheduler.getTrigger(waiting.id))?.status).toBe("cancelled");
    const [run] = (await scheduler.runs({ triggerId: running.id })).items;
    await scheduler.cancel(run?.id ?? "", { user: "ana", reason: "wrong day" });
    await clock.settle();
    expect(await scheduler.getRun(run?.id ?? "")).toMatchObject({
      status: "cancelled",
      cancelRequest: { user: "ana", reason: "wrong day" },
    });
    const failing = await scheduler.trigger("a", { reason: "fails" });
    await clock.settle();
    expect((await scheduler.cancel(failing.id)).run?.status).toBe("cancelled");
    expect(heard("trigger.cancelled")).toHaveLength(3);
    await expect(scheduler.cancel(failing.id)).rejects.toMatchObject({ code: "ALREADY_FINISHED" });
    await expect(scheduler.cancel("nothing")).rejects.toMatchObject({ code: "NOT_FOUND" });
    await scheduler.stop();
  });

  it("keeps progress and output as JSON, bounded, and a bad output does not undo the work", async () => {
    const { scheduler, clock, heard } = await harness([
      pipeline({
        id: "a",
        run: async ({ heartbeat, trigger, clock: time }) => {
          heartbeat({ done: 10 });
          await time.sleep("1m");
          if (trigger.reason === "huge") return "x".repeat(200_000);
          const circle: Record<string, unknown> = {};
          circle.self = circle;
          return circle;
        },
      }),
    ]);
    await scheduler.trigger("a", { reason: "huge" });
    await clock.advance("30s");
    expect((await scheduler.runs()).items[0]?.progress).toEqual({ done: 10 });
    await clock.advance("1m");
    await scheduler.trigger("a", { reason: "circle" });
    await clock.advance("2m");
    const runs = (await scheduler.runs()).items;
    expect(runs.map(({ status }) => status)).toEqual(["succeeded", "succeeded"]);
    expect(runs[1]?.output).toMatchObject({ notKept: expect.stringContaining("over the limit") });
    expect(heard("error")).toHaveLength(2);
    expect(heard("run.progress")).toHaveLength(2);
    await scheduler.stop();
  });

  it("that does real work is waited for by the fake clock", async () => {
    const { scheduler, clock } = await harness([
      pipeline({ id: "reads", run: async () => (await readFile(new URL("../../package.json", import.meta.url), "utf8")).length }),
    ]);
    await scheduler.trigger("reads");
    await clock.settle();
    expect((await scheduler.runs()).items[0]?.output).toBeGreaterThan(100);
    await scheduler.stop();
  });

  it("logs with its ids", async () => {
    const lines: unknown[] = [];
    const { scheduler, clock } = await harness([pipeline({ id: "a", run: ({ log }) => log.info("hello", { rows: 3 }) })], {
      logger: { log: (level, message, fields) => lines.push({ level, message, fields }) },
    });
    const trigger = await scheduler.trigger("a");
    await clock.settle();
    const [run] = (await scheduler.runs()).items;
    expect(lines).toEqual([
      { level: "info", message: "hello", fields: { rows: 3, pipelineId: "a", triggerId: trigger.id, runId: run?.id } },
    ]);
    await scheduler.stop();
  });
});
