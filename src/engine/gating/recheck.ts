import type { Core } from "../context/core.js";
import { isUnavailable } from "../context/store-health.js";

/** Has held triggers of pipelines looked at: what held them seems to be over. */
export function recheckSoon({ store, clock, events }: Core, pipelineIds: readonly string[], then: () => void): void {
  const work = store.recheck(pipelineIds, clock.now()).then(then, (error: unknown) => {
    if (!isUnavailable(error)) events.report(error, "looking again at held triggers"); // else they are looked at when they are due
  });
  clock.track?.(work, "work");
}
