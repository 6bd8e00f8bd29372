import {
  type AuditedWrite,
  type FireRequest,
  type FireResult,
  type Pause,
  type PauseRequest,
  type PipelineRegistration,
  type PipelineState,
  type ResumeRequest,
  storeRules as rules,
  type SkippedFire,
  type TriggerRecord,
} from "headgate";
import { noteChange } from "./audit.js";
import { isPaused, knownPipeline, stateOf, waitingOf } from "./records.js";
import type { State } from "./state.js";

/** Adds a pipeline, or updates it; another schedule is planned again. */
export function register(state: State, registration: PipelineRegistration): PipelineState {
  const known = state.pipelines.get(registration.id);
  const fresh = { lastFireAt: null, lastSuccessAt: null, pause: null, endedPauses: [], skips: [] };
  const isReplanned = known === undefined || known.scheduleKey !== registration.scheduleKey;
  const row = { ...fresh, ...known, ...registration, nextFireAt: isReplanned ? registration.nextFireAt : known.nextFireAt };
  state.pipelines.set(row.id, row);
  return stateOf(state, row);
}

export function fire(state: State, request: FireRequest, now: number): FireResult {
  const known = state.pipelines.get(request.pipelineId);
  if (known === undefined) return { outcome: "gone", state: null, triggers: [], superseded: [] };
  const isExpected = known.nextFireAt === request.expectedFireAt && known.scheduleKey === request.scheduleKey;
  if (!isExpected || isPaused(state, known))
    return { outcome: isExpected ? "paused" : "moved", state: stateOf(state, known), triggers: [], superseded: [] };
  if (!rules.keepsSkips(request, known.skips)) return { outcome: "moved", state: stateOf(state, known), triggers: [], superseded: [] };
  const { nextFireAt, lastFireAt } = request;
  const skips = rules.skipsFrom(known.skips, nextFireAt);
  const row = { ...known, nextFireAt, lastFireAt: lastFireAt ?? known.lastFireAt, skips };
  state.pipelines.set(row.id, row);
  for (const decision of request.dropped) state.decisions.set(decision.id, decision);
  const fired: string[] = [];
  const superseded: string[] = [];
  for (const trigger of request.triggers) {
    const isThere = [...state.triggers.values()].some(
      (one) => one.pipelineId === row.id && one.kind === "scheduled" && one.scheduledFor === trigger.scheduledFor,
    );
    if (isThere) continue;
    let supersedes: string | null = null;
    for (const waiting of rules.replacesWaiting(row.overlap) ? waitingOf(state, row.id).filter(rules.isOverlapping) : []) {
      state.triggers.set(waiting.id, rules.supersedeTrigger(waiting, trigger.id, now));
      if (fired.at(-1) !== waiting.id) superseded.push(waiting.id);
      supersedes = waiting.id;
    }
    state.triggers.set(trigger.id, rules.acceptTrigger(trigger, now, supersedes));
    fired.push(trigger.id);
  }
  const records = (ids: readonly string[]) => ids.map((id) => state.triggers.get(id) as TriggerRecord);
  return { outcome: "fired", state: stateOf(state, row), triggers: records(fired), superseded: records(superseded) };
}

/** All or none: an unknown pipeline throws before anything has changed. */
export function pause(state: State, requests: readonly PauseRequest[]): void {
  const before = requests.map(({ pipelineId }) => pauseOf(state, pipelineId));
  for (const [index, { noted }] of requests.entries()) noteChange(state, before[index], noted);
  for (const { pipelineId, pause } of requests) {
    if (pipelineId === null) state.global = { ...state.global, pause };
    else state.pipelines.set(pipelineId, { ...knownPipeline(state, pipelineId), pause });
  }
}

export function resume(state: State, requests: readonly ResumeRequest[], now: number): (Pause | null)[] {
  const before = requests.map(({ pipelineId }) => pauseOf(state, pipelineId));
  for (const [index, { noted }] of requests.entries()) if (before[index] !== null) noteChange(state, before[index], noted);
  return requests.map(({ pipelineId }) => endPause(state, pipelineId, now));
}

/** @throws HeadgateError `UNKNOWN_PIPELINE` */
function pauseOf(state: State, id: string | null): Pause | null {
  return (id === null ? state.global : knownPipeline(state, id)).pause;
}

function endPause(state: State, id: string | null, now: number): Pause | null {
  const row = id === null ? null : knownPipeline(state, id);
  const { pause, endedPauses: before } = row ?? state.global;
  if (pause === null) return null;
  const nextFires = [...state.pipelines.values()].flatMap(({ nextFireAt }) => nextFireAt ?? []);
  const openFrom = row === null ? (nextFires.length === 0 ? null : Math.min(...nextFires)) : row.nextFireAt;
  const endedPauses = rules.withEndedPause(before, pause, now, openFrom);
  if (row === null) state.global = { pause: null, endedPauses };
  else state.pipelines.set(row.id, { ...row, pause: null, endedPauses });
  return pause;
}

export function skip(state: State, id: string, added: readonly SkippedFire[], noted?: AuditedWrite): readonly SkippedFire[] {
  const row = knownPipeline(state, id);
  const skips = rules.withSkips(row.skips, added, { pipelineId: id, nextFireAt: row.nextFireAt });
  noteChange(state, row.skips, noted);
  state.pipelines.set(id, { ...row, skips });
  return skips;
}

/** Returns the skips that are gone. */
export function unskip(state: State, id: string, fireTimes: readonly number[] | null, noted?: AuditedWrite): readonly SkippedFire[] {
  const row = knownPipeline(state, id);
  const skips = rules.withoutSkips(row.skips, fireTimes);
  const removed = row.skips.filter((one) => !skips.includes(one));
  if (removed.length > 0) noteChange(state, row.skips, noted);
  state.pipelines.set(id, { ...row, skips });
  return removed;
}
