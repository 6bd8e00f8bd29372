import { isoUtc } from "../../base/instant.js";
import type { Condition } from "../../gate/condition.js";
import { decide } from "../../gate/decide.js";
import type { DecisionRecord, Finding } from "../../gate/finding.js";
import type { Pipeline } from "../../pipeline/pipeline.js";
import type { OpenMatter } from "../../ports/scheduler-api/explanation.js";
import type { TriggerRecord } from "../../trigger/trigger.js";
import type { GateEvaluator } from "../gating/gate-evaluator.js";

/** A gate at an instant to come. `blocked`: it is held or skipped, and does not run; `open`: some conditions cannot be known. */
export interface ProjectedGate {
  readonly outcome: "run" | "hold" | "skip" | "blocked" | "open";
  readonly reason: string;
  /** For `hold`, epoch ms; `null` when a run before may change it. */
  readonly recheckAt: number | null;
  readonly findings: readonly Finding[];
  readonly open: readonly OpenMatter[];
}

/** The part of a trigger that conditions may look at. */
export type Judged = Pick<TriggerRecord, "id" | "kind" | "scheduledFor" | "parameters">;

export interface GateQuestion {
  readonly at: number;
  readonly now: number;
  readonly trigger: Judged;
  /** True while no run of the pipeline can start or end before the instant: conditions on its own runs are certain. */
  readonly isHistoryKnown: boolean;
  /** The newest decision that holds a trigger of the pipeline. */
  readonly held: DecisionRecord | null;
}

/** Returns true if a trigger of the pipeline can be held. */
export function canHold({ gate }: Pipeline): boolean {
  return gate.conditions.some(({ onBlock }) => (onBlock ?? gate.onBlock) === "hold");
}

/**
 * Evaluates a gate for an instant to come as far as it is certain: conditions that need only the time; conditions on the pipeline's own runs, which block for certain when what is known now blocks,
 * and pass for certain when no run comes before.
 */
export async function projectGate(gates: GateEvaluator, pipeline: Pipeline, question: GateQuestion): Promise<ProjectedGate> {
  const { at, trigger, isHistoryKnown } = question;
  const { gate } = pipeline;
  const evaluated = async (conditions: readonly Condition[]): Promise<readonly Finding[]> =>
    conditions.length === 0 ? [] : gates.ask({ ...pipeline, gate: { ...gate, conditions } }, trigger, at);
  const timed = gate.conditions.filter(({ needs }) => needs === "time");
  const own = gate.conditions.filter(({ readsOwnRuns }) => readsOwnRuns === true);
  const known = new Map<Condition, Finding>();
  for (const [index, finding] of (await evaluated(timed)).entries()) known.set(timed[index] as Condition, finding);
  const isBlockedByTime = [...known.values()].some(({ result }) => result === "block");
  if (!isBlockedByTime) {
    for (const [index, finding] of (await evaluated(own)).entries())
      if (isHistoryKnown || finding.result === "block") known.set(own[index] as Condition, finding);
  }
  const isBlocked = [...known.values()].some(({ result }) => result === "block");
  const unknown = gate.conditions.filter((one) => !known.has(one) && !(isBlocked && isBeyond(one, isBlockedByTime)));
  const findings = gate.conditions.map(
    (one): Finding => known.get(one) ?? { condition: one.name, result: "not_evaluated", reason: whyUnknown(one, question, isBlocked) },
  );
  const open = unknown.map((one): OpenMatter => ({ kind: "condition", name: one.name, reason: whyOpen(one, question) }));
  const rest = { findings, open, recheckAt: null };
  if (!isBlocked && unknown.length > 0) return { ...rest, outcome: "open", reason: open.map(({ reason }) => reason).join("; ") };
  const certain = gate.conditions.filter((one) => known.has(one));
  const { outcome, reason, recheckAt } = decide(
    { ...gate, conditions: certain },
    certain.map((one) => known.get(one) as Finding),
    at,
  );
  if (outcome === "run") return { ...rest, outcome, reason: reasonToRun(certain.length) };
  if (outcome === "skip") return { ...rest, outcome, reason };
  const mayBeSkipped = unknown.some(({ onBlock }) => (onBlock ?? gate.onBlock) === "skip");
  if (mayBeSkipped) return { ...rest, outcome: "blocked", reason };
  const isEarlier = gate.conditions.some(({ watches }) => watches !== undefined) && findings.some(isUndated);
  const isLasting = unknown.length === 0 && (isBlockedByTime || isHistoryKnown) && !isEarlier;
  return { ...rest, outcome, reason, recheckAt: isLasting ? recheckAt : null };
}

/** A block that does not say when it ends: it may be over when something else has the trigger looked at again. */
function isUndated({ result, recheckAt }: Finding): boolean {
  return result === "block" && recheckAt === undefined;
}

/** Conditions of a later tier are not evaluated once an earlier one blocks. */
function isBeyond({ needs }: Condition, isBlockedByTime: boolean): boolean {
  return isBlockedByTime ? needs !== "time" : needs === "outside";
}

function reasonToRun(count: number): string {
  if (count === 0) return "it has no conditions";
  return count === 1 ? "its condition holds" : `all ${count} conditions hold`;
}

function whyUnknown({ needs }: Condition, { now }: GateQuestion, isBlocked: boolean): string {
  if (isBlocked) return "an earlier condition blocks";
  return needs === "history" ? `depends on runs after ${isoUtc(now)}` : `cannot be known at ${isoUtc(now)}`;
}

/** Names what a condition found when it held a trigger the last time. */
function whyOpen(condition: Condition, { held }: GateQuestion): string {
  const { name, needs } = condition;
  const why = needs === "history" ? "depends on runs until then" : "is not known before";
  const last = held?.findings.find((one) => one.condition === name);
  if (held === null || last === undefined || last.result !== "block") return `${name} ${why}`;
  const whose = held.scheduledFor === null ? `the ${held.kind} trigger` : `the ${held.kind} trigger for ${isoUtc(held.scheduledFor)}`;
  return `${name} ${why}; it blocked at ${isoUtc(held.repeated?.lastAt ?? held.at)} (${last.reason}) and holds ${whose}`;
}
