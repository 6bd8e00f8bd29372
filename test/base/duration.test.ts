import fc from "fast-check";
import { expect, it } from "vitest";
import { durationMs, formatDuration } from "../../src/index.js";
import { sampled } from "../support/sampled.js";

const length = fc.oneof(
  fc.integer({ min: 0, max: 120_000 }),
  fc.integer({ min: 0, max: 7_200_000 }),
  fc.integer({ min: 0, max: 100 * 365 * 86_400_000 }),
);

it("shows durations so that they can be compared", () => {
  const shown = [0, 999, 1_000, 1_500, 2_001, 59_500, 60_999, 90_000, 3_599_999, 3_600_000, 5_400_000, 93_540_000, 90_061_000];
  expect(shown.map(formatDuration)).toEqual([
    "0ms",
    "999ms",
    "1s",
    "1.5s",
    "2.001s",
    "59.5s",
    "1m 0.9s",
    "1m 30s",
    "59m 59s",
    "1h",
    "1h 30m",
    "1d 1h 59m",
    "1d 1h 1m",
  ]);
});

it("shows a duration within 1 %, never longer than it is, in a form that is read as a duration", () => {
  fc.assert(
    fc.property(length, (ms) => {
      const read = durationMs(formatDuration(ms));
      expect(read).toBeLessThanOrEqual(ms);
      expect(ms - read).toBeLessThanOrEqual(ms * 0.01);
    }),
    { numRuns: sampled(5_000) },
  );
});

it("keeps the order of durations, and shows two that differ by more than 1 % differently", () => {
  fc.assert(
    fc.property(length, length, (one, other) => {
      const [less, more] = [Math.min(one, other), Math.max(one, other)];
      expect(durationMs(formatDuration(less))).toBeLessThanOrEqual(durationMs(formatDuration(more)));
      if (more - less > more * 0.01) expect(formatDuration(less)).not.toBe(formatDuration(more));
    }),
    { numRuns: sampled(5_000) },
  );
});

it("shows what is not yet a limit of whole seconds as less than that limit", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 86_399 }), fc.integer({ min: 1, max: 999 }), (seconds, less) => {
      expect(formatDuration(seconds * 1_000 - less)).not.toBe(formatDuration(seconds * 1_000));
    }),
  );
});
