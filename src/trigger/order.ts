import { PRIORITIES, type Priority, type TriggerKind } from "./trigger.js";

/** A trigger that has waited this much longer passes one of the next higher priority. */
const AGEING_MS = 10 * 60_000;

/** Far enough before every other order that an immediate trigger is always at the head of the line. */
const HEAD_OF_LINE_MS = 1e15;

/**
 * The place of a trigger in the line, smallest first. Priority, then age, and nothing starves: each step of
 * priority is worth {@link AGEING_MS} of waiting. A number fixed at creation, so that a store can index it.
 */
export function orderOf(kind: TriggerKind, priority: Priority, createdAt: number): number {
  if (kind === "immediate") return createdAt - HEAD_OF_LINE_MS;
  return createdAt + PRIORITIES.indexOf(priority) * AGEING_MS;
}
