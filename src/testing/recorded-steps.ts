import { HeadgateError } from "../base/errors.js";
import { decide } from "../gate/decide.js";
import type { Pipeline } from "../pipeline/pipeline.js";
import type { NewTrigger } from "../trigger/trigger.js";
import { lastUpTo, wasFull } from "./history-gaps.js";
import type { Step } from "./play.js";
import type { PlayedTriggers } from "./played-triggers.js";
import { decisionsByTrigger, type Recorded, type RecordedDecision, type RecordedPause, type RecordedTrigger } from "./recorded.js";
import { isOfOverlap } from "./recorded-attempts.js";
import { slowestOf } from "./repeated-looks.js";
import type { Unknowns } from "./unknowns.js";

/** Returns the actions of people and systems in a history: requests, pauses, cancels, and looks at held triggers before their time. */
export function recordedSteps(recorded: Recorded, pipeline: Pipeline, played: PlayedTriggers, unknown: Unknowns): Step[] {
  const decided = decisionsByTrigger(recorded.decisions ?? []);
  const freedAt = slotFreed(recorded, pipeline);
  const notBefore = (one: RecordedTrigger, decisions: readonly RecordedDecision[]) => notBeforeOf(one, decisions, freedAt, unknown);
  const steps: Step[] = [
    ...requestSteps(recorded.requests, pipeline.id, played, (one) => notBefore(one, decided.get(one.key) ?? [])),
    ...(recorded.pauses ?? []).map((pause) => pauseStep(pause, pipeline.id)),
    ...cancelSteps(recorded, pipeline.id, played),
    ...[...decided].flatMap(([key, decisions]) => lookSteps(key, decisions, recorded, pipeline, played)),
  ];
  return steps.filter(({ at }) => at >= recorded.firstAt); // pauses that ended before it begins
}

/** When a trigger might start at the earliest, as it was requested; a hold has overwritten that. */
function notBeforeOf(
  { key, createdAt, availableAt }: RecordedTrigger,
  [first]: readonly RecordedDecision[],
  freedAt: (at: number) => number | null,
  unknown: Unknowns,
): number | null {
  if (first?.outcome !== "hold") return availableAt > createdAt ? availableAt : null;
  if (first.at <= createdAt) return null;
  unknown.add("not_before", key, createdAt);
  const waitedUntil = freedAt(first.at); // it may have waited for a slot, and for others that were evaluated before it
  return waitedUntil === null ? first.at : Math.max(createdAt, waitedUntil);
}

/** When the slot was freed that a decision of an instant came of; `null` when there was one before. */
function slotFreed({ runs, decisions }: Recorded, { gate, execution }: Pipeline): (at: number) => number | null {
  const ends = runs.flatMap(({ endedAt }) => (endedAt === null ? [] : [endedAt])).sort((a, b) => a - b);
  const slowMs = slowestOf(gate);
  return (at) => {
    const end = lastUpTo(ends, at);
    if (end === null || !wasFull(runs, end - 1, execution.maxActiveRuns)) return null;
    const between = (decisions ?? []).filter((one) => one.at >= end && one.at <= at).length;
    return at - end <= slowMs * between ? end : null;
  };
}

/** Those of one instant are accepted together. */
function requestSteps(
  requests: readonly RecordedTrigger[],
  pipelineId: string,
  played: PlayedTriggers,
  notBefore: (request: RecordedTrigger) => number | null,
): Step[] {
  const byInstant = new Map<number, RecordedTrigger[]>();
  for (const one of requests) {
    const known = byInstant.get(one.createdAt);
    if (known === undefined) byInstant.set(one.createdAt, [one]);
    else known.push(one);
  }
  return [...byInstant].map(([at, all]) => ({
    at,
    what: "trigger",
    pipelineId,
    act: async ({ store, newId, now, wake }) => {
      const triggers = all.map((one) => newTrigger(one, newId(now()), pipelineId, notBefore(one)));
      const results = await store.enqueue(triggers, now());
      for (const [index, { trigger }] of results.entries()) played.add(trigger.id, (all[index] as RecordedTrigger).key);
      wake();
    },
  }));
}

function newTrigger(recorded: RecordedTrigger, id: string, pipelineId: string, notBefore: number | null): NewTrigger {
  const {
    kind,
    priority,
    scheduledFor,
    intervalStart,
    rerunOf,
    idempotencyKey: key,
    reason,
    user,
    requestedBy,
    parameters,
    isForced,
  } = recorded;
  const given = { kind, priority, scheduledFor, intervalStart, rerunOf, key, reason, user, requestedBy, parameters, isForced };
  return { ...given, id, pipelineId, size: 0, notBefore };
}

function pauseStep({ at, action, isGlobal, until, reason, user }: RecordedPause, ownId: string): Step {
  const pipelineId = isGlobal ? null : ownId;
  const options = {
    ...(isGlobal ? {} : { pipelineId: ownId }),
    ...(reason ? { reason } : {}),
    ...(user ? { user } : {}),
  };
  if (action === "resume") return { at, what: "resume", pipelineId, act: ({ scheduler }) => scheduler.resume(options) };
  const duration = until === null ? {} : { duration: Math.max(0, until - at) };
  return { at, what: "pause", pipelineId, act: ({ scheduler }) => scheduler.pause({ ...options, ...duration }) };
}

/** Cancels by people; those by the overlap policy are the engine's. */
function cancelSteps({ runs, triggers }: Recorded, pipelineId: string, played: PlayedTriggers): Step[] {
  const ofRuns = runs.flatMap(({ key, scheduledFor, cancel, ...run }) =>
    cancel === null || isOfOverlap({ cancel, ...run }) ? [] : [{ key, scheduledFor, ...cancel }],
  );
  const running = new Set(runs.map(({ key }) => key));
  const ofWaiting = (triggers ?? []).flatMap(({ key, scheduledFor, cancel }) =>
    cancel === null || running.has(key) ? [] : [{ key, scheduledFor, ...cancel }],
  );
  return [...ofRuns, ...ofWaiting].map(({ at, user, reason, ...of }) => ({
    at,
    what: "cancel",
    pipelineId,
    act: async ({ scheduler, store }) => {
      const id = await played.idOf(of, store);
      if (id === null) throw new HeadgateError("NOT_FOUND", `the play has no trigger for ${of.key}, which was cancelled`);
      await scheduler.cancel(id, { ...(user ? { user } : {}), ...(reason ? { reason } : {}) });
    },
  }));
}

/** A held trigger that was decided on again before its time: something outside had it looked at. */
function lookSteps(
  key: string,
  decisions: readonly RecordedDecision[],
  { triggers }: Recorded,
  { id: pipelineId, gate }: Pipeline,
  played: PlayedTriggers,
): Step[] {
  const scheduledFor = key.startsWith("fire time ") ? Number(key.slice("fire time ".length)) : null;
  return decisions.slice(1).flatMap(({ at }, index): Step[] => {
    const held = decisions[index] as RecordedDecision;
    const blocks = held.findings.some(({ result }) => result === "block");
    if (triggers === null || !blocks || at >= decide(gate, held.findings, held.lastLookAt).recheckAt) return [];
    return [
      {
        at,
        what: "recheck",
        pipelineId,
        act: async ({ store, now, wake }) => {
          const id = await played.idOf({ key, scheduledFor }, store);
          if (id === null) return;
          const [last] = await store.listDecisions({ triggerId: id, limit: 1 });
          if (last !== undefined && (last.repeated?.lastAt ?? last.at) >= at) return; // looked at already
          await store.recheck([pipelineId], now());
          wake();
        },
      },
    ];
  });
}
