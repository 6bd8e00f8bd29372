import { formatDuration } from "../../base/duration.js";
import { isoUtc } from "../../base/instant.js";
import type { DecisionRecord } from "../../gate/finding.js";
import { isActive, type RunRecord } from "../../run/run.js";
import { isEnded, type TriggerRecord } from "../../trigger/trigger.js";
import type { Core } from "../core.js";
import type { Pipeline } from "../pipeline.js";
import { nameOf, paused } from "./explain-words.js";
import { MEANT_MS, type Story } from "./story.js";

const LOOKED_THROUGH = 1_000;
/** Records that are only looked through are read without parameters, outputs and findings; findings that are shown, up to this many bytes each. */
const LIGHT = { valueLimit: 2 };
const FINDINGS_BYTES = 16_384;
/** What happened, or is happening. */
export async function tell(core: Core, pipeline: Pipeline, at: number, now: number): Promise<Story> {
  const { store } = core;
  const { id: pipelineId } = pipeline;
  const meant = await store.listTriggers({ pipelineId, scheduledFrom: at, scheduledUntil: at + MEANT_MS, limit: LOOKED_THROUGH, ...LIGHT });
  const exact = meant.findLast(({ scheduledFor, createdAt }) => scheduledFor !== null || createdAt === at);
  if (exact !== undefined) return tellTrigger(core, pipeline, exact, now);
  const dropped = await droppedAt(core, pipelineId, at);
  if (dropped !== null)
    return {
      answer: "missed",
      text: `its fire time ${isoUtc(dropped.scheduledFor ?? at)} was dropped: ${dropped.reason}`,
      decisions: [dropped],
    };
  const fireAt = pipeline.schedule.nextAfter(at - 1);
  if (fireAt !== null && fireAt < at + MEANT_MS && fireAt <= now) return tellUnrecorded(core, pipeline, fireAt);
  const open = await openAt(core, pipelineId, at);
  if (open !== null) return tellTrigger(core, pipeline, open, now);
  const [last] = await store.listTriggers({ pipelineId, scheduledUntil: at, limit: 1, ...LIGHT });
  const before = last === undefined ? "nothing before it is kept" : `the last before it was ${await brief(core, last)}`;
  return { answer: "not_scheduled", text: `nothing asked for a run then (${pipeline.schedule.describe()}); ${before}` };
}

/** The trigger that was waiting or running at an instant. */
async function openAt({ store }: Core, pipelineId: string, at: number): Promise<TriggerRecord | null> {
  const triggers = await store.listTriggers({ pipelineId, limit: LOOKED_THROUGH, ...LIGHT });
  return triggers.find(({ createdAt, endedAt }) => createdAt <= at && (endedAt === null || endedAt > at)) ?? null;
}

async function droppedAt({ store }: Core, pipelineId: string, at: number): Promise<DecisionRecord | null> {
  const skips = await store.listDecisions({
    pipelineId,
    outcomes: ["skip"],
    scheduledUntil: at + MEANT_MS,
    limit: LOOKED_THROUGH,
    ...LIGHT,
  });
  const covers = ({ triggerId, scheduledFor, missed }: DecisionRecord) =>
    triggerId === null && scheduledFor !== null && scheduledFor < at + MEANT_MS && at <= (missed?.lastAt ?? scheduledFor);
  return skips.find(covers) ?? null;
}

async function tellUnrecorded(core: Core, pipeline: Pipeline, fireAt: number): Promise<Story> {
  const [state] = await core.store.states([pipeline.id]);
  const pause = state?.pause ?? (await core.store.globalPause()).pause;
  if (pause !== null && pause.at <= fireAt) {
    return {
      answer: "waiting",
      text: `${paused(pause, state?.pause !== pause)}; on resume catchup (${pipeline.execution.catchup}) decides on its fire time ${isoUtc(fireAt)}`,
    };
  }
  if (state?.nextFireAt === fireAt) return { answer: "waiting", text: `its fire time ${isoUtc(fireAt)} is due and about to be made` };
  return {
    answer: "unknown",
    text: `its schedule asks for a run at ${isoUtc(fireAt)}, but nothing is kept of it: it was before the pipeline was registered, or beyond the store's retention`,
  };
}

async function tellTrigger(core: Core, pipeline: Pipeline, found: TriggerRecord, now: number): Promise<Story> {
  const { store } = core;
  const trigger = (await store.trigger(found.id)) ?? found;
  const shown = { triggerId: trigger.id, limit: LOOKED_THROUGH, valueLimit: FINDINGS_BYTES };
  const decisions = (await store.listDecisions(shown)).toReversed();
  const run = trigger.runId === null ? null : await store.run(trigger.runId);
  const story = { trigger, decisions, run };
  const who = nameOf(trigger);
  const last = decisions.at(-1);
  switch (trigger.status) {
    case "pending":
    case "held":
      return { ...story, answer: "waiting", text: `${who} is waiting: ${await whyWaiting(core, pipeline, trigger, last, now)}` };
    case "skipped":
      return { ...story, answer: "skipped", text: `${who} was skipped: ${trigger.endReason ?? last?.reason}` };
    case "superseded":
      return {
        ...story,
        answer: "superseded",
        text: `${who} was replaced while it waited: ${trigger.endReason} (${trigger.supersededBy})`,
      };
    case "expired":
      return {
        ...story,
        answer: "expired",
        text: `${who} expired: ${trigger.endReason}${last === undefined ? "" : `; last held because ${last.reason}`}`,
      };
    case "cancelled":
      return { ...story, answer: "cancelled", text: `${who} was cancelled${trigger.endReason === null ? "" : `: ${trigger.endReason}`}` };
    case "running":
    case "succeeded":
    case "failed":
      return {
        ...story,
        answer: run?.status === "running" || run?.status === "retrying" ? run.status : "ran",
        text: `${who} ran because ${last?.reason ?? "its gate was open"}; ${runInWords(run)}`,
      };
    default:
      return trigger.status satisfies never;
  }
}

function runInWords(run: RunRecord | null): string {
  if (run === null) return "its run is no longer kept";
  const attempts = run.attempt === 1 ? "" : ` in attempt ${run.attempt}`;
  const error = run.error === null ? "" : ` (${run.error.message})`;
  if (run.status === "running") return `its run ${run.id} has been running since ${isoUtc(run.startedAt)}${attempts}${cancelInWords(run)}`;
  if (run.status === "retrying")
    return `its run ${run.id} waits for attempt ${run.attempt + 1} at ${isoUtc(run.retryAt ?? run.startedAt)}${error}`;
  const took = formatDuration((run.endedAt ?? run.startedAt) - run.startedAt);
  return `its run ${run.id} started ${isoUtc(run.startedAt)} and ${run.status.replace("_", " ")} after ${took}${attempts}${run.status === "succeeded" ? "" : error}`;
}

/** Says who has requested the end of a run that still runs. */
function cancelInWords({ cancelRequest }: RunRecord): string {
  if (cancelRequest === null) return "";
  const { at, user, reason } = cancelRequest;
  return `; its end was requested ${isoUtc(at)}${user === null ? "" : ` by ${user}`}${reason === null ? "" : `: ${reason}`}`;
}

async function whyWaiting(
  { store, settings }: Core,
  pipeline: Pipeline,
  trigger: TriggerRecord,
  last: DecisionRecord | undefined,
  now: number,
): Promise<string> {
  const [[state], { pause: everything }] = await Promise.all([store.states([pipeline.id]), store.globalPause()]);
  const why: string[] = [];
  if (trigger.status === "held" && last !== undefined) why.push(`held, because ${last.reason}`);
  if (trigger.node !== null) why.push(`its conditions are being asked by ${trigger.node}`);
  if (state?.pause) why.push(paused(state.pause, false));
  if (everything !== null) why.push(paused(everything, true));
  if (trigger.status === "pending" && trigger.availableAt > now) why.push(`it may not start before ${isoUtc(trigger.availableAt)}`);
  const { maxActiveRuns, pool } = pipeline.execution;
  if (state && state.activeRuns >= maxActiveRuns && !trigger.isForced) {
    const active = await store.listRuns({ pipelineId: pipeline.id, statuses: ["running", "retrying"], limit: 5, ...LIGHT });
    why.push(
      `${state.activeRuns} of ${maxActiveRuns} runs are taken (${active.map(({ id, status, startedAt }) => `${id} ${status} since ${isoUtc(startedAt)}`).join(", ")})`,
    );
  }
  if (why.length > 0) return why.join("; ");
  const limits = [
    pool === null ? null : `the pool ${pool} has ${settings.pools.get(pool)} slots`,
    settings.maxActiveRuns === null ? null : `${settings.maxActiveRuns} runs may be active in all`,
  ];
  const limited = limits.filter((limit) => limit !== null);
  return limited.length === 0 ? "it is next in line" : `others are before it in the line, and ${limited.join(" and ")}`;
}
async function brief({ store }: Core, trigger: TriggerRecord): Promise<string> {
  const run = trigger.runId === null ? null : await store.run(trigger.runId);
  const status = run !== null && isActive(run) ? run.status : trigger.status;
  return `${nameOf(trigger)}, ${status}${isEnded(trigger.status) && trigger.endedAt !== null ? ` ${isoUtc(trigger.endedAt)}` : ""}`;
}
