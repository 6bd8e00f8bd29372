import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { countsOf, excessOf, type PipelineHistory } from "../../src/trigger/retention.js";

const LOOKED_AT = 5;

/** The records left when steps follow each other until there is nothing to do, each seeing the largest few pipelines. */
function pruned(
  kept: readonly number[],
  count: number,
  countPerPipeline: number | null,
  limit: number,
): { kept: number[]; largestStep: number } {
  const left = [...kept];
  let largestStep = 0;
  for (;;) {
    const rows = left
      .map((one, index): PipelineHistory => ({ pipelineId: String(index), kept: one }))
      .filter((one) => one.kept > 0)
      .toSorted((a, b) => b.kept - a.kept);
    const total = left.reduce((sum, one) => sum + one, 0);
    const losses = excessOf(
      rows.slice(0, LOOKED_AT),
      rows.length > LOOKED_AT,
      total,
      { count, countPerPipeline, maxAgeMs: Number.POSITIVE_INFINITY },
      limit,
    );
    if (losses.length === 0) return { kept: left, largestStep };
    let step = 0;
    for (const { pipelineId, excess } of losses) {
      expect(excess).toBeGreaterThan(0);
      left[Number(pipelineId)] = (left[Number(pipelineId)] ?? 0) - excess;
      step += excess;
    }
    largestStep = Math.max(largestStep, step);
  }
}

describe("what pipelines lose beyond the retention", () => {
  it("is what is beyond the counts and no more, and first of those that have most", () => {
    const sizes = fc.array(fc.nat(400), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(sizes, fc.nat(1_500), fc.option(fc.nat(300)), fc.integer({ min: 1, max: 200 }), (kept, count, most, limit) => {
        const { kept: left, largestStep } = pruned(kept, count, most, limit);
        const total = left.reduce((sum, one) => sum + one, 0);
        const capped = kept.map((one) => Math.min(one, most ?? one));
        expect(total).toBe(
          Math.min(
            count,
            capped.reduce((sum, one) => sum + one, 0),
          ),
        );
        expect(largestStep).toBeLessThanOrEqual(limit);
        const level = Math.max(...left);
        for (const [index, one] of left.entries()) {
          expect(one).toBeLessThanOrEqual(capped[index] ?? 0);
          const slack = Math.max(1, 0.1 * level);
          if (one < (capped[index] ?? 0)) expect(one).toBeGreaterThanOrEqual(Math.floor(level - slack) - 1);
        }
      }),
    );
  });

  it("refuses counts that are none", () => {
    expect(countsOf({}, { count: 7 }, "retention")).toEqual({ count: 7, countPerPipeline: null });
    expect(() => countsOf({ count: 1.5 }, { count: 7 }, "retention")).toThrow("retention.count: must be an integer ≥ 0 (got 1.5)");
    expect(() => countsOf({ countPerPipeline: -1 }, { count: 7 }, "retention")).toThrow(
      "retention.countPerPipeline: must be an integer ≥ 0 (got -1)",
    );
  });
});
