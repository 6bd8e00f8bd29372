import { describe, expect, it } from "vitest";
import { createScheduler, HeadgateError, NonRetryableError, pipeline, type RemoteExecutor, type RemoteState } from "../../src/index.js";
import { redactor } from "../../src/run/redact.js";
import { harness } from "../support/harness.js";

const failing = (execution: object, code = "LATE") =>
  pipeline({
    id: "job",
    execution: { retries: 5, retryDelay: "10m", ...execution },
    run: () => {
      throw Object.assign(new Error("failed"), { code });
    },
  });

describe("another attempt", () => {
  it("is made only after the codes that are worth it", async () => {
    const attempts = async (execution: object, code?: string) => {
      const { clock, scheduler, heard } = await harness([failing(execution, code)]);
      await scheduler.trigger("job");
      await clock.advance("2h");
      await scheduler.stop();
      return heard("run.failed")[0]?.run.attempt;
    };
    expect(await attempts({ retryOn: ["LATE", "BUSY"] })).toBe(6);
    expect(await attempts({ retryOn: ["LATE"] }, "GONE")).toBe(1);
    expect(await attempts({ retryOn: [] })).toBe(1);
    expect(() => failing({ retryOn: "LATE" as never })).toThrow(/list of codes/);
  });

  it("is made after one that its executor has lost, whatever the codes that are worth it", async () => {
    let calls = 0;
    const job = pipeline({
      id: "job",
      execution: { retries: 2, retryDelay: "1m", retryOn: [] },
      run: () => {
        if (++calls === 1) throw new HeadgateError("RUN_LOST", "its thread exited with 1");
      },
    });
    const { clock, scheduler, heard } = await harness([job]);
    await scheduler.trigger("job");
    await clock.advance("5m");
    expect(heard("run.lost").length).toBe(1);
    const lost = { attempt: 1, outcome: "lost", error: { code: "RUN_LOST", message: "its thread exited with 1" } };
    expect((await scheduler.runs()).items[0]).toMatchObject({ status: "succeeded", attempt: 2, attempts: [lost] });
    await scheduler.stop();
  });

  it("is not made when the run has taken as long as it may in all; one under way ends then", async () => {
    const { clock, scheduler, heard } = await harness([failing({ totalTimeout: "25m" })]);
    await scheduler.trigger("job");
    await clock.advance("2h");
    expect(heard("run.failed")[0]?.run).toMatchObject({ attempt: 3, endedAt: new Date("2026-03-02T00:20:00Z") });
    await scheduler.stop();
    const slow = pipeline({
      id: "job",
      execution: { retries: 0, timeout: "1h", totalTimeout: "5m" },
      run: ({ clock: own }) => own.sleep("1d"),
    });
    const other = await harness([slow]);
    await other.scheduler.trigger("job");
    await other.clock.advance("10m");
    expect(other.heard("run.timed_out")[0]?.run).toMatchObject({
      endedAt: new Date("2026-03-02T00:05:00Z"),
      error: { message: "the run took longer than 5m in total" },
    });
    await other.scheduler.stop();
  });

  it("knows how far the one before it came, and what it told is kept although it failed", async () => {
    const seen: unknown[] = [];
    const job = pipeline({
      id: "job",
      execution: { retries: 1, retryDelay: "1m" },
      run: ({ lastProgress, heartbeat, attempt }) => {
        seen.push(lastProgress);
        heartbeat({ page: attempt * 10 });
        throw new Error("cut off");
      },
    });
    const { clock, scheduler, heard } = await harness([job]);
    await scheduler.trigger("job");
    await clock.advance("5m");
    expect(seen).toEqual([null, { page: 10 }]);
    expect(heard("run.failed")[0]?.run).toMatchObject({ progress: { page: 20 } });
    await scheduler.stop();
  });
});

describe("secrets", () => {
  it("stand in no output, error, progress or log of a run", async () => {
    const lines: string[] = [];
    const logger = { log: (...line: unknown[]) => void lines.push(JSON.stringify(line)) };
    const job = pipeline({
      id: "job",
      execution: { retries: 1, retryDelay: "1m" },
      run: ({ attempt, heartbeat, log }) => {
        heartbeat({ at: "https://ana:pw-9999@db/x" });
        log.info("asked with Bearer abcdefghijkl", { url: "postgres://me:pw-9999@db" });
        if (attempt === 1) throw new Error('no access with top"secret');
        return { text: 'it was top"secret', nested: [{ header: "Bearer abcdefghijkl" }], number: 12345 };
      },
    });
    const { clock, scheduler, told } = await harness([job], { redact: ['top"secret', "12345"], logger });
    await scheduler.trigger("job");
    await clock.advance("5m");
    const [run] = (await scheduler.runs()).items;
    expect(run?.output).toEqual({ text: "it was [redacted]", nested: [{ header: "Bearer [redacted]" }], number: "[redacted]" });
    expect(run?.attempts[0]?.error?.message).toBe("no access with [redacted]");
    expect(run?.progress).toEqual({ at: "https://ana:[redacted]@db/x" });
    for (const text of [JSON.stringify(told), lines.join()])
      for (const secret of ["pw-9999", "abcdefghijkl", 'top\\"secret']) expect(text).not.toContain(secret);
    await scheduler.stop();
  });

  it("that are short are not looked for", () => {
    expect(redactor(["a", ""])("a banana")).toBe("a banana");
    expect(redactor([])("https://host/path?x=1")).toBe("https://host/path?x=1");
  });
});

describe("an executor", () => {
  const remote = (states: RemoteState[]): RemoteExecutor & { calls: string[] } => {
    const calls: string[] = [];
    return {
      kind: "remote",
      name: "double",
      pollMs: 1_000,
      calls,
      submit: async ({ submissionId }) => {
        calls.push(`submit ${submissionId.slice(-2)}`);
        return { at: submissionId };
      },
      poll: async () => {
        calls.push("poll");
        return states.shift() ?? { status: "running" };
      },
      cancel: async () => void calls.push("cancel"),
    };
  };

  it("is chosen by pipeline, as itself or by its name", async () => {
    const [own, named] = [remote([{ status: "succeeded", output: "own" }]), remote([{ status: "succeeded", output: "named" }])];
    const pipelines = [
      pipeline({ id: "a", executor: own }),
      pipeline({ id: "b", executor: "engine" }),
      pipeline({ id: "c", run: () => "here" }),
    ];
    const { clock, scheduler } = await harness(pipelines, { executors: { engine: named } });
    for (const { id } of pipelines) await scheduler.trigger(id);
    await clock.advance("10s");
    expect((await scheduler.runs()).items.map(({ output }) => output).toSorted()).toEqual(["here", "named", "own"]);
    await scheduler.stop();
    expect(() => createScheduler({ pipelines })).toThrow(/executor "engine" is unknown/);
    expect(() => pipeline({ id: "x" })).toThrow(/run: must be a function/);
    expect(() => pipeline({ id: "x", executor: 7 as never })).toThrow(HeadgateError);
  });

  it("that loses a run has it started again; what fails for good is not", async () => {
    const executor = remote([
      { status: "running", progress: { percent: 5 } },
      { status: "lost", reason: "restarted" },
      { status: "failed", error: { message: "bad input" }, isRetryable: false },
    ]);
    const { clock, scheduler, heard } = await harness([pipeline({ id: "a", executor, execution: { retries: 3, retryDelay: "1s" } })]);
    await scheduler.trigger("a");
    await clock.advance("1m");
    expect(heard("run.lost").length).toBe(1);
    expect(heard("run.failed")[0]?.run).toMatchObject({ attempt: 2, error: { message: "bad input" }, progress: { percent: 5 } });
    expect(executor.calls).toEqual(["submit -1", "poll", "poll", "submit -2", "poll"]);
    await scheduler.stop();
  });

  it("is told of a timeout, and not of a stop: another node goes on watching", async () => {
    const executor = remote([]);
    const { clock, scheduler, heard } = await harness([pipeline({ id: "a", executor, execution: { retries: 0, timeout: "5s" } })]);
    await scheduler.trigger("a");
    await clock.advance("10s");
    expect(heard("run.timed_out").length).toBe(1);
    expect(executor.calls.filter((one) => one === "cancel").length).toBe(1);
    await scheduler.trigger("a");
    await clock.advance("1s");
    await scheduler.stop();
    expect(executor.calls.filter((one) => one === "cancel").length).toBe(1);
    expect(heard("run.lost")).toEqual([]);
  });

  it("that cannot be reached is asked again, less and less often, until the attempt's timeout", async () => {
    let isThere = false;
    const executor = {
      ...remote([{ status: "succeeded" }]),
      submit: async () => {
        if (!isThere) throw new HeadgateError("EXECUTOR_UNAVAILABLE", "no route to host");
        return 1;
      },
    };
    const { clock, scheduler, heard } = await harness([pipeline({ id: "a", executor })]);
    await scheduler.trigger("a");
    await clock.advance("5m");
    isThere = true;
    await clock.advance("2m");
    expect(heard("run.succeeded")[0]?.run.attempt).toBe(1);
    await scheduler.stop();
    const never = { ...executor, submit: () => Promise.reject(new NonRetryableError("no such DAG")) };
    const other = await harness([pipeline({ id: "a", executor: never, execution: { retries: 5 } })]);
    await other.scheduler.trigger("a");
    await other.clock.advance("1h");
    expect(other.heard("run.failed")[0]?.run).toMatchObject({ attempt: 1, error: { message: "no such DAG" } });
    await other.scheduler.stop();
  });
});
