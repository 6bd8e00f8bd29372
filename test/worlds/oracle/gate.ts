import { signalAt } from "../random.js";
import type { ConditionSpec, OnBlock, PipelineSpec } from "../spec.js";
import { changesAfter, covers } from "./calendar.js";

/** How long a probe's value is shared between conditions, ms. */
const SHARED_MS = 5_000;
/** A place of `maxPerPeriod` that is free so soon is waited for, whatever the policy is: at most this, and this part of the period. */
const SOON_MS = 60_000;
const SOON_PART = 1_000;

/** What the oracle knows of runs. At an instant itself, what comes first is not known: both ends are asked for. */
export interface Past {
  /** When the last success of a pipeline ended, before an instant, or (`isIncluded`) no later than it. */
  lastSuccess(pipelineId: string, at: number, isIncluded: boolean): number | null;
  /** Starts of a pipeline's runs in (from, to), or (`isIncluded`) in (from, to], oldest first. */
  starts(pipelineId: string, from: number, to: number, isIncluded: boolean): readonly number[];
}

export type Result = "pass" | "block" | "either" | "not_evaluated";

interface Verdict {
  readonly result: Exclude<Result, "not_evaluated">;
  /** When it can say something else, if it knows; Infinity: never. */
  readonly changesAt: number | null;
  /** An event at that very instant decides what it says, or when it can say something else. */
  readonly isVague: boolean;
  /** The meaning of its block; `null` leaves it to the pipeline. */
  readonly onBlock: OnBlock | null;
}

export interface GateResult {
  /** In the order of the gate. */
  readonly findings: readonly { readonly spec: ConditionSpec; readonly result: Result }[];
  /** `null`: what happens at that very instant decides. */
  readonly outcome: "run" | "skip" | "hold" | null;
  /** When a hold is looked at again; `null`: what happens at that very instant decides. */
  readonly recheckAt: number | null;
}

interface Question {
  readonly seed: number;
  readonly pipelineId: string;
  readonly kind: string;
  /** When the conditions are asked, and when all have answered. */
  readonly askedAt: number;
  readonly decidedAt: number;
  readonly past: Past;
}

interface Asked extends Question {
  readonly recheckInterval: number;
}

/** What a gate should decide on a trigger that it is asked about at an instant. */
export function gateAt(pipeline: PipelineSpec, question: Question): GateResult {
  const asked: Asked = { ...question, recheckInterval: pipeline.recheckInterval };
  const findings: { spec: ConditionSpec; result: Result }[] = [];
  const verdicts: { spec: ConditionSpec; verdict: Verdict }[] = [];
  for (const needs of TIERS) {
    const tier = pipeline.conditions.filter((spec) => needsOf(spec) === needs);
    if (verdicts.some(({ verdict }) => verdict.result === "block")) {
      for (const spec of tier) findings.push({ spec, result: "not_evaluated" });
      continue;
    }
    const answered = tier.map((spec) => ({ spec, verdict: verdictOf(spec, asked) }));
    for (const { spec, verdict } of answered) findings.push({ spec, result: verdict.result });
    verdicts.push(...answered);
  }
  const blocking = verdicts.filter(({ verdict }) => verdict.result === "block");
  const policies = blocking.map(({ spec, verdict }) => verdict.onBlock ?? ("onBlock" in spec ? spec.onBlock : null) ?? pipeline.onBlock);
  const opensAt = verdicts.findIndex(({ verdict }) => verdict.result === "either");
  const isOpen = opensAt >= 0;
  // what may have blocked before it leaves open whether it was asked at all
  const isSkipped = blocking.some(({ spec }, index) => policies[index] === "skip" && (!isOpen || isNoLater(spec, verdicts[opensAt]?.spec)));
  const outcome = isSkipped ? "skip" : isOpen ? null : blocking.length === 0 ? "run" : "hold";
  const { decidedAt } = asked;
  const otherwiseAt = decidedAt + pipeline.recheckInterval;
  const changes = blocking.map(({ verdict: { changesAt } }) => (changesAt === Number.POSITIVE_INFINITY ? null : changesAt));
  const isVague = verdicts.some(({ verdict }) => verdict.isVague);
  return { findings, outcome, recheckAt: isVague ? null : (lastOf(changes, decidedAt, otherwiseAt) ?? otherwiseAt) };
}

const TIERS = ["time", "history", "outside"] as const;

function isNoLater(spec: ConditionSpec, other: ConditionSpec | undefined): boolean {
  return other === undefined || TIERS.indexOf(needsOf(spec)) <= TIERS.indexOf(needsOf(other));
}

/** The time that the conditions that ask the outside take together, ms: all are asked at once. */
export function longestOf(specs: readonly ConditionSpec[]): number {
  return Math.max(
    0,
    ...specs.map((spec) => {
      if (spec.type === "hang") return spec.timeout;
      if (spec.type === "not") return longestOf([spec.part]);
      return spec.type === "all" || spec.type === "any" ? longestOf(spec.parts) : 0;
    }),
  );
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

function verdictOf(spec: ConditionSpec, asked: Asked): Verdict {
  const { askedAt: now, past, pipelineId, seed } = asked;
  const verdict = (result: Verdict["result"], changesAt: number | null = null, rest: Partial<Verdict> = {}): Verdict => ({
    result,
    changesAt,
    isVague: result === "either",
    onBlock: null,
    ...rest,
  });
  const between = (one: boolean, other: boolean): Verdict["result"] => (one === other ? (one ? "pass" : "block") : "either");
  switch (spec.type) {
    case "window":
      return verdict(covers(spec.calendar, now) ? "block" : "pass", changesAfter(spec.calendar, now) ?? Number.POSITIVE_INFINITY);
    case "business":
      return verdict(covers(spec.calendar, now) ? "pass" : "block", changesAfter(spec.calendar, now) ?? Number.POSITIVE_INFINITY);
    case "stale": {
      if (asked.kind === "backfill") return verdict("pass");
      const isOld = (last: number | null) => last === null || now - last > spec.olderThan;
      const [before, last] = [past.lastSuccess(pipelineId, now, false), past.lastSuccess(pipelineId, now, true)];
      const result = between(isOld(before), isOld(last));
      return verdict(result, result === "block" && last !== null ? last + spec.olderThan + 1 : null, { isVague: before !== last });
    }
    case "succeeded": {
      const isRecent = (last: number | null) => last !== null && (spec.within === null || now - last <= spec.within);
      const [before, last] = [past.lastSuccess(spec.pipelineId, now, false), past.lastSuccess(spec.pipelineId, now, true)];
      const result = between(isRecent(before), isRecent(last));
      const endsAt = result === "pass" && last !== null && spec.within !== null ? last + spec.within + 1 : null;
      return verdict(result, endsAt, { isVague: before !== last });
    }
    case "max": {
      const before = past.starts(pipelineId, now - spec.period, now, false);
      const all = past.starts(pipelineId, now - spec.period, now, true);
      const result = between(before.length < spec.count, all.length < spec.count);
      const opens = result === "block" ? all[all.length - spec.count] : undefined;
      const opensAt = opens === undefined ? null : opens + spec.period;
      const isSoon = opensAt !== null && opensAt - now <= Math.min(SOON_MS, spec.period / SOON_PART);
      return verdict(result, opensAt, { isVague: before.length !== all.length, onBlock: isSoon ? "hold" : null });
    }
    case "custom":
    case "probe": {
      const isGood = (at: number) => signalAt(seed, spec.name, spec.period, spec.share, at) || (spec.fails && spec.onError === "pass");
      return verdict(between(isGood(now), isGood(spec.type === "probe" ? now - SHARED_MS : now)));
    }
    case "hang":
      return verdict(spec.onError);
    case "not": {
      const { result, ...part } = verdictOf(spec.part, asked);
      return { ...part, result: result === "either" ? result : result === "block" ? "pass" : "block", onBlock: null };
    }
    case "all":
    case "any":
      return combined(
        spec.type,
        spec.parts.map((part) => verdictOf(part, asked)),
        now,
        now + asked.recheckInterval,
      );
  }
}

/** Nothing changes before the last of those that know, nor is there a look before the interval has passed if one does not. */
function lastOf(changes: readonly (number | null)[], now: number, otherwiseAt: number): number | null {
  const known = changes.filter((at) => at !== null && at > now) as number[];
  return known.length === 0 ? null : Math.max(...known, known.length < changes.length ? otherwiseAt : 0);
}

/** It may change with the first that does, and is looked at after the interval if one does not know. */
function firstOf(changes: readonly (number | null)[], now: number, otherwiseAt: number): number | null {
  const known = changes.filter((at) => at !== null && at > now) as number[];
  return known.length === 0 ? null : Math.min(...known, known.length < changes.length ? otherwiseAt : Number.POSITIVE_INFINITY);
}

function combined(type: "all" | "any", parts: readonly Verdict[], now: number, otherwiseAt: number): Verdict {
  const [decisive, other] = type === "all" ? (["block", "pass"] as const) : (["pass", "block"] as const);
  const deciding = parts.filter((one) => one.result === decisive);
  const isVague = parts.some((one) => one.isVague);
  // one of those that decide is enough: it stays as it is until the last of them changes
  if (deciding.length > 0) {
    const changes = deciding.map(({ changesAt }) => changesAt);
    return { result: decisive, changesAt: lastOf(changes, now, otherwiseAt), isVague, onBlock: policyOf(type, deciding) };
  }
  const changes = parts.map(({ changesAt }) => changesAt);
  const result = parts.some((one) => one.result === "either") ? "either" : other;
  return { result, changesAt: firstOf(changes, now, otherwiseAt), isVague, onBlock: policyOf(type, parts) };
}

/** `all` skips if one of those that block says so, `any` holds if one does; else what all of them say. */
function policyOf(type: "all" | "any", parts: readonly Verdict[]): OnBlock | null {
  const strong = type === "all" ? "skip" : "hold";
  const said = parts.map(({ onBlock }) => onBlock);
  if (said.includes(strong)) return strong;
  return said.every((one) => one === said[0]) ? (said[0] ?? null) : null;
}

/** Whether a condition that never answers is part of another. */
export function hasCombinedHang(spec: ConditionSpec, isPart = false): boolean {
  if (spec.type === "hang") return isPart;
  if (spec.type === "not") return hasCombinedHang(spec.part, true);
  return (spec.type === "all" || spec.type === "any") && spec.parts.some((part) => hasCombinedHang(part, true));
}
