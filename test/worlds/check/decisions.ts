import { type GateResult, hasCombinedHang, needsOf, type Result } from "../oracle/gate.js";
import type { SeenDecision } from "../seen.js";
import type { ConditionSpec, PipelineSpec } from "../spec.js";
import type { History } from "./history.js";
import { iso, type Report } from "./report.js";

/** Every decision has the findings and the outcome that the oracle finds. */
export function checkDecisions(history: History, report: Report): void {
  for (const decision of history.seen.decisions) {
    report.counts.decisions++;
    const trigger = decision.triggerId === null ? undefined : history.triggers.get(decision.triggerId);
    if (decision.triggerId === null) continue;
    if (trigger === undefined) {
      report.fail("records", decision.at, decision.pipelineId, `decision ${decision.id} is of a trigger that does not exist`);
      continue;
    }
    const pipeline = history.specAt(decision.pipelineId, decision.at);
    if (history.world.theme === "steps" && pipeline.conditions.some((spec) => needsOf(spec) === "history")) continue; // instants of the past were of another clock
    const check = isCombinedHang(pipeline)
      ? "combinators"
      : isAtEdge(pipeline.conditions, decision, history)
        ? "max-per-period"
        : "decisions";
    const fail = (text: string) =>
      report.fail(
        check,
        decision.at,
        decision.pipelineId,
        `decision at ${iso(decision.at)} (${decision.outcome}: ${decision.reason}) ${text}`,
      );
    if (trigger.kind === "immediate" || trigger.isForced) {
      if (decision.outcome !== "run" || decision.findings.some(({ result }) => result !== "not_evaluated"))
        fail("should bypass every condition");
      continue;
    }
    if (isOverlapSkip(decision, pipeline)) continue; // checked with the limits
    const expected = history.expected(decision);
    checkFindings(decision, expected, fail);
    if (expected.outcome !== null && expected.outcome !== decision.outcome) fail(`should be ${expected.outcome}`);
  }
}

/** Whether a run started exactly a period of `maxPerPeriod` before a decision: it counts no more. */
function isAtEdge(
  conditions: readonly ConditionSpec[],
  { pipelineId, at }: Pick<SeenDecision, "pipelineId" | "at">,
  history: History,
): boolean {
  return conditions.some((spec) => {
    if (spec.type === "not") return isAtEdge([spec.part], { pipelineId, at }, history);
    if (spec.type === "all" || spec.type === "any") return isAtEdge(spec.parts, { pipelineId, at }, history);
    return spec.type === "max" && history.starts(pipelineId, at - spec.period - 1, at - spec.period, true).length > 0;
  });
}

/** Whether a decision was made without asking the gate, since all runs were taken. */
export function isOverlapSkip({ outcome, findings, kind }: SeenDecision, { execution, conditions }: PipelineSpec): boolean {
  return outcome === "skip" && kind === "scheduled" && execution.overlap === "skip" && (findings.length === 0 || conditions.length === 0);
}

function isCombinedHang(pipeline: PipelineSpec): boolean {
  return pipeline.conditions.some((spec) => hasCombinedHang(spec));
}

function checkFindings({ findings }: SeenDecision, expected: GateResult, fail: (text: string) => void): void {
  if (findings.length !== expected.findings.length) {
    fail(`should have ${expected.findings.length} findings, not ${findings.length}`);
    return;
  }
  for (const [index, { spec, result }] of expected.findings.entries()) {
    const found = findings[index]?.result as Result;
    if (result !== "either" && found !== result && !isOpenBefore(expected, index))
      fail(`should find ${result} for ${nameOf(spec)}, not ${found}`);
  }
}

/** Whether something of an earlier tier may have gone either way, so that this one may not have been asked. */
function isOpenBefore({ findings }: GateResult, index: number): boolean {
  return findings.slice(0, index).some(({ result }) => result === "either");
}

function nameOf(spec: ConditionSpec): string {
  return "name" in spec ? spec.name : spec.type;
}
