import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, it, vi } from "vitest";
import { condition, cron, every, HeadgateError, pipeline } from "../../src/index.js";
import { fakeClock, simulate } from "../../src/testing/index.js";
import { harness } from "../support/harness.js";

const T0 = Date.parse("2026-01-01T00:00:00Z");

describe("the fake clock", () => {
  it("calls timers in order of time, then of setting, at their own instant", async () => {
    const clock = fakeClock(T0);
    const seen: string[] = [];
    const note = (name: string) => () => seen.push(`${name}@${clock.now() - T0}`);
    clock.setTimer(20, note("late"));
    clock.setTimer(10, note("a"));
    clock.setTimer(10, note("b"));
    const cancel = clock.setTimer(10, note("never"));
    clock.setTimer(15, () => clock.setTimer(0, note("nested")));
    cancel();
    await clock.advance(9);
    expect(seen).toEqual([]);
    await clock.advance(11);
    expect(seen).toEqual(["a@10", "b@10", "nested@15", "late@20"]);
  });

  it("advances one move after the other, however they are called", async () => {
    const clock = fakeClock(T0);
    const all = Promise.all([
      clock.advance("1m"),
      clock.advance("1m"),
      clock.advanceTo("2026-01-01T00:05:00Z"),
      clock.advanceTo("2026-01-01T00:01:00Z"),
    ]);
    await all;
    expect(clock.now()).toBe(T0 + 300_000);
    expect(() => clock.advance(-1)).toThrow(HeadgateError);
  });

  it("sleeps, and wakes with the signal's reason", async () => {
    const clock = fakeClock(T0);
    const controller = new AbortController();
    const ends: unknown[] = [];
    clock.sleep(1_000).then(() => ends.push(clock.now() - T0));
    clock.sleep(5_000, controller.signal).catch((error: unknown) => ends.push(error));
    await clock.advance("2s");
    controller.abort("enough");
    await clock.settle();
    expect(ends).toEqual([1_000, "enough"]);
    await expect(clock.sleep(1, controller.signal)).rejects.toBe("enough");
  });

  it("moves on without a run that never ends, and waits for it only once", async () => {
    const { scheduler, clock } = await harness(
      [pipeline({ id: "stuck", execution: { retries: 0, timeout: "10h" }, run: () => new Promise(() => {}) })],
      {
        clock: fakeClock(T0, { patience: "50ms" }),
        cancelGracePeriod: "1s",
      },
    );
    await scheduler.trigger("stuck");
    await clock.advance("10h");
    await clock.advance("1s");
    expect((await scheduler.runs()).items[0]?.status).toBe("timed_out");
    await scheduler.stop();
  });

  it("names a run that does not settle within its patience, in a warning, before time goes on without it", async () => {
    const warnings: (Error & { code?: string })[] = [];
    const listener = (warning: Error) => warnings.push(warning);
    process.on("warning", listener);
    const stuck = pipeline({ id: "stuck", execution: { retries: 0, timeout: "1h" }, run: () => new Promise(() => {}) });
    const { scheduler, clock } = await harness([stuck], { clock: fakeClock(T0, { patience: "20ms" }), cancelGracePeriod: "1s" });
    await scheduler.trigger("stuck");
    await clock.advance("30m");
    expect(clock.unsettled).toMatchObject([
      { kind: "run", name: expect.stringMatching(/^attempt 1 of run .+ of pipeline stuck$/), since: new Date(T0) },
    ]);
    await clock.advance("31m");
    expect(clock.unsettled).toEqual([]);
    await vi.waitFor(() => expect(warnings.map(({ code }) => code)).toEqual(["HEADGATE_NOT_SETTLED"]));
    expect(warnings[0]?.message).toMatch(
      /attempt 1 of run \S+ of pipeline stuck, which began 2026-01-01T00:00:00Z, did not settle within \d+ ms of real time; the clock moves on/,
    );
    process.off("warning", listener);
    await scheduler.stop();
  });

  it("does not move on under onUnsettled: reject, and says for what it waits", async () => {
    let open: (() => void) | undefined;
    const slow = pipeline({ id: "slow", run: () => new Promise<void>((resolve) => (open = resolve)) });
    const { scheduler, clock } = await harness([slow], { clock: fakeClock(T0, { patience: "20ms", onUnsettled: "reject" }) });
    await scheduler.trigger("slow");
    await expect(clock.advance("21m")).rejects.toMatchObject({ code: "NOT_SETTLED", message: expect.stringContaining("of pipeline slow") });
    expect(clock.now()).toBe(T0);
    open?.();
    await clock.advance("21m");
    expect(clock.now()).toBe(T0 + 21 * 60_000);
    expect((await scheduler.runs()).items[0]?.endedAt).toEqual(new Date(T0));
    await scheduler.stop();
  });

  it("hands unsettled work to a function", async () => {
    const seen: string[] = [];
    const held = condition("never", () => new Promise<boolean>(() => {}));
    const { scheduler, clock } = await harness([pipeline({ id: "a", schedule: every("1h"), conditions: [held], run: () => {} })], {
      clock: fakeClock(T0, { patience: "20ms", onUnsettled: ({ kind, name }) => seen.push(`${kind}: ${name}`) }),
    });
    await clock.advance("1h1m");
    expect(seen).toEqual([expect.stringMatching(/^condition: the conditions of pipeline a for trigger /)]);
    await scheduler.stop();
    expect(() => fakeClock(T0, { onUnsettled: "shout" as never })).toThrow(/onUnsettled: "shout" is unknown/);
  });

  it("lets conditions wait on their clock, within their timeout, at no real time", async () => {
    const waits = (name: string, length: string) =>
      condition(name, async ({ clock: time, now }) => {
        await time.sleep(length);
        return time.now() - now === 8_000;
      });
    const { scheduler, clock } = await harness(
      [pipeline({ id: "a", schedule: every("1h"), conditions: [waits("short", "8s"), waits("long", "11s")], run: () => {} })],
      { clock: fakeClock(T0, { onUnsettled: "reject" }) },
    );
    const began = performance.now();
    await clock.advance("24h1m");
    expect(performance.now() - began).toBeLessThan(5_000); // a real second for each of 48 would be 48 s
    const { items } = await scheduler.decisions();
    expect(items).toHaveLength(24);
    expect(items[0]?.findings.map(({ result, reason }) => `${result}: ${reason}`)).toEqual([
      "pass: short holds",
      expect.stringMatching(/^block: could not be evaluated \(no response within 10s\)/),
    ]);
    await scheduler.stop();
  });

  it("sleeps for durations, and refuses what is none", async () => {
    const clock = fakeClock(T0);
    let woke = 0;
    clock.sleep("5s").then(() => {
      woke = clock.now();
    });
    await clock.advance("1m");
    expect(woke).toBe(T0 + 5_000);
    await expect(clock.sleep("soon")).rejects.toMatchObject({ code: "INVALID_DURATION" });
    await expect(clock.sleep(Number.NaN)).rejects.toMatchObject({ code: "INVALID_DURATION" });
    expect(() => clock.setTimer("5s" as never, () => {})).toThrow(HeadgateError);
  });

  it("needs no real timers: a test runner's fake ones do not stop it", async () => {
    vi.useFakeTimers();
    try {
      const { scheduler, clock } = await harness([pipeline({ id: "a", schedule: every("1h"), run: () => {} })]);
      await clock.advance("3h");
      expect((await scheduler.runs()).items).toHaveLength(3);
      await scheduler.stop();
    } finally {
      vi.useRealTimers();
    }
  });

  it("works under node:test alike", async () => {
    const script = new URL("./node-test.fixture.mjs", import.meta.url);
    const env = { ...process.env, NODE_OPTIONS: "--import tsx" };
    const { stdout } = await promisify(execFile)(process.execPath, ["--test", "--test-reporter=tap", script.pathname], { env });
    expect(stdout).toMatch(/# pass 1\n/);
  });
});

describe("simulate", () => {
  it("plays months on the engine that runs in production", async () => {
    const played = await simulate({
      pipelines: [
        pipeline({
          id: "daily",
          schedule: cron("0 2 * * *", { timeZone: "Europe/Berlin" }),
          execution: { retries: 1, retryDelay: "10m" },
          run: () => {},
        }),
      ],
      from: "2026-01-01",
      to: "2026-04-01",
      world: {
        run: ({ scheduledFor, attempt }) => ({
          duration: "20m",
          outcome: scheduledFor?.getUTCDate() === 13 && attempt === 1 ? "fail" : "succeed",
          output: { attempt },
        }),
      },
    });
    expect(played.counts).toEqual({ triggers: 90, decisions: 90, runs: 90 });
    expect(played.triggers).toHaveLength(90);
    expect(played.runs.filter(({ attempt }) => attempt === 2).map(({ scheduledFor }) => scheduledFor?.toISOString().slice(5, 10))).toEqual([
      "01-13",
      "02-13",
      "03-13",
    ]);
    expect(played.runs[0]).toMatchObject({ status: "succeeded", output: { attempt: 1 }, endedAt: new Date("2026-01-01T01:20:00Z") });
    expect(played.runs.at(-1)?.scheduledFor).toEqual(new Date("2026-03-31T00:00:00Z"));
    expect(played.runs).toBe(played.runs);
  });

  it("asks the world for probes and conditions, and says which probe it does not know", async () => {
    const backlog = { name: "backlog", measure: () => Promise.reject(new Error("the real world was asked")) };
    const few = condition("few waiting", async ({ measure }) => (await measure<number>(backlog as never)) < 100);
    const partner = condition("partner", () => Promise.reject(new Error("the real world was asked")));
    const pipelines = [pipeline({ id: "a", schedule: every("1h"), conditions: [few, partner], run: () => {} })];
    const span = { pipelines, from: "2026-01-01T00:30:00Z", to: "2026-01-01T06:30:00Z" } as const;
    const played = await simulate({
      ...span,
      world: {
        probes: { backlog: (at: Date) => (at.getUTCHours() === 3 ? 500 : 5) },
        conditions: { partner: (at) => at.getUTCHours() !== 5 },
      },
    });
    expect(played.decisions.map(({ outcome }) => outcome)).toEqual(["run", "run", "skip", "run", "skip", "run"]);
    const unknown = await simulate(span);
    expect(unknown.decisions[0]?.findings[0]?.reason).toContain('probe "backlog" has no value; set one in world.probes');
  });

  it("plays triggers and pauses when they come, and keeps what is still under way at the end", async () => {
    const played = await simulate({
      pipelines: [pipeline({ id: "a", schedule: every("1h"), run: () => {} })],
      from: "2026-01-01T00:30:00Z",
      to: "2026-01-01T06:30:00Z",
      world: {
        run: ({ scheduledFor }) => ({ duration: scheduledFor?.getUTCHours() === 6 ? "2h" : "1m" }),
        triggers: [{ at: "2026-01-01T02:30:00Z", pipelineId: "a", user: "ana", reason: "again" }],
        pauses: [{ from: "2026-01-01T03:30:00Z", until: "2026-01-01T05:30:00Z", pipelineId: "a", reason: "audit" }],
      },
    });
    expect(played.triggers.map(({ kind, status, createdAt }) => `${createdAt.toISOString().slice(11, 16)} ${kind} ${status}`)).toEqual([
      "01:00 scheduled succeeded",
      "02:00 scheduled succeeded",
      "02:30 manual succeeded",
      "03:00 scheduled succeeded",
      "05:30 scheduled succeeded",
      "06:00 scheduled running",
    ]);
    expect(played.decisions.filter(({ outcome }) => outcome === "skip").map(({ missed }) => missed?.pause?.isGlobal)).toEqual([false]);
  });

  it("refuses a span that is none", async () => {
    await expect(simulate({ pipelines: [], from: "2026-01-02", to: "2026-01-01" })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});
