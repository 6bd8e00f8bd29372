import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { quantilesOf } from "../../src/base/quantiles.js";
import type { FinishedRecord } from "../../src/monitor/finished-record.js";
import { RunWindow } from "../../src/monitor/statistics.js";

const HOUR = 3_600_000;
const T0 = Date.parse("2026-03-02T00:00:00Z");
let made = 0;

function ended(
  at: number,
  rest: { status?: string; durationMs?: number; lagMs?: number | null; attempt?: number; findings?: object[] } = {},
): FinishedRecord {
  const { status = "succeeded", durationMs = 1_000, lagMs = 0, attempt = 1, findings = [] } = rest;
  const isRun = ["succeeded", "failed", "timed_out", "cancelled"].includes(status);
  const startedAt = at - durationMs;
  const id = `t${made++}`;
  return {
    trigger: { id, pipelineId: "p", status: isRun ? (status === "timed_out" ? "failed" : status) : status, endedAt: at },
    run: isRun
      ? { status, startedAt, endedAt: at, scheduledFor: lagMs === null ? null : startedAt - lagMs, attempt, attempts: [], output: null }
      : null,
    decisions: isRun ? [] : [{ id: `d${made}`, outcome: "skip", reason: "because", findings }],
  } as unknown as FinishedRecord;
}

function dropped(at: number, count: number, reason = 'missed, 2h late; catchup is "none"'): FinishedRecord {
  return {
    trigger: null,
    run: null,
    decisions: [{ id: `d${made++}`, pipelineId: "p", at, reason, missed: { count, lastAt: at } }],
  } as unknown as FinishedRecord;
}

const window = (timings = 50) => new RunWindow({ lengthMs: 24 * HOUR, timings });

describe("the statistics of a window", () => {
  it("count outcomes, retries, skips with their reasons, and dropped fire times", () => {
    const one = window();
    for (const status of ["succeeded", "succeeded", "failed", "timed_out", "cancelled"]) one.add(ended(T0, { status }));
    one.add(ended(T0, { attempt: 3 }));
    const findings = [
      { condition: "business day", result: "pass", reason: "" },
      { condition: "stale", result: "block", reason: "fresh" },
      { condition: "healthy", result: "not_evaluated", reason: "" },
    ];
    one.add(ended(T0, { status: "skipped", findings }));
    one.add(ended(T0, { status: "skipped" }));
    one.add(dropped(T0, 4));
    one.add(dropped(T0, 9, "paused"));
    expect(one.at(T0 + 1)).toMatchObject({
      runs: { succeeded: 3, failed: 1, timedOut: 1, cancelled: 1 },
      retries: 2,
      skipped: 2,
      missed: 4,
      successRate: 0.6,
      failureRate: 0.4,
      retryRate: 0.2,
      skipRate: 0.25,
      skipReasons: { stale: 1, because: 1, paused: 1 },
      conditions: { "business day": { pass: 1, block: 0 }, stale: { pass: 0, block: 1 } },
      consecutiveFailures: 0,
      lastMissedAt: new Date(T0),
    });
  });

  it("tell durations and lags of the newest runs", () => {
    const one = window(4);
    for (const [durationMs, lagMs] of [
      [9_000, 900],
      [1_000, 100],
      [2_000, null],
      [3_000, 300],
      [4_000, 400],
    ] as const)
      one.add(ended(T0, { durationMs, lagMs }));
    const { duration, lag } = one.at(T0);
    expect(duration).toEqual({ count: 4, mean: 2_500, p50: 2_000, p95: 4_000, max: 4_000 });
    expect(lag).toMatchObject({ count: 3, p50: 300, max: 400 });
  });

  it("remember failures in a row beyond the window", () => {
    const one = window();
    for (let n = 0; n < 3; n++) one.add(ended(T0, { status: "failed" }));
    expect(one.at(T0 + 100 * HOUR)).toMatchObject({ consecutiveFailures: 3, runs: { failed: 0 }, failureRate: null, duration: null });
    one.add(ended(T0 + 101 * HOUR));
    expect(one.at(T0 + 101 * HOUR).consecutiveFailures).toBe(0);
  });

  it("are those of the last 21 to 24 hours, as a list of all would tell", () => {
    const step = fc.record({ afterMinutes: fc.integer({ min: 0, max: 400 }), status: fc.constantFrom("succeeded", "failed", "skipped") });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const one = window(1_000);
        const all: { at: number; status: string }[] = [];
        let now = T0;
        for (const { afterMinutes, status } of steps) {
          now += afterMinutes * 60_000;
          one.add(ended(now, { status }));
          all.push({ at: now, status });
          const { runs, skipped } = one.at(now);
          for (const [got, name] of [
            [runs.succeeded, "succeeded"],
            [runs.failed, "failed"],
            [skipped, "skipped"],
          ] as const) {
            const count = (hours: number) => all.filter((other) => other.status === name && other.at > now - hours * HOUR).length;
            expect(got).toBeGreaterThanOrEqual(count(21));
            expect(got).toBeLessThanOrEqual(count(24));
          }
        }
      }),
    );
  });

  it("take under two thousand bytes for a busy pipeline", () => {
    const before = process.memoryUsage();
    const all = Array.from({ length: 5_000 }, () => window());
    for (const one of all) for (let n = 0; n < 60; n++) one.add(ended(T0 + n * HOUR, { durationMs: n }));
    globalThis.gc?.();
    const after = process.memoryUsage();
    if (globalThis.gc !== undefined)
      expect((after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers) / all.length).toBeLessThan(2_000);
    expect(all[0]?.at(T0 + 60 * HOUR).duration?.count).toBeLessThanOrEqual(50);
  });
});

describe("quantiles", () => {
  it("are the smallest numbers that so many are not above", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ noNaN: true, min: -1e9, max: 1e9 }), { minLength: 1 }), (numbers) => {
        const found = quantilesOf(numbers);
        for (const [value, share] of [
          [found?.p50, 0.5],
          [found?.p95, 0.95],
        ] as const) {
          expect(numbers).toContain(value);
          expect(numbers.filter((one) => one <= (value as number)).length / numbers.length).toBeGreaterThanOrEqual(share);
          expect(numbers.filter((one) => one < (value as number)).length / numbers.length).toBeLessThan(share);
        }
        expect(found?.max).toBe(Math.max(...numbers));
      }),
    );
    expect(quantilesOf([])).toBeNull();
  });
});
