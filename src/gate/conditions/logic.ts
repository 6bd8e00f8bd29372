import { HeadgateError, messageOf } from "../../base/errors.js";
import { invalidArgument } from "../../base/options.js";
import { inheritingZone, inheritsZone, inZone } from "../../schedule/inherited-zone.js";
import { type Condition, type ConditionContext, type ConditionNeeds, checkCondition, findingOf, type Verdict } from "../condition.js";
import type { Finding } from "../finding.js";

/**
 * Passes when every one of its conditions passes.
 *
 * @throws HeadgateError `INVALID_ARGUMENT` when none is given
 */
export function allOf(...conditions: readonly Condition[]): Condition {
  return combined("all of", conditions, (findings) => {
    const blocking = findings.filter(({ result }) => result === "block");
    if (blocking.length === 0) return { result: "pass", reason: `all ${findings.length} pass` };
    return { result: "block", reason: reasons(blocking), ...lookAgain(blocking, "last") };
  });
}

/**
 * Passes when at least one of its conditions passes.
 *
 * @throws HeadgateError `INVALID_ARGUMENT` when none is given
 * @example
 * anyOf(stale({ olderThan: "6h" }), succeeded("extract", { within: "1h" }));
 */
export function anyOf(...conditions: readonly Condition[]): Condition {
  return combined("any of", conditions, (findings) => {
    const passing = findings.filter(({ result }) => result === "pass");
    if (passing.length > 0) return { result: "pass", reason: reasons(passing) };
    return { result: "block", reason: reasons(findings), ...lookAgain(findings, "first") };
  });
}

/** Passes when its condition blocks, and blocks when it passes. */
export function not(condition: Condition): Condition {
  return combined("not", [condition], ([finding]) => {
    const { result, reason } = finding as Finding;
    return { result: result === "block" ? "pass" : "block", reason: `not: ${reason}` };
  });
}

function combined(word: string, conditions: readonly Condition[], judge: (findings: readonly Finding[]) => Verdict): Condition {
  if (conditions.length === 0) throw new HeadgateError("INVALID_ARGUMENT", `${word}: give at least one condition`);
  for (const one of conditions) checkCondition(one, null, invalidArgument(word));
  const withEvidence = (findings: readonly Finding[]): Verdict => ({ ...judge(findings), evidence: { findings } });
  const made: Condition = {
    name: `${word} (${conditions.map(({ name }) => name).join(", ")})`,
    needs: strongest(conditions),
    watches: {
      pipelines: conditions.flatMap(({ watches }) => watches?.pipelines ?? []),
      probes: conditions.flatMap(({ watches }) => watches?.probes ?? []),
    },
    timeoutMs: Math.max(...conditions.map(({ timeoutMs }) => timeoutMs ?? 10_000)),
    evaluate: (context) => {
      const found = conditions.map((one) => ask(one, context));
      return found.some((one) => one instanceof Promise) ? Promise.all(found).then(withEvidence) : withEvidence(found as Finding[]);
    },
  };
  if (!conditions.some(inheritsZone)) return made;
  const parts = (timeZone: string) => conditions.map((one) => inZone(one, timeZone));
  return inheritingZone(made, (timeZone) => combined(word, parts(timeZone), judge));
}

/** A part that throws counts as its own `onError` says, so that one bad part does not decide for the others. */
function ask(condition: Condition, context: ConditionContext): Finding | Promise<Finding> {
  const failed = (error: unknown): Finding => {
    context.onError?.(condition, error);
    return {
      condition: condition.name,
      result: condition.onError ?? "block",
      reason: `could not be evaluated (${messageOf(error)})`.slice(0, 300),
    };
  };
  try {
    const verdict = condition.evaluate(context);
    return verdict instanceof Promise ? verdict.then((value) => findingOf(condition, value)).catch(failed) : findingOf(condition, verdict);
  } catch (error) {
    return failed(error);
  }
}

function strongest(conditions: readonly Condition[]): ConditionNeeds {
  if (conditions.some(({ needs }) => needs === "outside")) return "outside";
  return conditions.some(({ needs }) => needs === "history") ? "history" : "time";
}

function reasons(findings: readonly Finding[]): string {
  return findings.map(({ condition, reason }) => `${condition}: ${reason}`).join("; ");
}

function lookAgain(findings: readonly Finding[], when: "first" | "last"): Pick<Verdict, "recheckAt"> {
  const known = findings.flatMap(({ recheckAt }) => (recheckAt === undefined ? [] : [recheckAt]));
  if (known.length === 0 || (when === "last" && known.length < findings.length)) return {};
  return { recheckAt: when === "last" ? Math.max(...known) : Math.min(...known) };
}
