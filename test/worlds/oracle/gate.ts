import { signalAt } from "../random.js";
import type { ConditionSpec, PipelineSpec } from "../spec.js";
import { changesAfter, covers } from "./calendar.js";

/** How long a probe's value is shared between conditions, ms. */
const SHARED_MS = 5_000;

/** What the oracle knows of runs. At an instant itself, what comes first is not known: both ends are asked for. */
export interface Past {
  /** When the last success of a pipeline ended, before an instant, or (`isIncluded`) no later than it. */
  lastSuccess(pipelineId: string, at: number, isIncluded: boolean): number | null;
  /** Starts of a pipeline's runs in (from, to), or (`isIncluded`) in (from, to], oldest first. */
  starts(pipelineId: string, from: number, to: number, isIncluded: boolean): readonly number[];
}

export type Result = "pass" | "block" | "either" | "not_evaluated";

/** Conditions that may or may not know when to look again: the documentation leaves it to them. */
export interface Knows {
  readonly max: boolean;
  readonly not: boolean;
}

interface Verdict {
  readonly result: Exclude<Result, "not_evaluated">;
  /** When to look again, if it blocks and knows. */
  readonly recheckAt: number | null;
  /** How long it takes to answer, ms. */
  readonly takes: number;
}

export interface GateResult {
  /** In the order of the gate. */
  readonly findings: readonly { readonly spec: ConditionSpec; readonly result: Result }[];
  /** `null`: what happens at that very instant decides. */
  readonly outcome: "run" | "skip" | "hold" | null;
  readonly takes: number;
  /** When a hold is looked at again; `null` after the recheck interval. */
  readonly recheckAt: number | null;
}

interface Question {
  readonly seed: number;
  readonly pipelineId: string;
  readonly kind: string;
  readonly now: number;
  readonly past: Past;
  readonly knows: Knows;
  readonly recheckInterval: number;
}

/** What a gate should decide on a trigger that it is asked about at an instant. */
export function gateAt(pipeline: PipelineSpec, asked: Omit<Question, "recheckInterval">): GateResult {
  const question = { ...asked, recheckInterval: pipeline.recheckInterval };
  const findings: { spec: ConditionSpec; result: Result }[] = [];
  const verdicts: { spec: ConditionSpec; verdict: Verdict }[] = [];
  let takes = 0;
  let isBlocked = false;
  let isOpen = false;
  for (const needs of ["time", "history", "outside"] as const) {
    const tier = pipeline.conditions.filter((spec) => needsOf(spec) === needs);
    if (tier.length === 0) continue;
    if (isBlocked) {
      for (const spec of tier) findings.push({ spec, result: "not_evaluated" });
      continue;
    }
    const answered = tier.map((spec) => ({ spec, verdict: verdictOf(spec, question) }));
    takes += Math.max(...answered.map(({ verdict }) => verdict.takes));
    for (const { spec, verdict } of answered) findings.push({ spec, result: verdict.result });
    verdicts.push(...answered);
    isBlocked = answered.some(({ verdict }) => verdict.result === "block");
    isOpen ||= answered.some(({ verdict }) => verdict.result === "either");
  }
  const blocking = verdicts.filter(({ verdict }) => verdict.result === "block");
  const decidedAt = question.now + takes;
  const known = blocking.flatMap(({ verdict: { recheckAt } }) => (recheckAt !== null && recheckAt > decidedAt ? [recheckAt] : []));
  const policies = blocking.map(({ spec }) => ("onBlock" in spec ? spec.onBlock : null) ?? pipeline.onBlock);
  const outcome = policies.includes("skip") ? "skip" : isOpen ? null : blocking.length === 0 ? "run" : "hold";
  return { findings, outcome, takes, recheckAt: lastOf(known, blocking.length, decidedAt + pipeline.recheckInterval) };
}

export function needsOf(spec: ConditionSpec): "time" | "history" | "outside" {
  switch (spec.type) {
    case "window":
    case "business":
      return "time";
    case "stale":
    case "succeeded":
    case "max":
      return "history";
    case "custom":
    case "probe":
    case "hang":
      return "outside";
    case "not":
      return needsOf(spec.part);
    default: {
      const all = spec.parts.map(needsOf);
      return all.includes("outside") ? "outside" : all.includes("history") ? "history" : "time";
    }
  }
}

function verdictOf(spec: ConditionSpec, question: Question): Verdict {
  const { now, past, pipelineId, seed, knows } = question;
  const verdict = (result: Verdict["result"], recheckAt: number | null = null, takes = 0): Verdict => ({ result, recheckAt, takes });
  const between = (one: boolean, other: boolean): Verdict["result"] => (one === other ? (one ? "pass" : "block") : "either");
  switch (spec.type) {
    case "window":
      return covers(spec.calendar, now) ? verdict("block", changesAfter(spec.calendar, now)) : verdict("pass");
    case "business":
      return covers(spec.calendar, now) ? verdict("pass") : verdict("block", changesAfter(spec.calendar, now));
    case "stale": {
      if (question.kind === "backfill") return verdict("pass");
      const isOld = (last: number | null) => last === null || now - last > spec.olderThan;
      const last = past.lastSuccess(pipelineId, now, true);
      const result = between(isOld(past.lastSuccess(pipelineId, now, false)), isOld(last));
      return verdict(result, result === "block" && last !== null ? last + spec.olderThan + 1 : null);
    }
    case "succeeded": {
      const isRecent = (last: number | null) => last !== null && (spec.within === null || now - last <= spec.within);
      return verdict(
        between(isRecent(past.lastSuccess(spec.pipelineId, now, false)), isRecent(past.lastSuccess(spec.pipelineId, now, true))),
      );
    }
    case "max": {
      const before = past.starts(pipelineId, now - spec.period, now, false);
      const all = past.starts(pipelineId, now - spec.period, now, true);
      const result = between(before.length < spec.count, all.length < spec.count);
      const opens = all[all.length - spec.count];
      return verdict(result, result === "block" && knows.max && opens !== undefined ? opens + spec.period : null);
    }
    case "custom":
    case "probe": {
      const isGood = (at: number) => signalAt(seed, spec.name, spec.period, spec.share, at) || (spec.fails && spec.onError === "pass");
      return verdict(between(isGood(now), isGood(spec.type === "probe" ? now - SHARED_MS : now)));
    }
    case "hang":
      return verdict(spec.onError, null, spec.timeout);
    case "not":
      return negated(spec.part, verdictOf(spec.part, question), question);
    case "all":
    case "any":
      return combined(
        spec.type,
        spec.parts.map((part) => verdictOf(part, question)),
        now + question.recheckInterval,
      );
  }
}

function negated(part: ConditionSpec, { result, takes }: Verdict, { now, knows }: Question): Verdict {
  if (result !== "pass") return { result: result === "block" ? "pass" : "either", recheckAt: null, takes };
  const isKnown = knows.not && (part.type === "window" || part.type === "business");
  return { result: "block", recheckAt: isKnown ? changesAfter(part.calendar, now) : null, takes };
}

/** Nothing changes before the last of those that know, nor is there a look before the interval has passed if one does not. */
function lastOf(known: readonly number[], count: number, otherwiseAt: number): number | null {
  if (known.length === 0) return null;
  return Math.max(...known, known.length < count ? otherwiseAt : 0);
}

function combined(type: "all" | "any", parts: readonly Verdict[], otherwiseAt: number): Verdict {
  const takes = Math.max(...parts.map((one) => one.takes));
  const [decisive, other] = type === "all" ? (["block", "pass"] as const) : (["pass", "block"] as const);
  const result = parts.some((one) => one.result === decisive) ? decisive : parts.some((one) => one.result === "either") ? "either" : other;
  if (result !== "block") return { result, recheckAt: null, takes };
  const known = parts.flatMap((one) => (one.result === "block" && one.recheckAt !== null ? [one.recheckAt] : []));
  const blocking = parts.filter((one) => one.result === "block").length;
  if (type === "all") return { result, recheckAt: lastOf(known, blocking, otherwiseAt), takes };
  if (known.length === 0) return { result, recheckAt: null, takes };
  return { result, recheckAt: Math.min(...known, known.length < blocking ? otherwiseAt : Number.POSITIVE_INFINITY), takes };
}

/** Whether a condition that never answers is part of another. */
export function hasCombinedHang(spec: ConditionSpec, isPart = false): boolean {
  if (spec.type === "hang") return isPart;
  if (spec.type === "not") return hasCombinedHang(spec.part, true);
  return (spec.type === "all" || spec.type === "any") && spec.parts.some((part) => hasCombinedHang(part, true));
}
