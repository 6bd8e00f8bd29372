import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cron, every, manual } from "../../src/index.js";
import { previousFireTime } from "../../src/schedule/previous.js";
import { sampled } from "../support/sampled.js";

const START = Date.parse("2026-03-02T00:00:00Z");
const RULES = ["0 2 * * *", "*/7 * * * *", "30 2 29 2 *", "0 0 1 * 1", "15 3 * * 0", "0 9-17 * * 1-5"] as const;

describe("the fire time before another", () => {
  it("is the last one that the rule has before it", () => {
    const rule = fc.oneof(
      fc.constantFrom(...RULES).map((text) => cron(text, { timeZone: "Europe/Berlin" })),
      fc.integer({ min: 1_000, max: 40 * 86_400_000 }).map((ms) => every(ms)),
    );
    fc.assert(
      fc.property(rule, fc.integer({ min: 0, max: 400 * 86_400_000 }), (schedule, after) => {
        const first = schedule.nextAfter(START + after) as number;
        const second = schedule.nextAfter(first) as number;
        expect(previousFireTime(schedule, second)).toBe(first);
      }),
      { numRuns: sampled(300) },
    );
  });

  it("of a rule that begins with it, or has none, is none", () => {
    const schedule = { nextAfter: (at: number) => (at < START ? START : null) };
    expect(previousFireTime(schedule, START)).toBeNull();
    expect(previousFireTime(manual(), START)).toBeNull();
  });
});
