/** Explanations of why no run was due at an instant. */
import { firstIdAt } from "../../base/id.js";
import { isoUtc } from "../../base/instant.js";
import type { Pipeline } from "../../pipeline/pipeline.js";
import type { SensorStatus } from "../../ports/scheduler-api/status.js";
import type { EndedPause } from "../../schedule/ended-pauses.js";
import type { TriggerRecord } from "../../trigger/trigger.js";
import type { Core } from "../context/core.js";
import { readNodes } from "../context/node-documents.js";
import { byWhom, counted, lateBecause, nameOf, paused, wasPaused } from "./explain-words.js";
import { LIGHT } from "./story.js";

const UPSTREAMS_READ = 10;
const BEFORE_READ = 50;

/** Returns what kept a pipeline from being triggered at an instant, as clauses: a pause, a downtime, an upstream that failed, a sensor that fails. */
export async function whyNothing(
  core: Pick<Core, "store">,
  pipeline: Pipeline,
  sensors: readonly SensorStatus[],
  at: number,
  now: number,
): Promise<string[]> {
  const pause = await pauseAt(core, pipeline, at);
  const down = pause === null ? await downAt(core, pipeline, at, now) : null;
  const upstreams = await Promise.all(pipeline.after.slice(0, UPSTREAMS_READ).map((id) => upstreamClause(core, id, at)));
  return [
    ...(pause === null ? [] : [pause]),
    ...(down === null ? [] : [down]),
    ...upstreams,
    ...(await sensorClauses(core, pipeline, sensors)),
  ];
}

/** The pause that covers an instant, as far as it is known. */
async function pauseAt({ store }: Pick<Core, "store">, { id }: Pipeline, at: number): Promise<string | null> {
  const [[state], global] = await Promise.all([store.states([id]), store.globalPause()]);
  for (const [pause, ended, isGlobal] of [
    [state?.pause ?? null, state?.endedPauses ?? [], false],
    [global.pause, global.endedPauses, true],
  ] as const) {
    if (pause !== null && pause.at <= at) return paused(pause, isGlobal);
    const covering = ended.findLast(({ from, until }) => from <= at && at < until);
    if (covering !== undefined) return wasPaused(covering, isGlobal);
  }
  return null;
}

/** The pauses on which a fire time waits that is not decided on: the ended one that covers it, and those that are on; none when none is on. */
export async function pausesOver({ store }: Pick<Core, "store">, { id }: Pipeline, fireAt: number): Promise<string[]> {
  const [[state], global] = await Promise.all([store.states([id]), store.globalPause()]);
  const covers = ({ from, until }: EndedPause) => from <= fireAt && fireAt < until;
  const current = [...(state?.pause ? [paused(state.pause, false)] : []), ...(global.pause === null ? [] : [paused(global.pause, true)])];
  if (current.length === 0) return [];
  return [
    ...(state?.endedPauses ?? []).filter(covers).map((one) => wasPaused(one, false)),
    ...global.endedPauses.filter(covers).map((one) => wasPaused(one, true)),
    ...current,
  ];
}

/** Returns what kept the scheduler from its work at an instant, as the next fire time has recorded it. */
async function downAt({ store }: Pick<Core, "store">, { id, schedule }: Pipeline, at: number, now: number): Promise<string | null> {
  const next = schedule.nextAfter(at);
  if (next === null || next > now) return null;
  const span = { pipelineId: id, from: next, until: next + 1, limit: 1, ...LIGHT };
  const [[trigger], [drop]] = await Promise.all([store.triggersForFireTimes(span), store.dropsOfFireTimes(span)]);
  const cause = trigger?.catchup ?? drop?.missed?.cause ?? null;
  if (cause === null || cause.from === null || cause.from > at || cause.until <= at) return null;
  return lateBecause(cause);
}

/** The triggers of a pipeline that were accepted at or before an instant, newest first: some tens of them. */
export async function acceptedUntil({ store }: Pick<Core, "store">, pipelineId: string, at: number): Promise<readonly TriggerRecord[]> {
  const found = await store.listTriggers({ pipelineId, before: firstIdAt(at + 1), limit: BEFORE_READ, ...LIGHT });
  return found.filter(({ createdAt }) => createdAt <= at);
}

async function upstreamClause(core: Pick<Core, "store">, pipelineId: string, at: number): Promise<string> {
  const [last] = await acceptedUntil(core, pipelineId, at);
  const what = `it follows ${pipelineId}`;
  if (last === undefined) return `${what}, which has no recorded run`;
  return `${what}, whose last trigger was ${nameOf(last)}, ${statusAt(last)}`;
}

async function sensorClauses({ store }: Pick<Core, "store">, { id }: Pipeline, local: readonly SensorStatus[]): Promise<string[]> {
  const nodes = await readNodes(store);
  const failing = new Map<string, { failures: number; error: string | null }>();
  for (const { failingSensors = [] } of nodes)
    for (const { pipelineId, sensor, failures, error } of failingSensors) if (pipelineId === id) failing.set(sensor, { failures, error });
  for (const { pipelineId, name, failures, error, isHeldHere } of local)
    if (pipelineId === id && isHeldHere) {
      if (failures === 0) failing.delete(name);
      else failing.set(name, { failures, error });
    }
  return [...failing].map(([name, { failures, error }]) => {
    const how = `its sensor ${name} has failed ${counted(failures, "time")} in a row`;
    return error === null ? how : `${how}, most recently with: ${error}`;
  });
}

/** "succeeded at …", "skipped at … because …": what has become of a trigger. */
export function statusAt(trigger: TriggerRecord): string {
  const { status, endedAt, endReason, endedBy } = trigger;
  const when = endedAt === null ? "" : ` at ${isoUtc(endedAt)}`;
  switch (status) {
    case "pending":
      return "which is waiting";
    case "held":
      return "which is held";
    case "running":
      return "which is running";
    case "succeeded":
      return `which succeeded${when}`;
    case "failed":
      return `which failed${when}${endReason === null ? "" : ` with: ${endReason}`}`;
    case "skipped":
      return `which was skipped${when}${endReason === null ? "" : ` because ${endReason}`}`;
    case "expired":
      return `which expired${when}${endReason === null ? "" : ` (${endReason})`}`;
    case "cancelled":
      return `which was cancelled${when}${byWhom({ user: endedBy, reason: endReason })}`;
    case "superseded":
      return `which was replaced by a newer fire time${when}`;
    default:
      return status satisfies never;
  }
}
