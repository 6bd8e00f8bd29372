import type { Core } from "./core.js";
import type { Runner } from "./runner.js";

const RUNS_AT_ONCE = 100;

/** Closes attempts whose node was silent for longer than its lease; the retry policy says what follows. */
export async function recoverLost({ store, registry }: Core, runner: Runner, now: number): Promise<void> {
  for (;;) {
    const lost = await store.expiredRuns(now, RUNS_AT_ONCE);
    let closed = 0;
    for (const run of lost) {
      const pipeline = registry.get(run.pipelineId)?.pipeline;
      if (pipeline === undefined) continue; // a node that knows its retry policy will close it
      await runner.closeLost(run, pipeline);
      closed++;
    }
    if (lost.length < RUNS_AT_ONCE || closed === 0) return;
  }
}
