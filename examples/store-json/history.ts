import {
  type Backlog,
  type BacklogGroup,
  type DecisionQuery,
  type DecisionRecord,
  type FinishedSummary,
  type FireTimesQuery,
  type ListQuery,
  type OpenAtQuery,
  type RunQuery,
  type RunRecord,
  storeRules as rules,
  type TriggerQuery,
  type TriggerRecord,
} from "headgate";
import { activeOf, decisionsOf, waitingOf } from "./records.js";
import type { State } from "./state.js";

/** What is kept of what has ended. */
export interface Kept {
  readonly count: number;
  readonly countPerPipeline: number | null;
  readonly maxAgeMs: number;
}

const LARGE = {
  triggers: { parameters: null },
  runs: { output: null, error: null, progress: null, reference: null, attempts: [] },
  decisions: { findings: [] },
} as const;

/** A record without those of its values that have more bytes of JSON than the limit; `omitted` names them. */
function within<T extends object>(record: T, large: object, limit = Number.POSITIVE_INFINITY): T {
  const fields = record as Record<string, unknown>;
  const sizeOf = (field: string) => (fields[field] === null ? 0 : Buffer.byteLength(JSON.stringify(fields[field])));
  const omitted = Object.keys(large).filter((field) => sizeOf(field) > limit);
  if (omitted.length === 0) return record;
  return { ...record, ...Object.fromEntries(Object.entries(large).filter(([field]) => omitted.includes(field))), omitted };
}

function newest<T extends { readonly id: string; readonly pipelineId: string; readonly scheduledFor: number | null }>(
  all: Iterable<T>,
  { pipelineId, before, scheduledFrom = Number.NEGATIVE_INFINITY, scheduledUntil = Number.POSITIVE_INFINITY, limit, valueLimit }: ListQuery,
  large: object,
  instantOf: (one: T) => number,
  isWanted: (one: T) => boolean,
): T[] {
  const found = [...all].filter((one) => {
    const at = one.scheduledFor ?? instantOf(one);
    if ((pipelineId !== undefined && one.pipelineId !== pipelineId) || (before !== undefined && one.id >= before)) return false;
    return at >= scheduledFrom && at < scheduledUntil && isWanted(one);
  });
  const page = found.sort((a, b) => (a.id < b.id ? 1 : -1)).slice(0, limit);
  return page.map((one) => within(one, large, valueLimit));
}

const has = <T>(wanted: readonly T[] | undefined, one: T) => wanted === undefined || wanted.includes(one);

export function listTriggers(state: State, query: TriggerQuery): TriggerRecord[] {
  const isWanted = ({ id, status, kind }: TriggerRecord) =>
    has(query.triggerId === undefined ? undefined : [query.triggerId], id) && has(query.statuses, status) && has(query.kinds, kind);
  return newest(state.triggers.values(), query, LARGE.triggers, ({ createdAt }) => createdAt, isWanted);
}

export function listRuns(state: State, query: RunQuery): RunRecord[] {
  const isWanted = ({ triggerId, status }: RunRecord) =>
    has(query.triggerId === undefined ? undefined : [query.triggerId], triggerId) && has(query.statuses, status);
  return newest(state.runs.values(), query, LARGE.runs, ({ startedAt }) => startedAt, isWanted);
}

export function listDecisions(state: State, query: DecisionQuery): DecisionRecord[] {
  const isWanted = ({ triggerId, outcome }: DecisionRecord) =>
    has(query.triggerId === undefined ? undefined : [query.triggerId], triggerId) && has(query.outcomes, outcome);
  return newest(state.decisions.values(), query, LARGE.decisions, ({ at }) => at, isWanted);
}

function latest<T extends { readonly id: string }>(found: T[], instantOf: (one: T) => number, limit: number): T[] {
  return found.sort((a, b) => instantOf(b) - instantOf(a) || (a.id < b.id ? 1 : -1)).slice(0, limit);
}

export function triggersOpenAt(state: State, { pipelineId, at, limit, valueLimit }: OpenAtQuery): TriggerRecord[] {
  const found = [...state.triggers.values()].filter(
    (one) =>
      one.pipelineId === pipelineId &&
      one.createdAt <= at &&
      (one.endedAt === null || (one.endedAt > at && one.endedAt - one.createdAt >= rules.LEAST_OPEN_MS)),
  );
  return latest(found, ({ createdAt }) => createdAt, limit).map((one) => within(one, LARGE.triggers, valueLimit));
}

export function triggersForFireTimes(state: State, { pipelineId, from, until, limit, valueLimit }: FireTimesQuery): TriggerRecord[] {
  const found = [...state.triggers.values()].filter(
    (one) => one.pipelineId === pipelineId && one.scheduledFor !== null && one.scheduledFor >= from && one.scheduledFor < until,
  );
  return latest(found, ({ scheduledFor }) => scheduledFor ?? 0, limit).map((one) => within(one, LARGE.triggers, valueLimit));
}

export function dropsOfFireTimes(state: State, { pipelineId, from, until, limit, valueLimit }: FireTimesQuery): DecisionRecord[] {
  const found = [...state.decisions.values()].filter(({ pipelineId: of, triggerId, scheduledFor, at, missed }) => {
    const firstAt = scheduledFor ?? at;
    return triggerId === null && of === pipelineId && firstAt < until && (firstAt >= from || (missed?.lastAt ?? firstAt) >= from);
  });
  return latest(found, ({ scheduledFor }) => scheduledFor ?? 0, limit).map((one) => within(one, LARGE.decisions, valueLimit));
}

/** What has ended: a trigger, or a dropped fire time. */
interface Ended {
  readonly id: string;
  readonly at: number;
  readonly pipelineId: string;
  readonly trigger: TriggerRecord | null;
}

/** Oldest first. */
function endedOf(state: State): Ended[] {
  const triggers = [...state.triggers.values()].flatMap((trigger) =>
    trigger.endedAt === null ? [] : [{ id: trigger.id, at: trigger.endedAt, pipelineId: trigger.pipelineId, trigger }],
  );
  const drops = [...state.decisions.values()].flatMap(({ id, at, pipelineId, triggerId }) =>
    triggerId === null ? [{ id, at, pipelineId, trigger: null }] : [],
  );
  return [...triggers, ...drops].sort((a, b) => a.at - b.at || (a.id < b.id ? -1 : 1));
}

export function listFinished(state: State, { from, until, limit }: { from: number; until: number; limit: number }): FinishedSummary[] {
  const found = endedOf(state).filter(({ at }) => at >= from && at < until);
  return found.slice(0, limit).map(({ id, trigger }) => ({
    trigger,
    run: trigger?.runId == null ? null : (state.runs.get(trigger.runId) ?? null),
    decisions: trigger === null ? [state.decisions.get(id) as DecisionRecord] : decisionsOf(state, trigger.id),
  }));
}

export function backlog(state: State, pipelineId?: string): Backlog {
  const groups = new Map<string, BacklogGroup>();
  const earlier = (one: number | null, other: number | null) => (one === null ? other : Math.min(one, other ?? one));
  for (const { pipelineId: id, priority, createdAt, scheduledFor, status } of waitingOf(state, pipelineId)) {
    const known = groups.get(`${priority} ${id}`);
    groups.set(`${priority} ${id}`, {
      pipelineId: id,
      priority,
      waiting: (known?.waiting ?? 0) + 1,
      oldestAt: Math.min(known?.oldestAt ?? createdAt, createdAt),
      oldestFireTimeAt: earlier(known?.oldestFireTimeAt ?? null, scheduledFor),
      oldestPendingFireTimeAt: earlier(known?.oldestPendingFireTimeAt ?? null, status === "pending" ? scheduledFor : null),
    });
  }
  const runs = activeOf(state, pipelineId).map(({ id, pipelineId: of, startedAt, scheduledFor }) => ({
    id,
    pipelineId: of,
    startedAt,
    scheduledFor,
  }));
  return { groups: [...groups.values()], activeRuns: runs };
}

/** Removes what is too old or too much, at most `limit` records. */
export function prune(
  state: State,
  { count, countPerPipeline, maxAgeMs }: Kept,
  now: number,
  limit: number,
): { removed: number; isDone: boolean } {
  for (const { key, at } of state.responses.values()) if (at < now - maxAgeMs) state.responses.delete(key);
  pruneEvents(state, rules.EVENT_BOUNDS, now);
  const ended = endedOf(state);
  const old = ended.filter(({ at }) => at < now - maxAgeMs).slice(0, limit);
  for (const one of old) forget(state, one);
  if (old.length > 0) return { removed: old.length, isDone: false };
  const byPipeline = new Map<string, Ended[]>();
  for (const one of ended) byPipeline.set(one.pipelineId, [...(byPipeline.get(one.pipelineId) ?? []), one]);
  const largest = [...byPipeline].map(([pipelineId, all]) => ({ pipelineId, kept: all.length })).sort((a, b) => b.kept - a.kept);
  const excess = rules.excessOf(largest, false, ended.length, { count, countPerPipeline, maxAgeMs }, limit);
  for (const { pipelineId, excess: many } of excess) for (const one of byPipeline.get(pipelineId)?.slice(0, many) ?? []) forget(state, one);
  return { removed: excess.reduce((sum, one) => sum + one.excess, 0), isDone: excess.length === 0 };
}

function forget(state: State, { id, trigger }: Ended): void {
  if (trigger === null) state.decisions.delete(id);
  else {
    for (const decision of decisionsOf(state, id)) state.decisions.delete(decision.id);
    state.runs.delete(trigger.runId ?? "");
    state.triggers.delete(id);
  }
}

/** Removes the oldest events beyond any of the bounds. */
export function pruneEvents(
  state: State,
  bounds: { readonly count: number; readonly bytes: number; readonly ageMs: number },
  now: number,
): void {
  let bytes = [...state.events.values()].reduce((sum, { size }) => sum + size, 0);
  for (const [seq, { at, size }] of state.events) {
    if (state.events.size <= bounds.count && bytes <= bounds.bytes && at >= now - bounds.ageMs) return;
    state.events.delete(seq);
    bytes -= size;
  }
}
