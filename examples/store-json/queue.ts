import { type EnqueueResult, type NewTrigger, type QueueLimit, type QueueLimits, storeRules as rules, type TriggerRecord } from "headgate";
import { activeOf, isClaimed, knownPipeline, waitingOf } from "./records.js";
import type { State } from "./state.js";

/** Accepts all triggers or none; one that was accepted before is returned as it is. */
export function enqueueAll(state: State, triggers: readonly NewTrigger[], now: number, limits?: QueueLimits): EnqueueResult[] {
  for (const { pipelineId } of triggers) knownPipeline(state, pipelineId);
  const fresh = triggers.filter((one) => sameAs(state, one) === undefined);
  if (limits !== undefined && fresh.length > 0) rules.refuseBeyond(limits, fresh, usageOf(state));
  return triggers.map((one) => {
    const known = sameAs(state, one);
    if (known !== undefined) return { trigger: known, isNew: known.id === one.id };
    const trigger = rules.acceptTrigger(one, now);
    state.triggers.set(trigger.id, trigger);
    return { trigger, isNew: true };
  });
}

/** The trigger that was accepted before for the same id, or the same key of the pipeline. */
function sameAs(state: State, { id, pipelineId, key }: NewTrigger): TriggerRecord | undefined {
  const known = state.triggers.get(id);
  if (known !== undefined || key === null) return known;
  return [...state.triggers.values()].find((one) => one.pipelineId === pipelineId && one.key === key);
}

function usageOf(state: State) {
  const sum = (all: readonly TriggerRecord[]): QueueLimit => ({
    count: all.length,
    bytes: all.reduce((bytes, { size }) => bytes + size, 0),
  });
  const by = (nameOf: (one: TriggerRecord) => string | null) => {
    const groups = new Map<string, TriggerRecord[]>();
    for (const one of waitingOf(state)) {
      const name = nameOf(one);
      if (name !== null) groups.set(name, [...(groups.get(name) ?? []), one]);
    }
    return new Map([...groups].map(([name, all]) => [name, sum(all)]));
  };
  return { total: sum(waitingOf(state)), pipelines: by(({ pipelineId }) => pipelineId), tokens: by(({ requestedBy }) => requestedBy) };
}

/** Ends held triggers whose time to be held ran out. */
export function expire(state: State, now: number): TriggerRecord[] {
  const overdue = waitingOf(state).filter((one) => one.expiresAt !== null && one.expiresAt <= now && !isClaimed(one, now));
  return overdue.map((one) => {
    const ended = rules.expireTrigger(one, now);
    state.triggers.set(ended.id, ended);
    return ended;
  });
}

export function nextDueAt(state: State, now: number): number | null {
  const instants = [
    ...waitingOf(state).flatMap(({ availableAt, leaseUntil, expiresAt }) => [
      ...[availableAt, leaseUntil].filter((at) => at !== null && at > now),
      ...(expiresAt === null ? [] : [expiresAt]),
    ]),
    ...activeOf(state).flatMap(({ retryAt }) => (retryAt !== null && retryAt > now ? [retryAt] : [])),
  ] as number[];
  return instants.length === 0 ? null : Math.min(...instants);
}
