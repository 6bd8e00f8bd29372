import { durationMs } from "../base/duration.js";
import { toDate } from "../base/instant.js";
import type { Pause } from "../ports/store.js";
import type { Core } from "./core.js";
import { type Act, type PauseOptions, text } from "./requests.js";

/** Keeps a pause; one that is there already keeps its beginning. Gives what tells of it. */
export async function pause({ clock, store, events }: Core, options: PauseOptions, known: Pause | null): Promise<() => void> {
  const pipelineId = options.pipelineId ?? null;
  const now = clock.now();
  const made: Pause = {
    at: known?.at ?? now,
    until: options.duration === undefined ? null : now + durationMs(options.duration, "duration"),
    reason: text(options.reason, "reason", 1_000),
    user: text(options.user, "user", 200),
  };
  await store.pause(pipelineId, made);
  return () => events.tell("paused", () => ({ pipelineId, reason: made.reason, user: made.user, until: toDate(made.until) }));
}

/** Ends a pause. Gives what tells of it; `null` when there was none. */
export async function resume({ clock, store, events }: Core, options: Act & { pipelineId?: string }): Promise<(() => void) | null> {
  const pipelineId = options.pipelineId ?? null;
  const act = { reason: text(options.reason, "reason", 1_000), user: text(options.user, "user", 200) };
  const ended = await store.resume(pipelineId, clock.now());
  await store.recheck(pipelineId === null ? null : [pipelineId], clock.now());
  return ended === null ? null : () => events.tell("resumed", () => ({ pipelineId, ...act, isAutomatic: false }));
}
