import { describe, expect, it } from "vitest";
import {
  allOf,
  anyOf,
  condition,
  createScheduler,
  every,
  healthy,
  memoryStore,
  NonRetryableError,
  not,
  type Pipeline,
  type PipelineOptions,
  pipeline,
  type RunContext,
  type Scheduler,
  stale,
  succeeded,
} from "../../src/index.js";
import { type Backtest, backtest, type FakeClock, fakeClock, type ReadHistory, readHistory } from "../../src/testing/index.js";
import { randomFrom } from "../../src/testing/random.js";
import { comparable, differences } from "../support/random-world.js";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const T0 = Date.parse("2026-03-02T00:00:00Z");

/** A number in [0, 1) that depends on what it is for alone. */
function luck(...of: readonly (number | string)[]): number {
  let hash = 2_166_136_261;
  for (const letter of of.join(" ")) hash = Math.imul(hash ^ letter.charCodeAt(0), 16_777_619);
  return randomFrom(hash)();
}

type Work = (context: RunContext<unknown>) => Promise<unknown>;
type Options = Omit<PipelineOptions, "id" | "run">;

const job = (options: Options = {}, run: Work | (() => void) = () => {}): Pipeline =>
  pipeline({ id: "sync", schedule: every("1h"), ...options, run: run as Work });

/** Runs pipelines under a fake clock, as long as some days; returns the history of the first. */
async function lived(
  pipelines: readonly Pipeline[],
  days: number,
  act: (node: { scheduler: Scheduler; clock: FakeClock; restart(): Promise<Scheduler> }) => Promise<unknown> = async () => {},
): Promise<ReadHistory> {
  const clock = fakeClock(T0 - 1, { onUnsettled: "reject", patience: "20s" });
  const store = memoryStore();
  const begun = async () => {
    const made = createScheduler({ pipelines, clock, store, logger: { log: () => {} } });
    await made.start();
    return made;
  };
  let scheduler = await begun();
  const restart = async () => {
    await scheduler.stop({ drain: 0 });
    scheduler = await begun();
    return scheduler;
  };
  await act({ scheduler, clock, restart });
  await clock.advanceTo(T0 + days * DAY);
  const history = await readHistory(scheduler, { pipelineId: "sync" });
  await scheduler.stop({ drain: 0 });
  return history;
}

/** The differences between a history and what a backtest of the same configuration plays, record by record. */
const changes = (history: ReadHistory, { played }: Backtest): string => differences(comparable(history), comparable(played));

const kindsOf = ({ unknown }: Backtest): readonly string[] => unknown.map(({ kind }) => kind);

/** Sleeps for some minutes, then succeeds or fails by luck. */
const unlucky =
  (failures: number, minutes = 9, error: () => Error = () => new Error("the source is late")): Work =>
  async ({ clock }) => {
    const at = clock.now();
    await clock.sleep((1 + Math.floor(luck("long", at) * minutes)) * MINUTE);
    if (luck("fate", at) < failures) throw error();
    return { at };
  };

describe("a backtest of the same configuration", () => {
  it("keeps retries as they were: their waits are not spread over the attempts and added again", async () => {
    const options: Options = { execution: { retries: 3, retryDelay: "10m", backoff: "exponential" } };
    const { runs } = await lived([job(options, unlucky(0.35))], 4);
    const { before, after } = await backtest({ history: runs, pipeline: job(options), maxAge: "3h" });
    expect(before.runs).toBeGreaterThan(90);
    expect(before.retries).toBeGreaterThan(30);
    expect(before.skipped).toBeNull();
    expect(after).toEqual({ ...before, skipped: 0 });
  });

  it("keeps failures that were final: they are not tried again", async () => {
    const options: Options = { execution: { retries: 3, retryDelay: "10m" } };
    const final = unlucky(0.2, 4, () => new NonRetryableError("the file is empty"));
    const { runs } = await lived([job(options, final)], 4);
    const { before, after } = await backtest({ history: runs, pipeline: job(options) });
    expect(before).toMatchObject({ retries: 0 });
    expect(before.failed).toBeGreaterThan(10);
    expect(after).toEqual({ ...before, skipped: 0 });
  });

  it("runs as often as it did behind a probe that was healthy, with its runs alone", async () => {
    const options: Options = { conditions: [healthy({ probes: [{ name: "warehouse", measure: () => true }] })] };
    const { runs } = await lived([job(options, unlucky(0, 4))], 5);
    const result = await backtest({ history: runs, pipeline: job(options) });
    expect(result.before.runs).toBe(120); // the last one has not ended
    expect(result.after.runs).toBe(120);
    expect(kindsOf(result)).toEqual(["decisions", "pauses", "finding_missing", "stopped_attempt"]);
  });

  it("includes the last run", async () => {
    const { runs } = await lived([job({}, unlucky(0, 4))], 1);
    const ended = runs.filter(({ endedAt }) => endedAt !== null);
    const { before, after, to } = await backtest({ history: ended, pipeline: job() });
    expect(before.runs).toBe(24);
    expect(after.runs).toBe(24);
    expect(to).toEqual(new Date(new Date(ended.at(-1)?.endedAt ?? 0).getTime() + 1));
  });

  it("counts what was skipped from the history, and skips the same again", async () => {
    const isUp = (now: number) => luck("up", Math.floor((now + 17) / (3 * HOUR))) < 0.7;
    const probe = { name: "warehouse", measure: ({ now }: { now: number }) => isUp(now) };
    const options: Options = { conditions: [healthy({ probes: [probe] }), stale({ olderThan: "90m" })] };
    const history = await lived([job(options, unlucky(0.1, 4))], 5);
    const calls = { count: 0 };
    const silent = { name: "warehouse", measure: () => calls.count++ > 0 };
    const same = job({ conditions: [healthy({ probes: [silent] }), stale({ olderThan: "90m" })] });
    const result = await backtest({ history, pipeline: same });
    expect(result.before.skipped).toBeGreaterThan(60);
    expect(result.after).toEqual(result.before);
    expect(changes(history, result)).toBe("");
    expect(calls.count).toBe(0);
    expect(result.conditions).toEqual([
      { condition: "stale", answeredBy: "evaluation" },
      { condition: "healthy", answeredBy: "history" },
    ]);
    expect(result.text).toContain("not called, answered by what they found when it was recorded: healthy");
    expect(kindsOf(result)).toEqual(["beginning"]);
  });

  it("answers conditions on other pipelines by what they found, however deep in others they stand", async () => {
    const upstream = pipeline({ id: "upstream", schedule: every("5h"), run: () => {} });
    const options: Options = {
      conditions: [
        allOf(stale({ olderThan: "30m" }), not(anyOf(not(succeeded("upstream", { within: "2h" })), not(stale({ olderThan: "1m" }))))),
      ],
    };
    const history = await lived([job(options), upstream], 2);
    const result = await backtest({ history, pipeline: job(options) });
    expect(Math.min(result.before.skipped ?? 0, result.before.runs)).toBeGreaterThan(10);
    expect(changes(history, result)).toBe("");
    expect(result.after).toEqual(result.before);
  });

  it("plays holds, pauses, cancels and requests of all kinds when they came", async () => {
    const upstream = pipeline({ id: "upstream", schedule: every("5h"), run: ({ clock }) => clock.sleep("7m") });
    const isUp = ({ now }: { now: number }) => luck("up", Math.floor(now / (2 * HOUR))) < 0.6;
    const options: Options = {
      after: "upstream",
      conditions: [condition("open", isUp, { onBlock: "hold" }), succeeded("upstream", { within: "20h" })],
      recheckInterval: "25m",
      holdFor: "3h",
      execution: { retries: 2, retryDelay: "7m", jitter: 0.4, timeout: "8m" },
    };
    const history = await lived([job(options, unlucky(0.2, 12)), upstream], 4, async ({ scheduler, clock }) => {
      for (const [n, kind] of (["manual", "webhook", "sensor", "file", "immediate", "manual"] as const).entries()) {
        await clock.advanceTo(T0 + (6 + 9 * n) * HOUR + 11 * MINUTE);
        const asked = { kind, user: "ana", reason: `request ${n}`, priority: "high", idempotencyKey: `key ${n}` } as const;
        await scheduler.trigger("sync", { ...asked, ...(n === 5 ? { notBefore: clock.now() + 3 * HOUR } : {}) });
        await clock.advance("40m");
        await scheduler.pause(n % 2 === 0 ? { pipelineId: "sync", reason: "moving" } : { duration: "95m", user: "ben" });
        await clock.advance("2h");
        await scheduler.resume(n % 2 === 0 ? { pipelineId: "sync" } : {});
        await clock.advance("35m");
        const [open] = (await scheduler.triggers({ pipelineId: "sync", status: ["held", "pending", "running"] })).items;
        if (open !== undefined) await scheduler.cancel(open.id, { user: "cleo", reason: "not needed" });
      }
      await scheduler.backfill("sync", { from: T0, to: T0 + 3 * HOUR });
    });
    const kinds = new Set(history.triggers.map(({ kind }) => kind));
    expect([...kinds].sort()).toEqual(["backfill", "dependency", "file", "immediate", "manual", "scheduled", "sensor", "webhook"]);
    const statuses = new Set(history.runs.map(({ status }) => status));
    expect([...statuses].sort()).toEqual(expect.arrayContaining(["cancelled", "succeeded", "timed_out"]));
    expect(history.runs.some(({ attempts }) => attempts.some(({ outcome }) => outcome === "timed_out"))).toBe(true);
    const result = await backtest({ history, pipeline: job(options) });
    expect(changes(history, result)).toBe("");
    expect(result.after).toEqual(result.before);
    expect(result.played.refused).toEqual([]);
  });

  it("loses attempts as they were lost, and tries them again whatever their error's code", async () => {
    const options: Options = { execution: { retries: 3, retryDelay: "4m", retryOn: ["ECONNRESET"] } };
    const history = await lived([job(options, unlucky(0.1, 20))], 2, async ({ clock, restart }) => {
      for (let n = 1; n <= 12; n++) {
        await clock.advanceTo(T0 + n * 3 * HOUR + 61_000);
        await restart();
      }
    });
    const lost = history.runs.flatMap(({ attempts }) => attempts.filter(({ outcome }) => outcome === "lost"));
    expect(lost.length).toBeGreaterThan(8);
    const result = await backtest({ history, pipeline: job(options) });
    expect(changes(history, result)).toBe("");
    expect(result.after).toEqual(result.before);
  });
});

describe("a backtest of a changed configuration", () => {
  const DAYS = 10;
  /** Changes every so many hours how long attempts take, and whether the warehouse is down. */
  const weatherOf =
    (hours: number, pastHourMs: number): Work =>
    async ({ clock }) => {
      const at = clock.now();
      const block = Math.floor((at + pastHourMs) / (hours * HOUR));
      await clock.sleep((6 + Math.floor(luck("long", block) * 15)) * MINUTE);
      if (luck("down", block) < 0.1) throw new Error("the warehouse is down");
      return null;
    };
  const ofHours = weatherOf(6, 0);
  // A retry that was not recorded goes as the nearest attempt that was. When the weather changed between two of those, an hour apart, is not in the history: with a change every 6 hours that alone is up to 3 % of the time taken, and always too little if it is at a fire time.
  const ofDays = weatherOf(24, HOUR / 2);
  const cases: readonly (readonly [string, Options, Options, Work])[] = [
    ["every 2 hours in place of every hour", {}, { schedule: every("2h") }, ofHours],
    ["every 40 minutes in place of every hour", {}, { schedule: every("40m") }, ofHours],
    ["a timeout of 15 minutes", {}, { execution: { retries: 0, timeout: "15m" } }, ofHours],
    ["3 retries in place of none", {}, { execution: { retries: 3, retryDelay: "2m" } }, ofDays],
    ["no retries in place of 3", { execution: { retries: 3, retryDelay: "10m" } }, { execution: { retries: 0 } }, ofHours],
    ["only stale data", {}, { conditions: [stale({ olderThan: "3h" })] }, ofHours],
  ];

  const none: Options = { execution: { retries: 0 } };
  const histories = new Map<string, Promise<ReadHistory>>();
  const historyOf = (options: Options, weather: Work) => {
    const key = JSON.stringify([options, weather === ofDays]);
    const known = histories.get(key) ?? lived([job({ ...none, ...options }, weather)], DAYS);
    histories.set(key, known);
    return known;
  };

  it.each(cases)(
    "comes within 1 % of really running it: %s",
    async (_, was, is, weather) => {
      const candidate = job({ ...none, ...is });
      const real = await lived([job({ ...none, ...is }, weather)], DAYS);
      const { after } = await backtest({ history: await historyOf(was, weather), pipeline: candidate, to: T0 + DAYS * DAY });
      const { before } = await backtest({ history: real, pipeline: candidate, to: T0 + DAYS * DAY });
      const apart = (name: "runs" | "busyMs" | "succeeded") => Math.abs(after[name] - before[name]) / before[name];
      expect({ runs: apart("runs") < 0.01, busy: apart("busyMs") < 0.01, succeeded: apart("succeeded") < 0.01 }).toEqual({
        runs: true,
        busy: true,
        succeeded: true,
      });
      expect(before.failed).toBeGreaterThan(5);
      expect(Math.abs(after.failed - before.failed)).toBeLessThanOrEqual(Math.ceil(before.runs * 0.01));
    },
    300_000,
  );
});

describe("what a backtest cannot know", () => {
  const failing: Options = { execution: { retries: 1, retryDelay: "5m" } };

  it("is named: attempts that the history does not have", async () => {
    const history = await lived([job({ execution: { retries: 0 } }, unlucky(0.3, 5))], 2);
    const { unknown, before } = await backtest({ history, pipeline: job(failing) });
    const entry = unknown.find(({ kind }) => kind === "further_attempt");
    expect(entry).toMatchObject({ count: before.failed, assumed: expect.stringContaining("nearest") });
    expect(entry?.examples).toHaveLength(5);
    expect(entry?.examples[0]?.subject).toMatch(/^attempt 2 of the run whose attempt started 2026-/);
  });

  it("is named: what came of attempts that were stopped, and how soon others would stop", async () => {
    const short: Options = { execution: { retries: 0, timeout: "3m" } };
    const history = await lived([job(short, unlucky(0, 9))], 2);
    const longer = await backtest({ history, pipeline: job({ execution: { retries: 0, timeout: "10m" } }) });
    expect(longer.unknown.find(({ kind }) => kind === "stopped_attempt")?.count).toBe(longer.before.failed + 1); // and the one that has not ended
    const shorter = await backtest({ history, pipeline: job({ execution: { retries: 0, timeout: "90s" } }) });
    expect(shorter.unknown.find(({ kind }) => kind === "abort_delay")?.count).toBeGreaterThan(5);
  });

  it("is named: attempts of an export of 0.1.0, whose runs had none", async () => {
    const options: Options = { execution: { retries: 3, retryDelay: "10m", backoff: "exponential" } };
    const { runs } = await lived([job(options, unlucky(0.35))], 4);
    const old = runs.map(({ status, scheduledFor, startedAt, endedAt, attempt, output }) => {
      return { status, scheduledFor, startedAt, endedAt, attempt, output };
    });
    const result = await backtest({ history: old, pipeline: job(options) });
    expect(kindsOf(result)).toContain("attempt_times");
    const { runs: count, retries, failed } = result.before;
    expect(result.after).toMatchObject({ runs: count, retries, failed });
    expect(Math.abs(result.after.busyMs - result.before.busyMs)).toBeLessThan(result.before.busyMs * 0.001);
  });

  it("is named: requests, pauses and fire times that nobody could act on", async () => {
    const history = await lived([job({}, unlucky(0, 5))], 2, async ({ scheduler, clock }) => {
      await clock.advanceTo(T0 + 5 * HOUR + 7 * MINUTE);
      await scheduler.trigger("sync");
      await clock.advance("1h");
      await scheduler.pause({ duration: "5h" });
    });
    const { runs, triggers, decisions } = history;
    const alone = await backtest({ history: runs, pipeline: job() });
    expect(kindsOf(alone)).toEqual(["decisions", "requests", "pauses", "stopped_attempt"]);
    expect(alone.after.runs).toBe(alone.before.runs + 4);
    const unpaused = await backtest({ history: { runs, triggers, decisions }, pipeline: job() });
    expect(unpaused.unknown.find(({ kind }) => kind === "pauses")?.count).toBeGreaterThanOrEqual(4);
    const whole = await backtest({ history, pipeline: job() });
    expect(whole.after).toEqual(whole.before);
    expect(kindsOf(whole)).toEqual(["stopped_attempt"]);
  });

  it("is named: findings that are missing or old; the world may give values and answers", async () => {
    const probe = { name: "warehouse", measure: () => true };
    const own = condition("own", () => true);
    const daily = { schedule: every("1d"), conditions: [healthy({ probes: [probe] }), own] };
    const history = await lived([job(daily, unlucky(0, 5))], 6);
    let calls = 0;
    const candidate = (rest: Options = {}) => {
      const counted = condition("own", () => ++calls > 0);
      return job({
        schedule: every("6h"),
        conditions: [healthy({ probes: [probe] }), counted, condition("new", () => ++calls > 0)],
        ...rest,
      });
    };
    const result = await backtest({ history, pipeline: candidate() });
    expect(calls).toBe(0);
    const examplesOf = (kind: string) => result.unknown.find((one) => one.kind === kind)?.examples.map(({ subject }) => subject);
    expect(examplesOf("finding_missing")).toEqual(['condition "new" of pipeline sync']);
    expect(examplesOf("finding_old")).toEqual(['condition "healthy" of pipeline sync', 'condition "own" of pipeline sync']);
    const world = {
      probes: { warehouse: (at: Date) => at.getUTCHours() !== 6 },
      conditions: { own: () => true, new: (at: Date) => at.getUTCHours() !== 12 },
      triggers: [{ at: T0 + 31 * HOUR, pipelineId: "sync", reason: "what if" }],
    };
    const told = await backtest({ history, pipeline: candidate(), world });
    expect(told.conditions.map(({ answeredBy }) => answeredBy)).toEqual(["world", "world", "world"]);
    expect(new Set(told.played.runs.map(({ startedAt }) => startedAt.getUTCHours()))).toEqual(new Set([0, 7, 18]));
    expect(calls).toBe(0);
  });

  it("refuses what is no history", async () => {
    const asked = (history: unknown) => backtest({ history: history as ReadHistory, pipeline: job() });
    const { runs } = await lived([job()], 1);
    await expect(asked({ runs, trigger: [] })).rejects.toThrow(/did you mean "triggers"/);
    await expect(asked({ runs: [...runs, { ...runs[0], pipelineId: "other" }] })).rejects.toThrow(/several pipelines \(sync, other\)/);
    await expect(asked([{ ...runs[0], status: "done" }])).rejects.toThrow(/history\.runs\[0\]\.status: "done" is unknown/);
    await expect(asked({ runs, pauses: [{ at: T0, action: "stop", pipelineId: null }] })).rejects.toThrow(/history\.pauses\[0\]\.action/);
  });
});
