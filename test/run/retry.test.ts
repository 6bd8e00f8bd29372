import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HeadgateError, NonRetryableError } from "../../src/index.js";
import { type RetryPolicy, retryDelay, runErrorOf } from "../../src/run/retry.js";

const policy: RetryPolicy = { retries: 5, retryDelayMs: 1_000, backoff: "fixed", maxRetryDelayMs: 60_000, retryOn: null, jitter: 0 };
const delays = (of: Partial<RetryPolicy>) =>
  [1, 2, 3, 4, 5, 6].map((attempt) => retryDelay({ ...policy, ...of }, attempt, "failed", new Error("x"), 0.5));

describe("the delay before the next attempt", () => {
  it("is fixed, doubles, or is one's own", () => {
    expect(delays({})).toEqual([1_000, 1_000, 1_000, 1_000, 1_000, null]);
    expect(delays({ backoff: "exponential" })).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, null]);
    expect(delays({ backoff: (attempt) => attempt * 7 })).toEqual([7, 14, 21, 28, 35, null]);
    expect(delays({ backoff: () => Number.NaN })[0]).toBe(1_000);
  });

  it("stays within its bounds whatever the jitter", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1_000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (attempt, jitter, random) => {
          const delay = retryDelay({ ...policy, retries: 1_000, backoff: "exponential", jitter }, attempt, "failed", null, random);
          const plain = Math.min(1_000 * 2 ** Math.min(attempt - 1, 50), 1e300);
          expect(delay).toBeLessThanOrEqual(60_000);
          expect(delay).toBeGreaterThanOrEqual(Math.min(60_000, Math.floor(plain * (1 - jitter))));
        },
      ),
    );
  });

  it("is none after a success, a cancellation or an error that says so", () => {
    expect(retryDelay(policy, 1, "succeeded", null, 0)).toBeNull();
    expect(retryDelay(policy, 1, "cancelled", new Error("x"), 0)).toBeNull();
    expect(retryDelay(policy, 1, "failed", new NonRetryableError("x"), 0)).toBeNull();
    expect(retryDelay(policy, 1, "lost", new Error("x"), 0)).toBe(1_000);
    expect(retryDelay(policy, 1, "timed_out", new Error("x"), 0)).toBe(1_000);
  });
});

describe("a kept error", () => {
  it("has a message and a code, and a stack if it is an error, whatever was thrown", () => {
    const stack = expect.stringMatching(/^\w+: \w+\n {4}at .*retry\.test\.ts/);
    expect(runErrorOf(Object.assign(new Error("gone"), { code: "ENOENT" }))).toEqual({ message: "gone", code: "ENOENT", stack });
    expect(runErrorOf(new TypeError("bad"))).toEqual({ message: "bad", code: "TypeError", stack });
    expect(runErrorOf(new HeadgateError("RUN_TIMED_OUT", "too long"))).toEqual({ message: "too long", code: "RUN_TIMED_OUT" });
    expect(runErrorOf("text")).toEqual({ message: "text", code: null });
    expect(runErrorOf({ status: 500 })).toEqual({ message: '{"status":500}', code: null });
    expect(runErrorOf(undefined).message).toBe("undefined");
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    expect(runErrorOf(circle).message).toBe("[object Object]");
    expect(runErrorOf(new Error("x".repeat(9_000))).message).toHaveLength(2_000);
  });
});
