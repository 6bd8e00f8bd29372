/** Explanation of why a trigger is waiting now, and what can be done. */
import { isoUtc } from "../../base/instant.js";
import type { DecisionRecord } from "../../gate/finding.js";
import type { Pipeline } from "../../pipeline/pipeline.js";
import type { TriggerRecord } from "../../trigger/trigger.js";
import type { Core } from "../context/core.js";
import { counted, isOrAre, paused } from "./explain-words.js";
import { LIGHT } from "./story.js";
import { type UsedLimit, usedNow } from "./used-limits.js";

const QUEUE_READ = 1_000;

export interface Waiting {
  /** A clause that reads after "because". */
  readonly why: string;
  /** The remedy, as a sentence; `null` when there is nothing to do but wait. */
  readonly advice: string | null;
}

export async function whyWaiting(
  core: Pick<Core, "executors" | "fireQueue" | "node" | "settings" | "store">,
  pipeline: Pipeline,
  trigger: TriggerRecord,
  last: DecisionRecord | undefined,
  now: number,
): Promise<Waiting> {
  const { store } = core;
  const [[state], { pause: everything }] = await Promise.all([store.states([pipeline.id]), store.globalPause()]);
  const why: string[] = [];
  const advice: string[] = [];
  if (trigger.status === "held" && last !== undefined) {
    why.push(`it is held: ${last.reason}`);
    advice.push('To run it regardless of its conditions, trigger the pipeline with the kind "immediate".');
  }
  if (trigger.node !== null && (trigger.leaseUntil ?? 0) > now) why.push(`the node ${trigger.node} is evaluating its conditions`);
  if (state?.pause) why.push(paused(state.pause, false));
  if (everything !== null) why.push(paused(everything, true));
  if (state?.pause || everything !== null)
    advice.push(`To start it, resume the ${everything === null ? "pipeline" : "scheduler"}; a trigger with force runs despite a pause.`);
  if (trigger.status === "pending" && trigger.availableAt > now) why.push(`it may not start before ${isoUtc(trigger.availableAt)}`);
  if (why.length > 0) return { why: why.join(", and "), advice: advice.join(" ") || null };
  const used = trigger.isForced ? [] : await usedNow(core, pipeline);
  const before = used.length === 0 ? "" : await queuedBefore(core, trigger);
  if (used.length > 0) return { why: `${used.map(({ text }) => text).join(" and ")}${before}`, advice: adviceOn(used) };
  return { why: "nothing blocks it: it will start in the next round of a node with free capacity", advice: null };
}

/** The triggers of the same pipeline that start before it. */
async function queuedBefore({ store }: Pick<Core, "store">, trigger: TriggerRecord): Promise<string> {
  const { pipelineId, order, id } = trigger;
  const waiting = await store.listTriggers({ pipelineId, statuses: ["pending"], limit: QUEUE_READ, ...LIGHT });
  const before = waiting.filter((one) => one.order < order || (one.order === order && one.id < id)).length;
  if (before === 0) return "";
  return `, and ${counted(before, "trigger")} of the pipeline ${isOrAre(before)} ahead of it in the queue`;
}

function adviceOn(used: readonly UsedLimit[]): string {
  const raises = used.map(({ kind }) => RAISES[kind]);
  return `To start it sooner, cancel what is ahead of it, or raise ${raises.join(" and ")}.`;
}

const RAISES: Readonly<Record<UsedLimit["kind"], string>> = {
  slots: "the pipeline's maxActiveRuns",
  pool: "the number of slots of the pool",
  scheduler: "the scheduler's maxActiveRuns",
  node: "the concurrency of the node's executor",
};
