import { epochMs } from "../base/instant.js";
import { checkInteger, checkOptions, invalidArgument, isOptionsObject, type OptionNames } from "../base/options.js";
import { shown } from "../base/shown.js";
import { DECISION_OUTCOMES, type DecisionOutcome, type Finding } from "../gate/finding.js";
import type { Pipeline } from "../pipeline/pipeline.js";
import { PRIORITIES, type Priority, type TriggerKind } from "../trigger/trigger.js";
import type { HistoricalDecision, HistoricalFinding, HistoricalPause, HistoricalRun, HistoricalTrigger, History } from "./history.js";
import { keyOf, type RecordedRun, recordedRun } from "./recorded-run.js";

/** A trigger as it was recorded, or as a run without one shows it. Instants are epoch ms. */
export interface RecordedTrigger {
  /** The same in the history and in the play: see {@link keyOf}. */
  readonly key: string;
  readonly kind: TriggerKind;
  readonly priority: Priority;
  readonly scheduledFor: number | null;
  readonly intervalStart: number | null;
  readonly rerunOf: string | null;
  readonly idempotencyKey: string | null;
  readonly reason: string | null;
  readonly user: string | null;
  readonly requestedBy: string | null;
  readonly parameters: unknown;
  readonly createdAt: number;
  readonly availableAt: number;
  readonly isForced: boolean;
  readonly endedAt: number | null;
  /** When somebody cancelled it while it waited, and why; `null`: nobody did. */
  readonly cancel: { readonly at: number; readonly user: string | null; readonly reason: string | null } | null;
  /** It fired late because it was paused, and says so. */
  readonly isLateByPause: boolean;
}

/** A decision as it was recorded. Instants are epoch ms. */
export interface RecordedDecision {
  /** Of its trigger; `null` for a fire time that was dropped. */
  readonly key: string | null;
  readonly at: number;
  readonly outcome: DecisionOutcome;
  readonly reason: string;
  readonly findings: readonly Finding[];
  /** Fire times that it stands for. */
  readonly count: number;
  /** Fire times were dropped because of a pause. */
  readonly isOfPause: boolean;
  /** Looks that a hold stands for, from `at` to the last, whose findings it has: 1 and `at` when there was one. */
  readonly looks: number;
  readonly lastLookAt: number;
}

/** A pause or a resume as it was recorded. Instants are epoch ms. */
export interface RecordedPause {
  readonly at: number;
  readonly action: "pause" | "resume";
  readonly isGlobal: boolean;
  readonly until: number | null;
  readonly reason: string | null;
  readonly user: string | null;
}

/** A time in which the pipeline was paused; `null`: it still was at the end. */
interface PausedSpan {
  readonly from: number;
  readonly until: number | null;
}

/** A pipeline's history, checked. The lists are sorted by time; `null` is what the history does not have. */
export interface Recorded {
  readonly runs: readonly RecordedRun[];
  readonly triggers: readonly RecordedTrigger[] | null;
  /** Triggers that no schedule makes. */
  readonly requests: readonly RecordedTrigger[];
  readonly decisions: readonly RecordedDecision[] | null;
  readonly pauses: readonly RecordedPause[] | null;
  /** When it was paused, by itself or with everything. */
  readonly paused: readonly PausedSpan[];
  /** The first instant that it knows of, and the last. */
  readonly firstAt: number;
  readonly lastAt: number;
}

const LISTS: OptionNames<History> = { runs: true, triggers: true, decisions: true, pauses: true };
const refuse = invalidArgument("backtest");

/**
 * Checks a history.
 *
 * @throws HeadgateError `INVALID_ARGUMENT`, `INVALID_INSTANT`
 */
export function recordedHistory(history: readonly HistoricalRun[] | History, pipeline: Pipeline): Recorded {
  const lists = Array.isArray(history) ? { runs: history as readonly HistoricalRun[] } : (history as History);
  if (!isOptionsObject(lists)) throw refuse("history", `must be an array of runs, or what readHistory(…) returns (got ${shown(lists)})`);
  checkOptions(lists, LISTS, "backtest: history");
  for (const [name, list] of Object.entries(lists))
    if (list !== undefined && !Array.isArray(list)) throw refuse(`history.${name}`, `must be an array (got ${shown(list)})`);
  const pipelineId = onlyPipeline(lists, pipeline.id);
  const checked = lists.triggers?.map((one, index) => ({ id: one.id, trigger: triggerOf(one, index) })) ?? null;
  const keys = new Map(checked?.map(({ id, trigger }) => [id, trigger.key]));
  const inOrder = checked?.toSorted((a, b) => a.trigger.createdAt - b.trigger.createdAt || (a.id < b.id ? -1 : 1));
  const triggers = inOrder?.map(({ trigger }) => trigger) ?? null;
  const runs = byTime(
    lists.runs.map((run, index) => recordedRun(run, index, keys, pipeline.execution)),
    ({ startedAt }) => startedAt,
  );
  const decisions =
    lists.decisions === undefined
      ? null
      : byTime(
          lists.decisions.map((one, index) => decisionOf(one, index, keys)),
          ({ at }) => at,
        );
  const pauses = lists.pauses === undefined ? null : byTime(lists.pauses.flatMap(pauseOf(pipelineId)), ({ at }) => at);
  const requests = triggers === null ? runs.flatMap(requestOf) : triggers.filter(({ kind }) => kind !== "scheduled");
  const paused = pausedSpans(pauses ?? []);
  return { runs, triggers, requests, decisions, pauses, paused, ...spanOf(runs, triggers ?? requests, decisions ?? [], paused) };
}

/** Groups decisions by the key of their trigger; those on dropped fire times are left out. */
export function decisionsByTrigger(decisions: readonly RecordedDecision[]): Map<string, RecordedDecision[]> {
  const found = new Map<string, RecordedDecision[]>();
  for (const decision of decisions) {
    if (decision.key === null) continue;
    const known = found.get(decision.key);
    if (known === undefined) found.set(decision.key, [decision]);
    else known.push(decision);
  }
  return found;
}

/** @throws HeadgateError `INVALID_ARGUMENT` when the history is of several pipelines, which would be mixed up */
function onlyPipeline(history: History, fallback: string): string {
  const ids = new Set<string>();
  for (const list of [history.runs, history.triggers ?? [], history.decisions ?? []])
    for (const { pipelineId } of list) if (pipelineId !== undefined) ids.add(pipelineId);
  if (ids.size <= 1) return [...ids][0] ?? fallback;
  throw refuse("history", `has records of several pipelines (${[...ids].slice(0, 5).join(", ")}); pass those of one`);
}

function byTime<T>(records: readonly T[], at: (record: T) => number): readonly T[] {
  return records.toSorted((a, b) => at(a) - at(b));
}

function triggerOf(trigger: HistoricalTrigger, index: number): RecordedTrigger {
  const { id, kind, priority, isForced, endReason, endedBy = null, parameters = null, requestedBy = null } = trigger;
  const where = `history.triggers[${index}]`;
  if (!PRIORITIES.includes(priority as Priority)) throw refuse(`${where}.priority`, `${shown(priority)} is unknown`);
  const scheduledFor = trigger.scheduledFor === null ? null : epochMs(trigger.scheduledFor, `${where}.scheduledFor`);
  const createdAt = epochMs(trigger.createdAt, `${where}.createdAt`);
  const endedAt = trigger.endedAt === null ? null : epochMs(trigger.endedAt, `${where}.endedAt`);
  return {
    key: keyOf(kind, scheduledFor, id),
    kind: kind as TriggerKind,
    priority: priority as Priority,
    scheduledFor,
    intervalStart: trigger.interval ? epochMs(trigger.interval.start, `${where}.interval.start`) : null,
    rerunOf: trigger.rerunOf ?? null,
    idempotencyKey: trigger.idempotencyKey,
    reason: trigger.reason,
    user: trigger.user,
    requestedBy,
    parameters,
    createdAt,
    availableAt: epochMs(trigger.availableAt, `${where}.availableAt`),
    isForced,
    endedAt,
    cancel: trigger.status === "cancelled" && endedAt !== null ? { at: endedAt, user: endedBy, reason: endReason } : null,
    isLateByPause: trigger.catchup?.cause === "paused",
  };
}

/** Returns what a run without a fire time shows of its trigger, when the history has no triggers. */
function requestOf({ key, scheduledFor, startedAt }: RecordedRun): RecordedTrigger[] {
  if (key.startsWith("fire time")) return [];
  const [kind, at] = [scheduledFor === null ? ("manual" as const) : ("backfill" as const), startedAt];
  const unsaid = {
    intervalStart: null,
    rerunOf: null,
    idempotencyKey: null,
    reason: null,
    user: null,
    requestedBy: null,
    parameters: null,
    isForced: false,
    endedAt: null,
    cancel: null,
    isLateByPause: false,
  };
  return [{ ...unsaid, key, kind, priority: "normal", scheduledFor, createdAt: at, availableAt: at }];
}

function decisionOf(decision: HistoricalDecision, index: number, keys: ReadonlyMap<string, string>): RecordedDecision {
  const { triggerId, outcome, reason, findings, missed, repeated = null } = decision;
  const where = `history.decisions[${index}]`;
  if (!DECISION_OUTCOMES.includes(outcome as DecisionOutcome)) throw refuse(`${where}.outcome`, `${shown(outcome)} is unknown`);
  if (!Array.isArray(findings)) throw refuse(`${where}.findings`, `must be an array (got ${shown(findings)})`);
  const scheduledFor = decision.scheduledFor === null ? null : epochMs(decision.scheduledFor, `${where}.scheduledFor`);
  const at = epochMs(decision.at, `${where}.at`);
  const looks = repeated?.count ?? 1;
  const lastLookAt = repeated === null ? at : epochMs(repeated.lastAt, `${where}.repeated.lastAt`);
  checkInteger(looks, { least: 1 }, `${where}.repeated.count`, refuse);
  if (lastLookAt < at) throw refuse(`${where}.repeated.lastAt`, "must not be before `at`");
  return {
    key:
      triggerId === null ? null : (keys.get(triggerId) ?? keyOf(scheduledFor === null ? "manual" : "scheduled", scheduledFor, triggerId)),
    at,
    outcome: outcome as DecisionOutcome,
    reason,
    findings: findings.map((one: HistoricalFinding, place) => findingOf(one, `${where}.findings[${place}]`)),
    count: missed?.count ?? 1,
    isOfPause: triggerId === null && (missed?.pause !== undefined || reason.startsWith("paused")), // 0.1.0 says it in the reason alone
    looks,
    lastLookAt,
  };
}

function findingOf({ condition, result, reason, evidence, recheckAt }: HistoricalFinding, where: string): Finding {
  if (result !== "pass" && result !== "block" && result !== "not_evaluated") throw refuse(`${where}.result`, `${shown(result)} is unknown`);
  return {
    condition,
    result,
    reason,
    ...(evidence === undefined ? {} : { evidence }),
    ...(recheckAt === undefined ? {} : { recheckAt: epochMs(recheckAt, `${where}.recheckAt`) }),
  };
}

const pauseOf =
  (ownId: string) =>
  (pause: HistoricalPause, index: number): RecordedPause[] => {
    const { action, pipelineId, until = null, reason = null, user = null } = pause;
    const where = `history.pauses[${index}]`;
    if (action !== "pause" && action !== "resume") throw refuse(`${where}.action`, `${shown(action)} is unknown; allowed: pause, resume`);
    if (pipelineId !== null && pipelineId !== ownId) return [];
    const at = epochMs(pause.at, `${where}.at`);
    return [{ at, action, isGlobal: pipelineId === null, until: until === null ? null : epochMs(until, `${where}.until`), reason, user }];
  };

/** Pauses from their beginning to their end, by a resume or by themselves. */
function pausedSpans(pauses: readonly RecordedPause[]): readonly PausedSpan[] {
  return [true, false].flatMap((isGlobal) => {
    const spans: PausedSpan[] = [];
    let open = null as PausedSpan | null;
    for (const { at, action, until } of pauses.filter((one) => one.isGlobal === isGlobal)) {
      const endedAt = open?.until ?? null;
      if (open !== null && endedAt !== null && endedAt <= at) {
        spans.push(open);
        open = null;
      }
      if (action === "pause") open = { from: open?.from ?? at, until };
      else if (open !== null) {
        spans.push({ from: open.from, until: at });
        open = null;
      }
    }
    return open === null ? spans : [...spans, open];
  });
}

function spanOf(
  runs: readonly RecordedRun[],
  triggers: readonly RecordedTrigger[],
  decisions: readonly RecordedDecision[],
  pauses: readonly PausedSpan[],
): Pick<Recorded, "firstAt" | "lastAt"> {
  let [firstAt, lastAt] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  const include = (at: number) => {
    if (at < firstAt) firstAt = at;
    if (at > lastAt) lastAt = at;
  };
  for (const { startedAt, endedAt, attempts, dueAt } of runs) {
    for (const at of [startedAt, dueAt, endedAt ?? startedAt]) include(at);
    for (const one of attempts) include(one.endedAt ?? one.startedAt);
  }
  for (const { createdAt, endedAt } of triggers) {
    include(createdAt);
    if (endedAt !== null) include(endedAt);
  }
  for (const { at, lastLookAt } of decisions) for (const one of [at, lastLookAt]) include(one);
  if (!runs.some(({ endedAt }) => endedAt !== null)) throw refuse("history", "has no run that has ended");
  const ofRecords = firstAt;
  for (const { from, until } of pauses) if (from < ofRecords && (until === null || until >= ofRecords)) include(from); // what it held up came when it ended
  return { firstAt, lastAt };
}
