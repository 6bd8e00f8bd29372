import type { Core } from "../context/core.js";
import { isUnavailable } from "../context/store-health.js";

/** Rechecks held triggers of pipelines in the next round: what held them seems to be over. */
export function recheckSoon(
  { store, clock, events, signals }: Pick<Core, "clock" | "events" | "signals" | "store">,
  pipelineIds: readonly string[],
): void {
  const work = store.recheck(pipelineIds, clock.now()).then(
    () => signals.wake.emit(),
    (error: unknown) => {
      if (!isUnavailable(error)) events.report(error, "rechecking held triggers"); // else they are looked at when they are due
    },
  );
  clock.track?.(work, "work");
}
