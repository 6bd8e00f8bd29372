import { isoUtc } from "../../base/instant.js";
import type { Pause } from "../../ports/store.js";
import type { TriggerRecord } from "../../trigger/trigger.js";

export function paused({ at, until, reason, user }: Pause, isGlobal: boolean): string {
  const by = user === null ? "" : ` by ${user}`;
  const end = until === null ? "" : ` until ${isoUtc(until)}`;
  return `${isGlobal ? "the scheduler" : "the pipeline"} is paused since ${isoUtc(at)}${by}${end}${reason === null ? "" : ` (${reason})`}`;
}

export function nameOf({ kind, scheduledFor, createdAt, user, reason }: TriggerRecord): string {
  if (scheduledFor !== null) return `the ${kind} trigger for ${isoUtc(scheduledFor)}`;
  const by = user === null ? "" : ` by ${user}`;
  return `the ${kind} trigger of ${isoUtc(createdAt)}${by}${reason === null ? "" : ` (${reason})`}`;
}
