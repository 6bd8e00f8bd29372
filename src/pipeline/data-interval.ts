import { previousFireTime } from "../schedule/previous.js";
import type { TriggerRecord } from "../trigger/trigger.js";
import type { Pipeline } from "./pipeline.js";

/** Returns a trigger with the span of time that it is for: where it was accepted before any earlier fire time was known, that of its pipeline's schedule. */
export function withDataInterval(trigger: TriggerRecord, { schedule }: Pick<Pipeline, "schedule">): TriggerRecord {
  const { scheduledFor, intervalStart } = trigger;
  if (scheduledFor === null || intervalStart !== null) return trigger;
  return { ...trigger, intervalStart: previousFireTime(schedule, scheduledFor) };
}
