import { unreadOf } from "../../../base/fields.js";
import { DECISION_FIELDS, type DecisionRecord } from "../../../gate/finding.js";
import { type FireTimesQuery, LEAST_OPEN_MS, type OpenAtQuery } from "../../../ports/store/history.js";
import { TRIGGER_FIELDS, type TriggerRecord } from "../../../trigger/trigger.js";
import { within } from "./within.js";

const LARGE_OF_TRIGGERS = unreadOf(TRIGGER_FIELDS);
const LARGE_OF_DECISIONS = unreadOf(DECISION_FIELDS);

/** Of the kept triggers of a pipeline, in any order. */
export function openAt(triggers: Iterable<TriggerRecord>, { at, limit, valueLimit }: OpenAtQuery): TriggerRecord[] {
  const found: TriggerRecord[] = [];
  for (const one of triggers) {
    const { createdAt, endedAt } = one;
    if (createdAt > at || (endedAt !== null && (endedAt <= at || endedAt - createdAt < LEAST_OPEN_MS))) continue;
    found.push(one);
  }
  return newestBy(found, ({ createdAt }) => createdAt, limit).map((one) => within(one, LARGE_OF_TRIGGERS, valueLimit));
}

/** Of the kept triggers of a pipeline, in any order. */
export function forFireTimes(triggers: Iterable<TriggerRecord>, { from, until, limit, valueLimit }: FireTimesQuery): TriggerRecord[] {
  const found: TriggerRecord[] = [];
  for (const one of triggers) if (one.scheduledFor !== null && one.scheduledFor >= from && one.scheduledFor < until) found.push(one);
  return newestBy(found, ({ scheduledFor }) => scheduledFor ?? 0, limit).map((one) => within(one, LARGE_OF_TRIGGERS, valueLimit));
}

/** Of the kept decisions on dropped fire times of a pipeline, in any order. */
export function dropsInto(drops: Iterable<DecisionRecord>, { from, until, limit, valueLimit }: FireTimesQuery): DecisionRecord[] {
  const found: DecisionRecord[] = [];
  for (const one of drops) {
    const firstAt = one.scheduledFor ?? one.at;
    if (firstAt < until && (firstAt >= from || (one.missed?.lastAt ?? firstAt) >= from)) found.push(one);
  }
  return newestBy(found, ({ scheduledFor }) => scheduledFor ?? 0, limit).map((one) => within(one, LARGE_OF_DECISIONS, valueLimit));
}

function newestBy<T extends { readonly id: string }>(found: T[], instantOf: (one: T) => number, limit: number): T[] {
  return found.sort((a, b) => instantOf(b) - instantOf(a) || (a.id < b.id ? 1 : -1)).slice(0, limit);
}
