import { afterEach, describe, expect, it, vi } from "vitest";
import {
  condition,
  consoleLogger,
  createScheduler,
  cron,
  jsonLogger,
  type LogLevel,
  NonRetryableError,
  pipeline,
} from "../../src/index.js";
import { fakeClock } from "../../src/testing/index.js";
import { harness, START } from "../support/harness.js";

interface Line {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

function recorder() {
  const lines: Line[] = [];
  return {
    logger: {
      log: (level: LogLevel, message: string, fields: Readonly<Record<string, unknown>>) => void lines.push({ level, message, fields }),
    },
    lines,
    warnings: () => lines.filter(({ level }) => level !== "debug" && level !== "info"),
  };
}

function connectTo(host: string): never {
  throw Object.assign(new Error(`connect ECONNREFUSED ${host}`), { code: "ECONNREFUSED" });
}

function load(): never {
  try {
    return connectTo("10.0.0.7:5432");
  } catch (cause) {
    throw new Error("the prices cannot be loaded", { cause });
  }
}

afterEach(() => vi.restoreAllMocks());

describe("a run that throws", () => {
  it("is one warning on the console by default: with pipeline, run, attempt, when it is tried again, message, stack and cause", async () => {
    const printed: string[] = [];
    for (const level of ["debug", "info", "warn", "error"] as const)
      vi.spyOn(console, level).mockImplementation((text: string) => void printed.push(`${level} ${text}`));
    const clock = fakeClock(START);
    const scheduler = createScheduler({ pipelines: [pipeline({ id: "prices", schedule: cron("0 1 * * *"), run: load })], clock });
    await scheduler.start();
    await clock.advanceTo("2026-03-02T01:01:00Z");
    const [run] = (await scheduler.runs()).items;
    expect(printed).toHaveLength(1);
    expect(printed[0]).toContain(
      `[headgate] warn: attempt 1 of run ${run?.id} of pipeline prices failed, and will be retried at 2026-03-02T01:05:00Z: the prices cannot be loaded`,
    );
    expect(printed[0]).toMatch(/\n {2}Error: the prices cannot be loaded\n {6}at .*failures\.test\.ts:\d+/);
    expect(printed[0]).toMatch(/\n {2}caused by Error: connect ECONNREFUSED 10\.0\.0\.7:5432\n {6}at connectTo .*failures\.test\.ts:\d+/);
    await scheduler.stop({ drain: 0 });
  });

  it("is a warning for each attempt, and the last says that the run failed", async () => {
    const { logger, warnings } = recorder();
    const one = pipeline({ id: "one", schedule: cron("0 1 * * *"), execution: { retries: 1, retryDelay: "10m" }, run: load });
    const { clock, scheduler, heard } = await harness([one], { logger });
    await clock.advanceTo("2026-03-02T02:00:00Z");
    expect(warnings().map(({ level, message }) => [level, message.replace(/run \S+/, "run R")])).toEqual([
      ["warn", "attempt 1 of run R of pipeline one failed, and will be retried at 2026-03-02T01:10:00Z: the prices cannot be loaded"],
      ["warn", "attempt 2 of run R of pipeline one failed, and the run failed: the prices cannot be loaded"],
    ]);
    const [run] = (await scheduler.runs()).items;
    expect(warnings()[0]?.fields).toMatchObject({
      pipelineId: "one",
      runId: run?.id,
      triggerId: run?.triggerId,
      attempt: 1,
      outcome: "failed",
      retryAt: "2026-03-02T01:10:00.000Z",
    });
    expect(heard("error")).toEqual([]);
    await scheduler.stop({ drain: 0 });
  });

  it("keeps stack and causes with each attempt and with the run, and explain has them", async () => {
    const one = pipeline({ id: "one", schedule: cron("0 1 * * *"), execution: { retries: 1, retryDelay: "10m" }, run: load });
    const { clock, scheduler } = await harness([one]);
    await clock.advanceTo("2026-03-02T02:00:00Z");
    const shape = {
      message: "the prices cannot be loaded",
      code: null,
      stack: expect.stringMatching(/^Error: the prices cannot be loaded\n {4}at .*load.*failures\.test\.ts:\d+:\d+\)$/),
      cause: { message: "connect ECONNREFUSED 10.0.0.7:5432", code: "ECONNREFUSED", stack: expect.stringContaining("at connectTo") },
    };
    const [run] = (await scheduler.runs()).items;
    expect(run?.error).toEqual(shape);
    expect(run?.attempts[0]?.error).toEqual(shape);
    expect((await scheduler.explain("one", "2026-03-02T01:00:00Z")).run?.error).toEqual(shape);
    await scheduler.stop({ drain: 0 });
  });

  it("shows no secret in message, stack, causes and log", async () => {
    const { logger, lines } = recorder();
    const run = () => {
      throw new Error("sign-in with hunter2-hunter2 failed", {
        cause: new AggregateError([new Error("hunter2-hunter2 is wrong")], "all of hunter2-hunter2 refused"),
      });
    };
    const one = pipeline({ id: "one", schedule: cron("0 1 * * *"), run });
    const { clock, scheduler } = await harness([one], { logger, redact: ["hunter2-hunter2"] });
    await clock.advanceTo("2026-03-02T01:01:00Z");
    const [kept] = (await scheduler.runs()).items;
    expect(kept?.error?.cause?.cause?.message).toBe("[redacted] is wrong");
    const texts: string[] = [];
    const json = jsonLogger({ clock, write: (line) => void texts.push(line) });
    for (const { level, message, fields } of lines) json.log(level, message, fields);
    expect(JSON.stringify([kept, texts])).not.toContain("hunter2");
    expect(texts.join("")).toContain("[redacted] is wrong");
    await scheduler.stop({ drain: 0 });
  });

  it("keeps little of an error that is huge, endless or hostile", async () => {
    const endless = new Error("x".repeat(1_000_000));
    endless.cause = endless;
    const hostile = new Proxy(new Error("hidden"), {
      get: () => {
        throw new Error("no property is readable");
      },
    });
    const thrown = [endless, hostile, Object.create(null), undefined, 7n, new NonRetryableError("bad input")];
    const pipelines = thrown.map((error, index) =>
      pipeline({
        id: `p${index}`,
        schedule: cron("0 1 * * *"),
        execution: { retries: 0 },
        run: () => {
          throw error;
        },
      }),
    );
    const { clock, scheduler } = await harness(pipelines);
    await clock.advanceTo("2026-03-02T01:01:00Z");
    const runs = (await scheduler.runs()).items;
    expect(runs.map(({ status }) => status)).toEqual(thrown.map(() => "failed"));
    for (const { error } of runs) expect(JSON.stringify(error).length).toBeLessThan(8_192);
    const depth = (error: { cause?: unknown } | undefined): number =>
      error === undefined ? 0 : 1 + depth(error.cause as { cause?: unknown });
    expect(Math.max(...runs.map(({ error }) => depth(error ?? undefined)))).toBeLessThanOrEqual(5);
    await scheduler.stop({ drain: 0 });
  });

  it("keeps the stacks of the newest five attempts", async () => {
    const one = pipeline({ id: "one", schedule: cron("0 1 * * *"), execution: { retries: 8, retryDelay: "1m" }, run: load });
    const { clock, scheduler } = await harness([one]);
    await clock.advanceTo("2026-03-02T02:00:00Z");
    const [run] = (await scheduler.runs()).items;
    expect(run?.attempts.map(({ error }) => error?.stack !== undefined)).toEqual([false, false, false, true, true, true, true, true]);
    expect(new Set(run?.attempts.map(({ error }) => error?.message))).toEqual(new Set(["the prices cannot be loaded"]));
    await scheduler.stop({ drain: 0 });
  });

  it("has no stack when nothing was thrown: a timeout is where no code failed", async () => {
    const { logger, warnings } = recorder();
    const one = pipeline({
      id: "one",
      schedule: cron("0 1 * * *"),
      execution: { retries: 0, timeout: "1m" },
      run: ({ clock: time }) => time.sleep("1h"),
    });
    const { clock, scheduler } = await harness([one], { logger });
    await clock.advanceTo("2026-03-02T01:05:00Z");
    const [run] = (await scheduler.runs()).items;
    expect(run?.error).toEqual({ message: "attempt 1 took longer than 1m", code: "RUN_TIMED_OUT" });
    expect(warnings().map(({ message }) => message)).toEqual([
      `attempt 1 of run ${run?.id} of pipeline one timed out, and the run timed out: attempt 1 took longer than 1m`,
    ]);
    await scheduler.stop({ drain: 0 });
  });
});

describe("a condition that throws", () => {
  it("is one warning with its stack, another for another reason, and a line when it works again", async () => {
    const { logger, lines, warnings } = recorder();
    let answer: () => boolean = load;
    const one = pipeline({
      id: "one",
      schedule: cron("0 * * * *"),
      conditions: [condition("prices are there", () => answer())],
      run: () => {},
    });
    const { clock, scheduler, heard } = await harness([one], { logger });
    await clock.advanceTo("2026-03-02T03:30:00Z");
    expect(warnings().map(({ level, message }) => [level, message])).toEqual([
      ["warn", 'condition "prices are there" of pipeline one could not be evaluated, which counts as block: the prices cannot be loaded'],
    ]);
    const { error, ...fields } = warnings()[0]?.fields ?? {};
    expect(fields).toEqual({ pipelineId: "one", triggerId: expect.any(String), condition: "prices are there" });
    expect((error as Error).stack).toMatch(/at load .*failures\.test\.ts/);
    expect(((error as Error).cause as Error).stack).toMatch(/at connectTo/);
    answer = () => {
      throw new TypeError("prices is undefined");
    };
    await clock.advanceTo("2026-03-02T04:30:00Z");
    expect(warnings()).toHaveLength(2);
    answer = () => true;
    await clock.advanceTo("2026-03-02T05:30:00Z");
    expect(lines.filter(({ level, message }) => level === "info" && message.includes("recovered after"))).toHaveLength(1);
    expect(heard("error")).toEqual([]);
    await scheduler.stop({ drain: 0 });
  });
});

describe("a log of an error", () => {
  it("shows its stack and causes on the console, and as fields in JSON", () => {
    const printed = vi.spyOn(console, "error").mockImplementation(() => {});
    const written: string[] = [];
    let error: unknown;
    try {
      load();
    } catch (thrown) {
      error = thrown;
    }
    consoleLogger().log("error", "it broke", { error, step: 2 });
    expect(printed.mock.calls[0]?.[0]).toMatch(
      /^\d{4}-\S+Z \[headgate\] error: it broke \{"step":2\}\n {2}Error: the prices cannot be loaded\n {6}at load [\s\S]*\n {2}caused by Error: connect ECONNREFUSED/,
    );
    jsonLogger({ clock: { now: () => 0 }, write: (line) => void written.push(line) }).log("error", "it broke", { error, deep: { error } });
    const shape = {
      message: "the prices cannot be loaded",
      stack: expect.stringContaining("at load"),
      cause: { message: "connect ECONNREFUSED 10.0.0.7:5432", code: "ECONNREFUSED", stack: expect.stringContaining("at connectTo") },
    };
    expect(JSON.parse(written[0] ?? "")).toMatchObject({ level: "error", message: "it broke", error: shape, deep: { error: shape } });
  });

  it("shows information by default, and nothing below its level", () => {
    const written: string[] = [];
    const options = { clock: { now: () => 0 }, write: (line: string) => void written.push(line) };
    consoleLogger(options).log("info", "loading", { rows: 3 });
    consoleLogger(options).log("debug", "details", {});
    consoleLogger({ ...options, level: "warn" }).log("info", "loading", {});
    expect(written).toEqual(['1970-01-01T00:00:00.000Z [headgate] info: loading {"rows":3}']);
  });

  it("of a listener that throws has its stack", async () => {
    const { logger, warnings } = recorder();
    const { clock, scheduler } = await harness([pipeline({ id: "one", schedule: cron("0 1 * * *"), run: () => {} })], { logger });
    scheduler.on("run.succeeded", load);
    await clock.advanceTo("2026-03-02T01:01:00Z");
    expect(warnings().map(({ message }) => message)).toEqual(['a listener of "run.succeeded": the prices cannot be loaded']);
    expect(warnings()[0]?.fields.error).toHaveProperty("stack", expect.stringContaining("at load"));
    await scheduler.stop({ drain: 0 });
  });
});
