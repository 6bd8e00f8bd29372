import type { Core } from "./core.js";

/** Has held triggers of pipelines looked at: what held them seems to be over. */
export function recheckSoon({ store, clock, events }: Core, pipelineIds: readonly string[], then: () => void): void {
  const work = store
    .recheck(pipelineIds, clock.now())
    .then(then, (error: unknown) => events.report(error, "looking again at held triggers"));
  clock.track?.(work, "work");
}
