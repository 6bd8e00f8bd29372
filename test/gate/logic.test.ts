import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decide, type Gate, holdReason } from "../../src/gate/decide.js";
import { evaluate, type GateContext, type Guard, inOrder } from "../../src/gate/evaluate.js";
import type { Finding } from "../../src/gate/finding.js";
import { recordable } from "../../src/gate/start-limit.js";
import { allOf, anyOf, businessDay, type Condition, condition, maintenanceWindow, not } from "../../src/index.js";
import { sampled } from "../support/sampled.js";

const NOW = 1_000_000;
const context: GateContext = {
  now: NOW,
  pipelineId: "a",
  trigger: { id: "t", kind: "manual", scheduledFor: null, parameters: null },
  history: {
    lastSuccessAt: async () => null,
    countRuns: async () => 0,
    recentStarts: async () => ({ count: 0, oldestAt: null }),
    countWaiting: async () => 0,
  },
  clock: { now: () => NOW, sleep: async () => {} },
  measure: async () => {
    throw new Error("no probes here");
  },
  observe: async () => {
    throw new Error("no probes here");
  },
};

const guard: Guard = (one, work) => {
  const verdict = work(new AbortController().signal);
  return one.timeoutMs === 1 && one.parts === undefined ? Promise.reject(new Error("no response within 1ms")) : verdict;
};

/** The finding of a gate with one condition. */
async function findingOf(one: Condition): Promise<Finding> {
  const [finding] = await evaluate(gateOf([one]), context, guard);
  return finding as Finding;
}

/** The decision of a gate with one condition. */
async function outcomeOf(one: Condition, onBlock: Gate["onBlock"]) {
  const gate = gateOf([one], onBlock);
  return decide(gate, await evaluate(gate, context, guard), NOW);
}

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
        expect((await findingOf(build(of, isAsync))).result).toBe(truth(of) ? "pass" : "block");
      }),
      { numRuns: sampled(300) },
    );
  });

  it("let one bad part count as its own onError says", async () => {
    const bad = condition("bad", () => Promise.reject(new Error("down")), { onError: "pass" });
    const worse = condition("worse", () => {
      throw new Error("down");
    });
    expect((await findingOf(anyOf(worse, bad))).result).toBe("pass");
    expect((await findingOf(allOf(bad, worse))).result).toBe("block");
  });

  it("know when to look again as soon as their parts do", async () => {
    const later = (afterMs: number, result: "block" | "pass" = "block") =>
      condition(`after ${afterMs}`, () => ({ result, reason: "not yet", recheckAt: NOW + afterMs }));
    const blind = (answer: boolean) => condition("blind", () => answer);
    const interval = 900_000;
    const recheckIn = async (one: Condition) => {
      const { recheckAt } = await findingOf(one);
      return recheckAt === undefined ? undefined : recheckAt - NOW;
    };
    expect(await recheckIn(allOf(later(5), later(9), later(99, "pass")))).toBe(9);
    expect(await recheckIn(anyOf(later(5), later(9)))).toBe(5);
    expect(await recheckIn(allOf(later(5), blind(false))), "cannot pass before the other does").toBe(interval);
    expect(await recheckIn(allOf(later(2 * interval), blind(false)))).toBe(2 * interval);
    expect(await recheckIn(anyOf(later(5), blind(false)))).toBe(5);
    expect(await recheckIn(anyOf(later(2 * interval), blind(false))), "the other may pass sooner").toBe(interval);
    expect(await recheckIn(allOf(blind(false)))).toBeUndefined();
    expect(await recheckIn(not(later(7, "pass")))).toBe(7);
    expect(await recheckIn(not(allOf(later(7, "pass"), later(3, "pass")))), "blocks until one of them does").toBe(3);
    expect(await recheckIn(not(anyOf(later(7, "pass"), later(3, "pass"), later(1))))).toBe(7);
    expect(await recheckIn(not(not(later(7))))).toBe(7);
  });

  it("know when conditions that depend on the time alone change, and pass that on", async () => {
    const until = (iso: string) => ({ from: new Date(NOW - 1), until: iso });
    const inside = maintenanceWindow(until("2026-01-01"));
    const before = maintenanceWindow({ from: "2026-01-01", until: "2026-01-02" });
    const recheckAt = async (one: Condition) => new Date((await findingOf(one)).recheckAt ?? 0).toISOString().slice(0, 10);
    expect(await recheckAt(not(before))).toBe("2026-01-01");
    expect(await recheckAt(not(not(inside)))).toBe("2026-01-01");
    expect(await recheckAt(allOf(not(before), inside, not(maintenanceWindow({ from: "2026-03-01", until: "2026-03-02" }))))).toBe(
      "2026-03-01",
    );
    expect(await recheckAt(anyOf(not(before), not(maintenanceWindow({ from: "2025-03-01", until: "2026-03-02" }))))).toBe("2025-03-01");
    expect(await recheckAt(not(businessDay({ timeZone: "UTC" })))).toBe("1970-01-03");
    expect(await recheckAt(not(allOf(businessDay({ timeZone: "UTC" }), before)))).toBe("1970-01-03");
  });

  it("keep each part's timeout, onError and evidence, however deep", async () => {
    const hanging = (onError: "pass" | "block") => condition("hanging", () => new Promise<boolean>(() => {}), { onError, timeout: 1 });
    const open = condition("open", () => ({ result: "pass", reason: "it is open", evidence: { door: 1 } }));
    expect(await findingOf(hanging("pass"))).toMatchObject({ result: "pass" });
    expect(await findingOf(allOf(hanging("pass"), open))).toMatchObject({ result: "pass" });
    expect(await findingOf(anyOf(hanging("block"), open))).toMatchObject({
      result: "pass",
      evidence: {
        findings: [
          {
            condition: "hanging",
            result: "block",
            reason: expect.stringContaining("no response within 1ms"),
            evidence: { error: expect.any(String) },
          },
          { condition: "open", result: "pass", evidence: { door: 1 } },
        ],
      },
    });
    expect(await findingOf(allOf(anyOf(hanging("block"), allOf(hanging("pass"), open)), not(hanging("block"))))).toMatchObject({
      result: "pass",
    });
    expect(await findingOf(anyOf(condition("odd", (() => "yes") as never), open))).toMatchObject({ result: "pass" });
  });

  it("keep each part's onBlock: all of them skip when one that blocks says so, any of them holds when one says so", async () => {
    const closed = (onBlock?: "skip" | "hold") => condition(`closed ${onBlock}`, () => false, onBlock === undefined ? {} : { onBlock });
    const open = condition("open", () => true, { onBlock: "skip" });
    const outcomes = async (one: Condition) => [(await outcomeOf(one, "skip")).outcome, (await outcomeOf(one, "hold")).outcome].join(" ");
    expect(await outcomes(allOf(closed("hold"), open))).toBe("hold hold");
    expect(await outcomes(allOf(closed("hold"), closed("skip")))).toBe("skip skip");
    expect(await outcomes(allOf(closed("hold"), closed()))).toBe("skip hold");
    expect(await outcomes(anyOf(closed("hold"), closed("skip")))).toBe("hold hold");
    expect(await outcomes(anyOf(closed("skip"), closed()))).toBe("skip hold");
    expect(await outcomes(anyOf(closed("skip"), closed("skip")))).toBe("skip skip");
    expect(await outcomes(not(condition("open", () => true, { onBlock: "hold" })))).toBe("hold hold");
    expect(await outcomes(allOf(anyOf(closed("hold"), closed()), open)), "nested").toBe("hold hold");
  });

  it("are maintenance when all of it, or any of it, is", () => {
    const window = maintenanceWindow({ from: new Date(5), until: new Date(9) });
    const other = maintenanceWindow({ from: new Date(8), until: new Date(12) });
    const plain = condition("plain", () => true);
    const at = (one: Condition) => [4, 6, 8, 10].filter((now) => one.isMaintenanceAt?.(now));
    expect(at(allOf(window, plain))).toEqual([6, 8]);
    expect(at(allOf(window, other))).toEqual([6, 8, 10]);
    expect(at(anyOf(window, other))).toEqual([8]);
    expect(at(anyOf(window, plain)), "the plain one may let it run").toEqual([]);
    expect(at(allOf(anyOf(window, other), plain))).toEqual([8]);
    expect(at(not(window)), "a window to run in").toEqual([]);
  });

  it("rest on the limits of the parts that let it pass", async () => {
    const limited = (name: string, count: number, answer = true) =>
      condition(name, () => ({ result: answer ? "pass" : "block", reason: "so", limits: answer ? [{ count, periodMs: 10 }] : [] }));
    const open = condition("open", () => true);
    const counts = async (one: Condition) => (await outcomeOf(one, "skip")).limits.map(({ count }) => count);
    expect(await counts(allOf(limited("a", 1), open, limited("b", 2)))).toEqual([1, 2]);
    expect(await counts(anyOf(limited("a", 1), open)), "the other lets it run without a limit").toEqual([]);
    expect(await counts(anyOf(limited("a", 1, false), limited("b", 2), limited("c", 3)))).toEqual([2]);
    expect(await counts(not(limited("a", 1, false)))).toEqual([]);
    expect(await counts(allOf(anyOf(limited("a", 1)), open))).toEqual([1]);
    expect(JSON.stringify(recordable([await findingOf(allOf(limited("a", 1)))]))).not.toContain("limits");
    const odd = condition("odd", () => ({ result: "pass", reason: "so", limits: [{ count: 0, periodMs: 10 }] }));
    expect(await findingOf(odd)).toMatchObject({
      result: "block",
      reason: expect.stringContaining("count and periodMs must be integers ≥ 1"),
    });
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
    const findings = evaluate(gate, context, guard) as Finding[];
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
    const [finding] = evaluate(gateOf([odd]), context, guard) as Finding[];
    expect(finding).toMatchObject({ result: "block", reason: expect.stringContaining('returned "yes" instead of') });
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

  it("says when a hold is checked again and when it expires, and never of a check that will not come", () => {
    const { holdForMs } = two;
    const inAn = (ms: number) => new Date(NOW + ms).toISOString().replace(".000Z", "Z");
    expect(decide(two, [finding("block", NOW + 5_000)], NOW).reason).toBe(
      `x: y; next check at ${inAn(5_000)}; it expires at ${inAn(holdForMs)} if it is still held then`,
    );
    const late = decide(two, [finding("block", NOW + 5_000)], NOW, NOW + 2_000);
    expect(late.reason).toBe(`x: y; it expires at ${inAn(2_000)}, before the next check`);
    expect(late.expiresAt).toBe(NOW + 2_000);
    expect(holdReason(late.reason)).toBe("x: y");
    const byVersion010 = [
      "looked at again 2026-03-02T00:15:00Z, and given up 2026-03-03T00:00:00Z if it is still held",
      "given up 2026-03-03T00:00:00Z, before it would be looked at again",
    ];
    for (const end of byVersion010) expect(holdReason(`x: y; z; ${end}`)).toBe("x: y; z");
    expect(holdReason("x: y; z; next check at 2026-03-02T00:15:00Z; it expires at 2026-03-03T00:00:00Z if it is still held then")).toBe(
      "x: y; z",
    );
  });
});
