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
        grace: "1s",
      },
    );
    await scheduler.trigger("stuck");
    await clock.advance("10h");
    await clock.advance("1s");
    expect((await scheduler.runs()).items[0]?.status).toBe("timed_out");
    await scheduler.stop();
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
    expect(unknown.decisions[0]?.findings[0]?.reason).toContain('probe "backlog" is asked; give it a value in world.probes');
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
    expect(played.decisions.filter(({ outcome }) => outcome === "skip").map(({ reason }) => reason)).toEqual(["paused"]);
  });

  it("refuses a span that is none", async () => {
    await expect(simulate({ pipelines: [], from: "2026-01-02", to: "2026-01-01" })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});
