import { formatDuration } from "../../base/duration.js";
import { isoUtc, toDate } from "../../base/instant.js";
import type { DecisionRecord, MissedFires, MissedPause } from "../../gate/finding.js";
import { decisionView } from "../../gate/view.js";
import type { Pipeline } from "../../pipeline/pipeline.js";
import type { FireRequest, FireResult, GlobalPause } from "../../ports/store.js";
import { type DroppedFires, type MisfirePlan, planMisfires } from "../../schedule/misfire.js";
import { type SkippedFire, skipReason } from "../../schedule/skips.js";
import type { CatchupRecord, NewTrigger, TriggerRecord } from "../../trigger/trigger.js";
import type { Core } from "../context/core.js";
import { ofDecision, ofTrigger } from "../context/event-payloads.js";
import type { Entry } from "../context/fire-queue.js";
import type { CatchupCauses, CoveringPause } from "./catchup-causes.js";
import { severalUntil } from "./replan.js";

const PIPELINES_AT_ONCE = 1_000;

/**
 * Turns the fire times that are due into triggers: each schedule is advanced and its triggers are enqueued in one transaction.
 * Gives false when everything is paused and nothing fires.
 */
export async function fireDue(
  core: Pick<Core, "clock" | "events" | "fireQueue" | "newId" | "settings" | "store">,
  causes: CatchupCauses,
  global: GlobalPause,
  now: number,
): Promise<boolean> {
  const { fireQueue } = core;
  for (let taken = fireQueue.takeDue(now, PIPELINES_AT_ONCE); taken.length > 0; taken = fireQueue.takeDue(now, PIPELINES_AT_ONCE)) {
    try {
      if (!(await fireThese(core, causes, taken, global, now))) return false;
      await core.clock.yield?.();
    } catch (error) {
      for (const entry of taken) fireQueue.place(entry, now); // still due: fired when the store is back
      throw error;
    }
  }
  return true;
}

async function fireThese(
  core: Pick<Core, "events" | "fireQueue" | "newId" | "settings" | "store">,
  causes: CatchupCauses,
  taken: readonly Entry[],
  global: GlobalPause,
  now: number,
): Promise<boolean> {
  const { fireQueue } = core;
  const due: Entry[] = [];
  const requests: FireRequest[] = [];
  for (const one of await plansOf(core, await endPauses(core, taken, now), global, now)) {
    const { entry } = one;
    due.push(entry);
    const causeOf = (fireAt: number) => causes.of(entry, fireAt, pausesOf(entry, global), now);
    requests.push(requestOf(core, one, causeOf, now));
  }
  if (requests.length === 0) return true;
  let isOpen = true;
  const results = await sent(core, due, requests, now);
  for (let index = 0; index < results.length; index++) {
    const result = results[index] as FireResult;
    const entry = due[index] as Entry;
    if (fireQueue.get(entry.pipeline.id) === entry) fireQueue.sync(entry, result.state, now);
    if (result.outcome === "fired") tellFired(core, requests[index] as FireRequest, result);
    else if (result.outcome === "moved") await tellUnanswered(core, entry);
    unanswered.delete(entry);
    if (result.outcome === "paused" && result.state?.pause === null) isOpen = false;
  }
  return isOpen;
}

/** Fires without a response, the first and the newest request of each: they may have been committed. */
const unanswered = new WeakMap<Entry, readonly FireRequest[]>();

async function sent(
  core: Pick<Core, "store">,
  due: readonly Entry[],
  requests: readonly FireRequest[],
  now: number,
): Promise<readonly FireResult[]> {
  try {
    return await core.store.fire(requests, now);
  } catch (error) {
    for (const [index, entry] of due.entries()) {
      const [first] = unanswered.get(entry) ?? [];
      const request = requests[index] as FireRequest;
      unanswered.set(entry, first === undefined ? [request] : [first, request]);
    }
    throw error;
  }
}

/** Emits what this node itself has fired when it finds a schedule moved. */
async function tellUnanswered(core: Pick<Core, "events" | "store">, entry: Entry): Promise<void> {
  for (const request of unanswered.get(entry) ?? []) {
    const found = await Promise.all(request.triggers.map(({ id }) => core.store.trigger(id)));
    const triggers = found.filter((trigger) => trigger !== null);
    if (triggers.length === 0) continue;
    const replaced = await Promise.all(triggers.flatMap(({ supersedes }) => (supersedes === null ? [] : [core.store.trigger(supersedes)])));
    const superseded = replaced.filter((trigger) => trigger !== null && !triggers.some(({ id }) => id === trigger.id));
    tellFired(core, request, { outcome: "fired", state: null, triggers, superseded: superseded as TriggerRecord[] });
  }
}

/** Refreshes what is believed paused, ends pauses whose time is over, and gives the entries whose fire time is due. */
async function endPauses(core: Pick<Core, "events" | "fireQueue" | "store">, taken: readonly Entry[], now: number): Promise<Entry[]> {
  const { fireQueue, store } = core;
  const paused = taken.filter(({ pause }) => pause !== null);
  if (paused.length > 0) {
    const states = await store.states(paused.map(({ pipeline }) => pipeline.id));
    for (const [index, entry] of paused.entries()) {
      fireQueue.sync(entry, states[index] ?? null, now);
      const until = entry.pause?.until ?? null;
      if (until !== null && until <= now) await resumeOne(core, entry, until, now);
    }
  }
  return taken.filter((entry) => {
    const isDue = entry.pause === null && entry.nextFireAt !== null && entry.nextFireAt <= now;
    if (!isDue) fireQueue.place(entry, now);
    return isDue;
  });
}

async function resumeOne(core: Pick<Core, "events" | "fireQueue" | "store">, entry: Entry, until: number, now: number): Promise<void> {
  const { id } = entry.pipeline;
  const [pause = null] = await core.store.resume([{ pipelineId: id }], until);
  await core.store.recheck([id], now);
  const [state] = await core.store.states([id]);
  core.fireQueue.sync(entry, state ?? null, now);
  if (pause !== null) core.events.emit("resumed", () => ({ pipelineId: id, reason: pause.reason, user: pause.user, isAutomatic: true }));
}

type Plan = MisfirePlan<CoveringPause>;

/** A plan, and where the schedule stood when it was made: settings that change while the store is asked sync the entry, and a plan made before that must not be taken for one made after. */
interface Planned {
  readonly entry: Entry;
  readonly pipeline: Pipeline;
  readonly dueAt: number | null;
  readonly skips: readonly SkippedFire[];
  readonly plan: Plan;
}

function isCurrent({ entry, pipeline, dueAt, skips }: Planned): boolean {
  return entry.pipeline === pipeline && entry.nextFireAt === dueAt && entry.skips === skips;
}

/** Pauses that may cover fire times of a pipeline: its own count before those of everything. */
function pausesOf(entry: Entry, global: GlobalPause): readonly CoveringPause[] {
  if (entry.endedPauses.length === 0 && global.endedPauses.length === 0) return [];
  return [
    ...entry.endedPauses.map((pause) => ({ ...pause, isGlobal: false })),
    ...global.endedPauses.map((pause) => ({ ...pause, isGlobal: true })),
  ];
}

/** Plans what becomes of the fire times that are due. One that would be dropped may have been made by a clock that was ahead: the store knows, and it is passed over. */
async function plansOf(
  core: Pick<Core, "events" | "fireQueue" | "settings" | "store">,
  entries: readonly Entry[],
  global: GlobalPause,
  now: number,
): Promise<Planned[]> {
  const planned = entries.flatMap((entry): Planned[] => {
    const { pipeline, nextFireAt: dueAt, skips } = entry;
    const plan = planOf(core, entry, global, now);
    return plan === null ? [] : [{ entry, pipeline, dueAt, skips, plan }];
  });
  const dropping = planned.filter(({ plan }) => plan.dropped.length > 0);
  if (dropping.length === 0) return planned;
  const made = await core.store.firesMade(
    dropping.map(({ entry }) => entry.pipeline.id),
    now,
  );
  const madeOf = new Map(dropping.map(({ entry }, index) => [entry, made[index] ?? []]));
  return planned.flatMap((one): Planned[] => {
    const { entry, plan } = one;
    if (!isCurrent(one)) {
      core.fireQueue.place(entry, now); // if it is still due, it is planned again from where it stands now
      return [];
    }
    const known = madeOf.get(entry) ?? [];
    const again = known.length === 0 ? plan : planOf(core, entry, global, now, new Set(known));
    return again === null ? [] : [{ ...one, plan: again }];
  });
}

/** `null` when the schedule itself throws: it is reported, and no longer fires until the pipeline is replaced. */
function planOf(
  core: Pick<Core, "events" | "fireQueue" | "settings">,
  entry: Entry,
  global: GlobalPause,
  now: number,
  made?: ReadonlySet<number>,
): Plan | null {
  const { id, schedule, execution } = entry.pipeline;
  const paused = pausesOf(entry, global);
  try {
    return planMisfires({
      schedule,
      dueAt: entry.nextFireAt,
      now,
      catchup: execution.catchup,
      windowMs: execution.catchupWindowMs,
      onTimeMs: core.settings.onTimeMs,
      ...(paused.length === 0 ? null : { paused }),
      ...(made === undefined ? null : { made }),
      ...(entry.skips.length === 0 ? null : { skips: entry.skips }),
    });
  } catch (error) {
    entry.nextFireAt = null;
    entry.isOurs = false;
    core.fireQueue.place(entry, now);
    core.events.report(error, `the schedule of pipeline ${id}, which no longer fires`);
    return null;
  }
}

function requestOf(
  core: Pick<Core, "newId">,
  { entry, pipeline, dueAt, plan }: Planned,
  causeOf: (fireAt: number) => CatchupRecord | null,
  now: number,
): FireRequest {
  const { id, schedule, execution } = pipeline;
  const before = previousOf(entry.lastFireAt, plan);
  const lastDropped = plan.dropped.at(-1)?.lastAt ?? Number.NEGATIVE_INFINITY;
  const lastFireAt = Math.max(plan.fires.at(-1) ?? Number.NEGATIVE_INFINITY, lastDropped);
  return {
    pipelineId: id,
    scheduleKey: schedule.key,
    expectedFireAt: dueAt,
    nextFireAt: plan.nextFireAt,
    lastFireAt: Number.isFinite(lastFireAt) ? lastFireAt : null,
    triggers: plan.fires.map(
      (fireTime): NewTrigger => ({
        id: core.newId(now),
        pipelineId: id,
        kind: "scheduled",
        priority: execution.priority,
        scheduledFor: fireTime,
        intervalStart: before(fireTime),
        key: null,
        reason: null,
        user: null,
        requestedBy: null,
        parameters: null,
        size: 0,
        notBefore: null,
        isForced: false,
        catchup: causeOf(fireTime),
      }),
    ),
    dropped: plan.dropped.map((dropped) => droppedDecision(core, pipeline, dropped, causeOf(dropped.firstAt), now)),
  };
}

/** Returns what finds the fire time before each that is made, made or dropped itself, if they are asked for in order; `null` while there is none. */
function previousOf(lastFireAt: number | null, { fires, dropped }: Plan): (fireTime: number) => number | null {
  if (fires.length === 1 && dropped.length === 0) return () => lastFireAt; // as almost always
  const passed = [...fires, ...dropped.map(({ lastAt }) => lastAt)].sort((one, other) => one - other);
  let index = 0;
  let previous = lastFireAt;
  return (fireTime) => {
    for (let at = passed[index]; at !== undefined && at < fireTime; at = passed[++index]) previous = at;
    return previous;
  };
}

function droppedDecision(
  core: Pick<Core, "newId">,
  { id, execution }: Pipeline,
  dropped: DroppedFires<CoveringPause>,
  late: CatchupRecord | null,
  now: number,
): DecisionRecord {
  const pause = dropped.pause === undefined ? undefined : missedPauseOf(dropped.pause);
  const missed = `missed, ${formatDuration(now - dropped.firstAt)} late`;
  const why: Record<DroppedFires["reason"], string> = {
    skipped: dropped.skip === undefined ? "it was skipped" : skipReason(dropped.skip),
    paused: pause === undefined ? "the pipeline was paused" : pausedReason(pause),
    catchup_none: `${missed}; catchup is "none"`,
    catchup_latest: `${missed}; catchup is "latest" and there was a newer fire time`,
    outside_catchup_window: `${missed}; older than the catchup window of ${formatDuration(execution.catchupWindowMs)}`,
  };
  return {
    id: core.newId(now),
    pipelineId: id,
    triggerId: null,
    kind: "scheduled",
    scheduledFor: dropped.firstAt,
    at: now,
    outcome: "skip",
    reason: dropped.count === 1 ? why[dropped.reason] : `${why[dropped.reason]} ${severalUntil(dropped.count, dropped.lastAt)}`,
    findings: [],
    missed: missedOf(dropped, pause, late),
  };
}

/** `null` for a single fire time of which nothing more is known. */
function missedOf({ count, lastAt, skip }: DroppedFires, pause: MissedPause | undefined, late: CatchupRecord | null): MissedFires | null {
  if (skip !== undefined) {
    const { fireAt: _, ...by } = skip;
    return { count, lastAt, skip: by };
  }
  if (pause !== undefined) return { count, lastAt, pause };
  if (late !== null && late.cause !== "paused") return { count, lastAt, cause: late };
  return count === 1 ? null : { count, lastAt };
}

function missedPauseOf({ from, until, reason, user, isGlobal }: CoveringPause): MissedPause {
  return { at: from, until, reason, user, isGlobal };
}

function pausedReason({ at, until, reason, user, isGlobal }: MissedPause): string {
  const by = user === null ? "" : ` by ${user}`;
  return `${isGlobal ? "everything" : "the pipeline"} was paused from ${isoUtc(at)} to ${isoUtc(until)}${by}${reason === null ? "" : ` (${reason})`}`;
}

function tellFired({ events }: Pick<Core, "events">, request: FireRequest, { triggers, superseded }: FireResult): void {
  const { pipelineId, dropped, nextFireAt } = request;
  if (triggers.length > 0) {
    events.emit("schedule.fired", () => ({
      pipelineId,
      fireTimes: triggers.map(({ scheduledFor }) => toDate(scheduledFor as number)),
      nextFireAt: toDate(nextFireAt),
    }));
  }
  if (dropped.length > 0) {
    events.emit("schedule.dropped", () => ({ pipelineId, decisions: dropped.map(decisionView) }));
    for (const decision of dropped) events.emit("decision", ofDecision, decision);
  }
  for (const trigger of triggers) events.emit("trigger.created", ofTrigger, trigger);
  for (const trigger of superseded) events.emit("trigger.superseded", ofTrigger, trigger);
  for (const trigger of triggers) {
    if (trigger.status === "superseded") events.emit("trigger.superseded", ofTrigger, trigger);
  }
}
