import { messageOf } from "../base/errors.js";
import { isInteger } from "../base/options.js";
import { type Condition, type ConditionClock, type ConditionContext, findingOf, type PartFinding, type Verdict } from "./condition.js";
import type { Gate } from "./decide.js";

/** Context shared by the conditions of a gate; each has its own signal. */
export interface GateContext extends Omit<ConditionContext, "signal" | "recheckIntervalMs" | "evaluate"> {
  /** Reports what a condition, or a part of one, has thrown. */
  onError?(condition: Condition, error: unknown): void;
}

/** Runs one condition within its timeout; a parameter, since a pure folder sets no timers. */
export type Guard = (condition: Condition, work: (signal: AbortSignal) => Verdict | Promise<Verdict>) => Verdict | Promise<Verdict>;

const ORDER = { time: 0, history: 1, outside: 2 } as const;

/** Conditions in the order they are asked: cheap ones first. */
export function inOrder(conditions: readonly Condition[]): readonly Condition[] {
  return [...conditions].sort((a, b) => ORDER[a.needs] - ORDER[b.needs]);
}

/**
 * Evaluates a gate's conditions, tier by tier (time, own history, external): all of a tier are evaluated, and once one has blocked,
 * the later tiers are reported as `not_evaluated`. Answers at once, without a promise, when no condition gave one.
 */
export function evaluate(gate: Gate, context: GateContext, guard: Guard): PartFinding[] | Promise<PartFinding[]> {
  const { conditions, recheckIntervalMs } = gate;
  const findings: PartFinding[] = [];
  let index = 0;
  const walk = (): PartFinding[] | Promise<PartFinding[]> => {
    while (index < conditions.length) {
      const { needs } = conditions[index] as Condition;
      const tier: Condition[] = [];
      while (conditions[index]?.needs === needs) tier.push(conditions[index++] as Condition);
      if (findings.some(({ result }) => result === "block")) {
        for (const one of tier) findings.push({ condition: one.name, result: "not_evaluated", reason: "an earlier condition blocks" });
        continue;
      }
      const answers = tier.map((one) => ask(one, { ...context, recheckIntervalMs }, guard));
      if (answers.some((answer) => answer instanceof Promise)) {
        return Promise.all(answers).then((found) => {
          findings.push(...found);
          return walk();
        });
      }
      findings.push(...(answers as PartFinding[]));
    }
    return findings;
  };
  return walk();
}

function ask(
  condition: Condition,
  context: GateContext & Pick<ConditionContext, "recheckIntervalMs">,
  guard: Guard,
): PartFinding | Promise<PartFinding> {
  const failed = (error: unknown): PartFinding => {
    context.onError?.(condition, error);
    const result = condition.onError ?? "block";
    const problem = messageOf(error);
    return {
      condition: condition.name,
      result,
      reason: `could not be evaluated (${problem.slice(0, 300)}), which counts as ${result}`,
      evidence: { error: problem.slice(0, 1_000) },
    };
  };
  try {
    const clockOf = (signal: AbortSignal): ConditionClock => ({
      now: () => context.clock.now(),
      sleep: (length, own = signal) => context.clock.sleep(length, own),
    });
    const evaluate = (part: Condition) => ask(part, context, guard);
    const verdict = guard(condition, (signal) => condition.evaluate({ ...context, signal, clock: clockOf(signal), evaluate }));
    if (verdict instanceof Promise) return verdict.then((value) => checked(condition, value)).catch(failed);
    return checked(condition, verdict);
  } catch (error) {
    return failed(error);
  }
}

function checked(condition: Condition, verdict: Verdict): PartFinding {
  if (typeof verdict !== "object" || verdict === null || (verdict.result !== "pass" && verdict.result !== "block")) {
    throw new Error(`the condition returned ${JSON.stringify(verdict) ?? "nothing"} instead of a boolean or a verdict`);
  }
  for (const limit of verdict.limits ?? []) {
    const { count, periodMs } = limit ?? {};
    if (!isInteger(count, { least: 1 }) || !isInteger(periodMs, { least: 1 }))
      throw new Error(`the condition returned the limit ${JSON.stringify(limit)}; count and periodMs must be integers ≥ 1`);
  }
  return findingOf(condition, verdict);
}
