import { type DecideRequest, type DecideResult, storeRules as rules } from "headgate";
import { decisionsOf, isPaused, knownPipeline } from "./records.js";
import type { State } from "./state.js";

/** Records a decision, unless its claim no longer stands or the run may not start now. */
export function decide(state: State, request: DecideRequest, now: number): DecideResult {
  const { decision, run, hold } = request;
  const known = state.triggers.get(request.triggerId);
  if (known === undefined || known.status !== "pending" || known.token !== request.token) {
    const isAccepted =
      state.decisions.has(decision.id) || decisionsOf(state, request.triggerId).some(({ repeated }) => repeated?.lastId === decision.id);
    return { isAccepted, trigger: known ?? null, run: isAccepted && run !== null ? (state.runs.get(run.id) ?? null) : null };
  }
  if (run !== null) {
    if (isPaused(state, knownPipeline(state, known.pipelineId)) && !known.isForced) {
      const trigger = rules.releaseTrigger(known);
      state.triggers.set(known.id, trigger);
      return { isAccepted: false, trigger, run: null, refusal: { kind: "paused" } };
    }
    for (const limit of request.limits ?? []) {
      const { from, until } = rules.spanOf(limit, now);
      const opensAt = rules.opensAt(limit, recentStarts(state, known.pipelineId, from, until, limit.count));
      if (opensAt !== null) return { isAccepted: false, trigger: known, run: null, refusal: { kind: "limit", opensAt } };
    }
  }
  const recorded = recordDecision(state, decision);
  const started = run === null ? null : rules.startRun(run.id, known, run.node, run.leaseMs, now);
  if (started !== null) state.runs.set(started.id, started);
  const trigger =
    started !== null
      ? rules.startTrigger(known, started.id)
      : hold !== null
        ? rules.holdTrigger(known, hold.recheckAt, hold.expiresAt)
        : rules.endTrigger(known, "skipped", decision.reason, now);
  state.triggers.set(trigger.id, trigger);
  return { isAccepted: true, trigger, run: started, ...(recorded === decision ? {} : { decision: recorded }) };
}

/** A hold that says the same as the one before is folded into it; the first decision on a trigger and the newest are kept. */
function recordDecision(state: State, decision: DecideRequest["decision"]): DecideRequest["decision"] {
  const before = decisionsOf(state, decision.triggerId ?? "");
  const last = before.at(-1);
  const recorded = last !== undefined && rules.isRepeatedHold(last, decision) ? rules.foldHold(last, decision) : decision;
  if (recorded === decision && before.length >= rules.DECISIONS_PER_TRIGGER) state.decisions.delete(before[1]?.id ?? "");
  state.decisions.set(recorded.id, recorded);
  return recorded;
}

/** The newest starts of a pipeline within a span of time. */
export function recentStarts(state: State, pipelineId: string, from: number, until: number, limit: number) {
  const starts = [...state.runs.values()].filter((run) => run.pipelineId === pipelineId && run.startedAt >= from && run.startedAt < until);
  const newest = starts
    .map(({ startedAt }) => startedAt)
    .sort((a, b) => b - a)
    .slice(0, limit);
  return { count: newest.length, oldestAt: newest.at(-1) ?? null };
}
