import { isAdaptive } from "../adaptive/adaptive.js";
import { isoUtc } from "../base/instant.js";
import type { Pipeline } from "../pipeline/pipeline.js";
import type { Recorded, RecordedDecision } from "./recorded.js";
import type { RecordedRun } from "./recorded-run.js";
import type { Unknowns } from "./unknowns.js";

/** A fire time no older than this is on time: the default of `misfireThreshold`. */
const ON_TIME_MS = 30_000;
const DEFAULT_CONDITION_MS = 10_000;

/** Names what a history lacks about its pipeline, whatever configuration is played on it. */
export function nameGaps(recorded: Recorded, pipeline: Pipeline, options: { readonly hasLoad: boolean }, unknown: Unknowns): void {
  const { runs, triggers, requests, decisions, firstAt } = recorded;
  const { gate, schedule, execution } = pipeline;
  if (decisions === null) unknown.add("decisions", `pipeline ${pipeline.id}`, firstAt, null);
  for (const { hasAttempts, startedAt } of runs)
    if (!hasAttempts) unknown.add("attempt_times", `run started ${isoUtc(startedAt)}`, startedAt);
  if (triggers === null) for (const { key, createdAt } of requests) unknown.add("requests", key, createdAt);
  namePauses(recorded, pipeline.id, unknown);
  if (execution.pool !== null) unknown.add("pool", `pool ${execution.pool}`, null, null);
  if (isAdaptive(schedule) || gate.conditions.some(({ needs }) => needs === "history"))
    unknown.add("beginning", isoUtc(firstAt), firstAt, null);
  if (isAdaptive(schedule) && schedule.policy.tuner.followsLoad === true && !options.hasLoad)
    unknown.add("load", `pipeline ${pipeline.id}`, null, null);
  for (const { at, key, reason, count, isOfPause } of decisions ?? [])
    if (key === null && !isOfPause) unknown.add("no_node", reason, at, count);
  const late = (triggers ?? []).filter(
    ({ kind, scheduledFor, createdAt, isLateByPause }) =>
      kind === "scheduled" && !isLateByPause && createdAt - (scheduledFor ?? createdAt) > ON_TIME_MS,
  );
  for (const { createdAt, scheduledFor } of late)
    if (!wasPaused(recorded, scheduledFor as number, createdAt))
      unknown.add("no_node", `fire time ${isoUtc(scheduledFor as number)}, which fired late`, createdAt);
  if (triggers !== null) nameLateStarts(recorded, pipeline, unknown);
  nameLateLosses(runs, execution.timeoutMs, unknown);
}

/** Returns true if it was paused at some instant from one to another. */
function wasPaused({ paused }: Recorded, from: number, to: number): boolean {
  return paused.some((span) => span.from <= to && (span.until === null || span.until >= from));
}

function namePauses({ pauses, decisions, firstAt }: Recorded, id: string, unknown: Unknowns): void {
  if (pauses !== null) return;
  if (decisions === null) unknown.add("pauses", `pipeline ${id}`, firstAt, null);
  for (const { at, reason, count, isOfPause } of decisions ?? []) if (isOfPause) unknown.add("pauses", reason, at, count);
}

/** Triggers whose first decision came later than what the pipeline itself explains. */
function nameLateStarts(recorded: Recorded, { gate, execution }: Pipeline, unknown: Unknowns): void {
  const { runs, triggers, decisions } = recorded;
  const slowMs = gate.conditions.reduce(
    (most, { needs, timeoutMs }) => (needs === "time" ? most : Math.max(most, timeoutMs ?? DEFAULT_CONDITION_MS)),
    0,
  );
  const first = firstDecisions(decisions ?? [], runs);
  const ends = runs.flatMap(({ endedAt }) => (endedAt === null ? [] : [endedAt])).sort((a, b) => a - b);
  for (const { key, kind, createdAt, availableAt, scheduledFor } of triggers ?? []) {
    const decidedAt = first.get(key);
    if (decidedAt === undefined) continue;
    const dueAt = kind === "scheduled" ? (scheduledFor ?? createdAt) : Math.min(Math.max(createdAt, availableAt), decidedAt);
    if (decidedAt - dueAt <= slowMs) continue;
    const isPaused = wasPaused(recorded, dueAt, decidedAt);
    const freedAt = lastUpTo(ends, decidedAt);
    const isQueued = freedAt !== null && freedAt > dueAt && decidedAt - freedAt <= slowMs;
    if (isPaused || isQueued || wasFull(runs, decidedAt - 1, execution.maxActiveRuns)) continue;
    unknown.add("late_start", `${key}, ${decidedAt - dueAt} ms late`, decidedAt);
  }
}

/** When each trigger was first decided on: by its decisions, else by its run. */
function firstDecisions(decisions: readonly RecordedDecision[], runs: readonly RecordedRun[]): ReadonlyMap<string, number> {
  const first = new Map<string, number>();
  for (const { key, startedAt } of runs) first.set(key, startedAt);
  for (const { key, at } of decisions.toReversed()) if (key !== null) first.set(key, at);
  return first;
}

/** Returns true when every run slot was in use at an instant. */
export function wasFull(runs: readonly RecordedRun[], at: number, slots: number): boolean {
  let active = 0;
  for (const { startedAt, endedAt } of runs) {
    if (startedAt > at) break;
    if (endedAt === null || endedAt > at) active++;
  }
  return active >= slots;
}

/** Returns the last of sorted instants that is not after another; `null` when there is none. */
export function lastUpTo(sorted: readonly number[], at: number): number | null {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] as number) <= at) low = middle + 1;
    else high = middle;
  }
  return sorted[low - 1] ?? null;
}

function nameLateLosses(runs: readonly RecordedRun[], timeoutMs: number, unknown: Unknowns): void {
  for (const { attempts } of runs)
    for (const { outcome, startedAt, endedAt, attempt } of attempts)
      if (outcome === "lost" && endedAt !== null && endedAt - startedAt >= timeoutMs)
        unknown.add("lost_late", `attempt ${attempt} started ${isoUtc(startedAt)}`, startedAt);
}
