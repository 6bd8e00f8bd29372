import { type ReplanRequest, type ReplanResult, storeRules as rules } from "headgate";
import { activeOf, decisionsOf, stateOf, waitingOf } from "./records.js";
import type { State } from "./state.js";

export function replan(state: State, request: ReplanRequest, now: number): ReplanResult {
  const row = state.pipelines.get(request.pipelineId);
  if (row === undefined) return { outcome: "gone", state: null };
  if (row.nextFireAt !== request.expectedFireAt || row.scheduleKey !== request.scheduleKey)
    return { outcome: "moved", state: stateOf(state, row) };
  const dropped = [...state.decisions.values()].filter(
    ({ pipelineId, triggerId, at, scheduledFor, missed }) =>
      pipelineId === row.id && triggerId === null && at > now && (missed?.lastAt ?? scheduledFor ?? 0) > request.since,
  );
  const { nextFireAt, withdrawn, amended, skips: again } = request.plan(dropped);
  for (const id of withdrawn) state.decisions.delete(id);
  for (const decision of amended) state.decisions.set(decision.id, decision);
  const skips = rules.mergeSkips(row.skips, again);
  const next = { ...row, nextFireAt, skips, lastFireAt: row.lastFireAt === null ? null : Math.min(row.lastFireAt, now) };
  state.pipelines.set(row.id, next);
  return { outcome: "replanned", state: stateOf(state, next) };
}

/** Moves what is due too late to where it would be. */
export function rebase(state: State, leaseUntil: number, now: number): void {
  const { pause, endedPauses } = state.global;
  state.global = { pause: pause && rules.rebasePause(pause, now), endedPauses: rules.rebaseSpans(endedPauses, now) };
  for (const row of state.pipelines.values())
    state.pipelines.set(row.id, {
      ...row,
      pause: row.pause && rules.rebasePause(row.pause, now),
      endedPauses: rules.rebaseSpans(row.endedPauses, now),
      lastSuccessAt: row.lastSuccessAt === null ? null : Math.min(row.lastSuccessAt, now),
    });
  for (const trigger of waitingOf(state)) {
    const last = decisionsOf(state, trigger.id).at(-1);
    const moved = rules.rebaseHold(rules.rebaseTrigger(trigger, now), last?.repeated?.lastAt ?? last?.at ?? now, now);
    state.triggers.set(trigger.id, moved.leaseUntil === null ? moved : { ...moved, leaseUntil: Math.min(moved.leaseUntil, leaseUntil) });
  }
  for (const run of activeOf(state)) {
    const isRunning = run.status === "running";
    state.runs.set(run.id, isRunning ? { ...run, leaseUntil: Math.min(run.leaseUntil, leaseUntil) } : rules.rebaseRetry(run, now));
  }
  for (const [name, one] of state.leases) state.leases.set(name, { ...one, leaseUntil: Math.min(one.leaseUntil, leaseUntil) });
  for (const [name, one] of state.cursors)
    state.cursors.set(name, { ...one, leaseUntil: one.leaseUntil === null ? null : Math.min(one.leaseUntil, leaseUntil) });
}

/** Fire times of a pipeline from its next one on that have a trigger already. */
export function firesMade(state: State, pipelineId: string, until: number): number[] {
  const from = state.pipelines.get(pipelineId)?.nextFireAt ?? null;
  if (from === null) return [];
  return [...state.triggers.values()].flatMap((one) => {
    const isMade = one.pipelineId === pipelineId && one.kind === "scheduled" && one.scheduledFor !== null;
    return isMade && one.scheduledFor >= from && one.scheduledFor <= until ? [one.scheduledFor] : [];
  });
}
