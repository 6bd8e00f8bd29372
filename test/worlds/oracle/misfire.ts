import type { ExecutionSpec } from "../spec.js";

/** What becomes of a fire time: made, or dropped for a reason. */
export type FireOutcome = "made" | "paused" | "catchup_none" | "catchup_latest" | "outside_catchup_window";

/**
 * What should become of the fire times of one pipeline that are dealt with together at `at`, oldest first. On time is what is no older than the threshold and fell into no pause; what is
 * dropped after a pause that covered it is dropped for the pause.
 */
export function misfires(
  fires: readonly number[],
  at: number,
  { catchup, catchupWindow }: ExecutionSpec,
  threshold: number,
  isPaused: (fire: number) => boolean,
): Map<number, FireOutcome> {
  const outcomes = new Map<number, FireOutcome>();
  for (const [index, fire] of fires.entries()) {
    const age = at - fire;
    const wasPaused = isPaused(fire);
    const isOnTime = age <= threshold && !wasPaused;
    const isCaughtUp = age <= catchupWindow && (catchup === "all" || (catchup === "latest" && index === fires.length - 1));
    if (isOnTime || isCaughtUp) outcomes.set(fire, "made");
    else if (wasPaused) outcomes.set(fire, "paused");
    else outcomes.set(fire, age > catchupWindow ? "outside_catchup_window" : catchup === "none" ? "catchup_none" : "catchup_latest");
  }
  return outcomes;
}
