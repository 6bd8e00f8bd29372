/** Explanations of instants that have passed, or of now. */
import { isoUtc } from "../../base/instant.js";
import type { DecisionRecord } from "../../gate/finding.js";
import type { Pipeline } from "../../pipeline/pipeline.js";
import type { SensorStatus } from "../../ports/scheduler-api/status.js";
import type { TriggerRecord } from "../../trigger/trigger.js";
import type { Core } from "../context/core.js";
import { tellDropped } from "./dropped.js";
import { byWhom, nameOf } from "./explain-words.js";
import { acceptedUntil, pausesOver, statusAt, whyNothing } from "./nothing-due.js";
import { LIGHT, MEANT_MS, type Story } from "./story.js";
import { tellTrigger } from "./trigger-story.js";

/** Triggers of one minute, and triggers open at one instant, that are read. */
const READ_AT_ONCE = 200;

/** Explains what happened, or is happening. */
export async function tell(
  core: Pick<Core, "executors" | "fireQueue" | "node" | "settings" | "store">,
  pipeline: Pipeline,
  sensors: readonly SensorStatus[],
  at: number,
  now: number,
): Promise<Story> {
  const { id: pipelineId } = pipeline;
  const span = { pipelineId, from: at, until: at + MEANT_MS, limit: READ_AT_ONCE, ...LIGHT };
  const [ofFireTimes, drops] = await Promise.all([core.store.triggersForFireTimes(span), core.store.dropsOfFireTimes(span)]);
  const drop = drops.at(-1);
  const meant = firstOf(ofFireTimes);
  const dropAt = drop === undefined ? null : droppedFireTime(pipeline, drop, at);
  if (drop !== undefined && dropAt !== null && (meant?.scheduledFor ?? Number.POSITIVE_INFINITY) >= dropAt)
    return withBackfill(core, pipeline, ofFireTimes, { ...tellDropped(pipeline, drop, dropAt), dropAt }, now);
  if (meant !== undefined) return withOthers(await tellTrigger(core, pipeline, meant, now), meant, ofFireTimes);
  const before = await acceptedUntil(core, pipelineId, at);
  const requested = before.findLast(({ createdAt }) => createdAt === at);
  if (requested !== undefined) return tellTrigger(core, pipeline, requested, now);
  const unrecorded = await tellUnrecorded(core, pipeline, before, at, now);
  if (unrecorded?.answer === "waiting") return unrecorded;
  const [open] = await core.store.triggersOpenAt({ pipelineId, at, limit: 1, ...LIGHT });
  const brief = before.find(({ endedAt }) => endedAt === null || endedAt > at);
  const newest = [open, brief].filter((one) => one !== undefined).sort((a, b) => b.createdAt - a.createdAt)[0];
  if (newest !== undefined) return tellTrigger(core, pipeline, newest, now);
  return unrecorded ?? tellNothing(core, pipeline, sensors, before, at, now);
}

/** Of the earliest fire time: the scheduled trigger, or the first of its backfills. */
function firstOf(ofFireTimes: readonly TriggerRecord[]): TriggerRecord | undefined {
  const earliest = ofFireTimes.filter(({ scheduledFor }) => scheduledFor === ofFireTimes.at(-1)?.scheduledFor);
  return earliest.find(({ kind }) => kind === "scheduled") ?? earliest.at(-1);
}

/** The fire time within a minute that a decision has dropped, first of its own record, then by the schedule; `null` when none is meant. */
function droppedFireTime({ schedule }: Pipeline, { scheduledFor, missed }: DecisionRecord, at: number): number | null {
  const firstAt = scheduledFor ?? at;
  if (firstAt >= at) return firstAt;
  const next = schedule.nextAfter(at - 1);
  const lastAt = missed?.lastAt ?? firstAt;
  if (next !== null && next < at + MEANT_MS && next <= lastAt) return next;
  return lastAt >= at && lastAt < at + MEANT_MS ? lastAt : null;
}

/** A fire time that was dropped and backfilled later: both. */
async function withBackfill(
  core: Pick<Core, "executors" | "fireQueue" | "node" | "settings" | "store">,
  pipeline: Pipeline,
  ofFireTimes: readonly TriggerRecord[],
  { dropAt, ...story }: Story & { readonly dropAt: number },
  now: number,
): Promise<Story> {
  const backfill = ofFireTimes.find(({ scheduledFor }) => scheduledFor === dropAt);
  if (backfill === undefined) return story;
  const { advice: _, ...later } = await tellTrigger(core, pipeline, backfill, now);
  const by = byWhom({ user: backfill.user, reason: backfill.reason });
  return {
    ...later,
    text: `${story.text}; it was backfilled at ${isoUtc(backfill.createdAt)}${by}, and ${later.text}`,
    decisions: [...(story.decisions ?? []), ...(later.decisions ?? [])],
  };
}

/** A fire time that was made and backfilled later: the newest backfill beside it. */
function withOthers(story: Story, meant: TriggerRecord, ofFireTimes: readonly TriggerRecord[]): Story {
  const other = ofFireTimes.find(({ id, scheduledFor }) => id !== meant.id && scheduledFor === meant.scheduledFor);
  if (other === undefined) return story;
  const by = byWhom({ user: other.user, reason: other.reason });
  return { ...story, text: `${story.text}; it was also backfilled at ${isoUtc(other.createdAt)}${by}, by a trigger ${statusAt(other)}` };
}

/** A fire time by the schedule that left no record; `null` when there is none. */
async function tellUnrecorded(
  core: Pick<Core, "store">,
  pipeline: Pipeline,
  before: readonly TriggerRecord[],
  at: number,
  now: number,
): Promise<Story | null> {
  const fireAt = pipeline.schedule.nextAfter(at - 1);
  if (fireAt === null || fireAt >= at + MEANT_MS || fireAt > now) return null;
  const [state] = await core.store.states([pipeline.id]);
  const isOpen = state?.nextFireAt !== null && state?.nextFireAt !== undefined && state.nextFireAt <= fireAt;
  const pauses = isOpen ? await pausesOver(core, pipeline, fireAt) : [];
  if (pauses.length > 0)
    return {
      answer: "waiting",
      text: `${pauses.join(", and ")}; its fire time ${isoUtc(fireAt)} has not been decided yet: catchup "${pipeline.execution.catchup}" will decide when the pause ends`,
      advice: "To have it decided now, resume what is paused.",
    };
  if (isOpen) return { answer: "waiting", text: `its fire time ${isoUtc(fireAt)} is due, and its trigger is about to be created` };
  if (pipeline.schedule.kind === "adaptive" || before.some(({ endedAt }) => endedAt !== null && endedAt <= fireAt)) return null;
  return {
    answer: "unknown",
    text: `its current schedule has a fire time at ${isoUtc(fireAt)}, but there is no record of it: the pipeline was added or its schedule changed after that, or the record has been pruned`,
  };
}

async function tellNothing(
  core: Pick<Core, "store">,
  pipeline: Pipeline,
  sensors: readonly SensorStatus[],
  before: readonly TriggerRecord[],
  at: number,
  now: number,
): Promise<Story> {
  const { schedule } = pipeline;
  const fireAt = schedule.kind === "adaptive" ? null : schedule.nextAfter(at - 1);
  const isNew = fireAt !== null && fireAt < at + MEANT_MS && fireAt <= now;
  const what = isNew
    ? `its current schedule (${schedule.describe()}) has a fire time at ${isoUtc(fireAt)}, but no run was due then: its schedule was different, or it was not registered on any node`
    : `no run was due then (${schedule.describe()})`;
  const clauses = await whyNothing(core, pipeline, sensors, at, now);
  const [last] = before;
  clauses.push(
    last === undefined
      ? "there is no record of an earlier trigger of the pipeline"
      : `its previous trigger was ${nameOf(last)}, ${statusAt(last)}`,
  );
  return { answer: "not_scheduled", text: [what, ...clauses].join("; ") };
}
