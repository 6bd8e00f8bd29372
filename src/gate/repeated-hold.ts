import type { DecisionRecord } from "./finding.js";

/** A trigger keeps its first decision and the newest of the others, so many in all. */
export const DECISIONS_PER_TRIGGER = 200;

/** Durations and instants, which differ from look to look: `3h 5m`, `2026-03-02T04:00:00.000Z`. */
const PASSING_TIME = /\d{4}-\d\d-\d\dT[\d:.]+Z|\b\d+(?:\.\d+)?(?:ms|[dhms])\b/g;

/** Returns true if a hold says the same as the decision on its trigger before it: the same conditions with the same results, for reasons that differ in nothing but durations and instants. */
export function isRepeatedHold(previous: DecisionRecord, next: DecisionRecord): boolean {
  if (previous.outcome !== "hold" || next.outcome !== "hold" || previous.findings.length !== next.findings.length) return false;
  if (next.at < (previous.repeated?.lastAt ?? previous.at)) return false; // a clock went back
  return previous.findings.every((one, index) => {
    const other = next.findings[index];
    return other?.condition === one.condition && other.result === one.result && isSameReason(one.reason, other.reason);
  });
}

/** Returns one record for a hold and another that says the same: the first one's id and instant, what the last one found. */
export function foldHold(previous: DecisionRecord, next: DecisionRecord): DecisionRecord {
  const count = (previous.repeated?.count ?? 1) + 1;
  return { ...next, id: previous.id, at: previous.at, repeated: { count, lastAt: next.at, lastId: next.id } };
}

function isSameReason(one: string, other: string): boolean {
  return one === other || withoutTimes(one) === withoutTimes(other);
}

function withoutTimes(reason: string): string {
  return reason.replaceAll(PASSING_TIME, "#").replaceAll(/#(?: #)+/g, "#");
}
