import fc from "fast-check";
import { expect, it } from "vitest";
import { comparedDurations, durationMs, formatDuration } from "../../src/base/duration.js";
import { beside, percent } from "../../src/base/share.js";
import { sampled } from "../support/sampled.js";

const length = fc.oneof(fc.integer({ min: 0, max: 10_000 }), fc.integer({ min: 0, max: 400 * 86_400_000 }));
const near = fc.tuple(length, fc.integer({ min: -70_000, max: 70_000 })).map(([limit, by]) => [Math.max(0, limit + by), limit] as const);

it("never shows two durations alike that are not, nor on the wrong side of each other", () => {
  fc.assert(
    fc.property(fc.oneof(near, fc.tuple(length, length)), ([ms, limitMs]) => {
      const [text, limit] = comparedDurations(ms, limitMs);
      expect(Math.sign(durationMs(text) - durationMs(limit))).toBe(Math.sign(ms - limitMs));
    }),
    { numRuns: sampled(5_000) },
  );
});

it("shows durations as everywhere where they differ", () => {
  expect(comparedDurations(5_400_000, 3_600_000)).toEqual(["1h 30m", "1h"]);
  expect(comparedDurations(21_600_001, 21_600_000)).toEqual(["6h 0.001s", "6h"]);
  expect(comparedDurations(1_500, 1_500)).toEqual([formatDuration(1_500), formatDuration(1_500)]);
  expect(comparedDurations(1_800_000.4, 1_800_000)).toEqual(["30m 0.001s", "30m"]);
});

it("never shows a share like a limit that it is not", () => {
  const share = fc.oneof(
    fc.double({ min: 0, max: 1, noNaN: true }),
    fc.integer({ min: 0, max: 1_000 }).map((n) => n / 1_000),
  );
  fc.assert(
    fc.property(share, fc.integer({ min: 0, max: 1_000 }), fc.double({ min: -1e-4, max: 1e-4, noNaN: true }), (value, thousandths, by) => {
      const limit = thousandths / 1_000;
      for (const one of [value, Math.min(1, Math.max(0, limit + by))]) {
        if (Math.abs(one - limit) < 1e-9) continue; // closer than the twelve digits that are shown
        expect(Math.sign(Number.parseFloat(percent(one, limit)) - Number.parseFloat(percent(limit)))).toBe(Math.sign(one - limit));
      }
    }),
    { numRuns: sampled(5_000) },
  );
});

it("shows no more digits than are needed", () => {
  expect([beside(80.04, 80), beside(79.96, 80), beside(80, 80), beside(12.345, 80)]).toEqual(["80.04", "79.96", "80", "12.3"]);
  expect([percent(0.07), percent(0.204, 0.2), percent(0.2004, 0.2), percent(0.9)]).toEqual(["7 %", "20.4 %", "20.04 %", "90 %"]);
});
