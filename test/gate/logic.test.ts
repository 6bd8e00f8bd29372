import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decide, type Gate, holdReason } from "../../src/gate/decide.js";
import { evaluate, inOrder } from "../../src/gate/evaluate.js";
import type { Finding } from "../../src/gate/finding.js";
import { allOf, anyOf, type Condition, type ConditionContext, condition, not } from "../../src/index.js";

const NOW = 1_000_000;
const context: ConditionContext = {
  now: NOW,
  pipelineId: "a",
  trigger: { id: "t", kind: "manual", scheduledFor: null, parameters: null },
  history: { lastSuccessAt: async () => null, countRuns: async () => 0, countWaiting: async () => 0 },
  signal: new AbortController().signal,
  clock: { now: () => NOW, sleep: async () => {} },
  measure: async () => {
    throw new Error("no probes here");
  },
  observe: async () => {
    throw new Error("no probes here");
  },
};

type Formula = boolean | { readonly all: readonly Formula[] } | { readonly any: readonly Formula[] } | { readonly not: Formula };
const formula = fc.letrec<{ node: Formula }>((tie) => ({
  node: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.boolean(),
    fc.record({ all: fc.array(tie("node"), { minLength: 1, maxLength: 3 }) }),
    fc.record({ any: fc.array(tie("node"), { minLength: 1, maxLength: 3 }) }),
    fc.record({ not: tie("node") }),
  ),
})).node;

function build(of: Formula, isAsync: boolean): Condition {
  if (typeof of === "boolean") return condition("leaf", () => (isAsync ? Promise.resolve(of) : of));
  if ("all" in of) return allOf(...of.all.map((one) => build(one, isAsync)));
  if ("any" in of) return anyOf(...of.any.map((one) => build(one, !isAsync)));
  return not(build(of.not, isAsync));
}

function truth(of: Formula): boolean {
  if (typeof of === "boolean") return of;
  if ("all" in of) return of.all.every(truth);
  return "any" in of ? of.any.some(truth) : !truth(of.not);
}

describe("allOf, anyOf and not", () => {
  it("follow logic, with and without promises", async () => {
    await fc.assert(
      fc.asyncProperty(formula, fc.boolean(), async (of, isAsync) => {
        expect((await build(of, isAsync).evaluate(context)).result).toBe(truth(of) ? "pass" : "block");
      }),
      { numRuns: 300 },
    );
  });

  it("let one bad part count as its own onError says", async () => {
    const bad = condition("bad", () => Promise.reject(new Error("down")), { onError: "pass" });
    const worse = condition("worse", () => {
      throw new Error("down");
    });
    expect((await anyOf(worse, bad).evaluate(context)).result).toBe("pass");
    expect((await allOf(bad, worse).evaluate(context)).result).toBe("block");
  });

  it("know when to look again as soon as their parts do", async () => {
    const later = (at: number) => condition(`at ${at}`, () => ({ result: "block", reason: "not yet", recheckAt: at }));
    const blind = condition("blind", () => false);
    expect((await allOf(later(5), later(9)).evaluate(context)).recheckAt).toBe(9);
    expect((await anyOf(later(5), later(9)).evaluate(context)).recheckAt).toBe(5);
    expect((await allOf(later(5), blind).evaluate(context)).recheckAt).toBeUndefined();
    expect((await anyOf(later(5), blind).evaluate(context)).recheckAt).toBe(5);
  });
});

const gateOf = (conditions: readonly Condition[], onBlock: Gate["onBlock"] = "skip"): Gate => ({
  conditions: inOrder(conditions),
  onBlock,
  holdForMs: 3_600_000,
  recheckIntervalMs: 900_000,
});

describe("a gate's evaluation", () => {
  it("asks by tier and reports the tiers after a block as not evaluated", () => {
    const asked: string[] = [];
    const make = (name: string, needs: "time" | "history" | "outside", answer: boolean) =>
      condition(name, () => asked.push(name) > 0 && answer, { needs });
    const gate = gateOf([
      make("net", "outside", true),
      make("past", "history", false),
      make("clock", "time", true),
      make("past 2", "history", true),
    ]);
    const findings = evaluate(gate, context, (_, work) => work(context.signal)) as Finding[];
    expect(findings.map(({ condition: name, result }) => `${name} ${result}`)).toEqual([
      "clock pass",
      "past block",
      "past 2 pass",
      "net not_evaluated",
    ]);
    expect(asked).toEqual(["clock", "past", "past 2"]);
  });

  it("makes an answer that is none a finding that says so", () => {
    const odd = condition("odd", (() => "yes") as never);
    const [finding] = evaluate(gateOf([odd]), context, (_, work) => work(context.signal)) as Finding[];
    expect(finding).toMatchObject({ result: "block", reason: expect.stringContaining('answered "yes" instead of') });
  });
});

describe("decide", () => {
  const finding = (result: Finding["result"], recheckAt?: number): Finding => ({
    condition: "x",
    result,
    reason: "y",
    ...(recheckAt === undefined ? {} : { recheckAt }),
  });
  const two = gateOf([condition("a", () => true), condition("b", () => true)], "hold");

  it("runs when nothing blocks, skips when one that skips blocks, holds else", () => {
    expect(decide(two, [finding("pass"), finding("pass")], NOW).outcome).toBe("run");
    expect(decide(two, [finding("pass"), finding("block")], NOW).outcome).toBe("hold");
    const mixed = gateOf([condition("a", () => true, { onBlock: "skip" }), condition("b", () => true)], "hold");
    expect(decide(mixed, [finding("block"), finding("pass")], NOW).outcome).toBe("skip");
    expect(decide(mixed, [finding("pass"), finding("block")], NOW).outcome).toBe("hold");
  });

  it("looks again when the last that knows says, else after the interval", () => {
    expect(decide(two, [finding("block", NOW + 5), finding("block", NOW + 9)], NOW).recheckAt).toBe(NOW + 9);
    expect(decide(two, [finding("block", NOW + 5), finding("block")], NOW).recheckAt).toBe(NOW + 900_000);
    expect(decide(two, [finding("block", NOW - 5), finding("pass")], NOW).recheckAt).toBe(NOW + 900_000);
  });

  it("says when a hold is looked at again and given up, and never of a look that will not come", () => {
    const { holdForMs } = two;
    const inAn = (ms: number) => new Date(NOW + ms).toISOString().replace(".000Z", "Z");
    expect(decide(two, [finding("block", NOW + 5_000)], NOW).reason).toBe(
      `x: y; looked at again ${inAn(5_000)}, and given up ${inAn(holdForMs)} if it is still held`,
    );
    const late = decide(two, [finding("block", NOW + 5_000)], NOW, NOW + 2_000);
    expect(late.reason).toBe(`x: y; given up ${inAn(2_000)}, before it would be looked at again`);
    expect(late.expiresAt).toBe(NOW + 2_000);
    expect(holdReason(late.reason)).toBe("x: y");
    expect(holdReason("x: y; z; looked at again 2026-03-02T00:15:00Z, given up after 1d")).toBe("x: y; z");
  });
});
