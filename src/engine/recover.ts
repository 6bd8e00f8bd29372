import { type Core, executorOf } from "./core.js";
import type { Runner } from "./runner.js";

const RUNS_AT_ONCE = 100;

/** Closes attempts whose node was silent for longer than its lease, and the retry policy says what follows; those that are carried out elsewhere go on, and are watched here. */
export async function recoverLost(core: Core, runner: Runner, now: number, isGoingOn: () => boolean): Promise<void> {
  const { store, registry } = core;
  for (;;) {
    const lost = await store.expiredRuns(now, RUNS_AT_ONCE);
    let closed = 0;
    const closing: Promise<unknown>[] = [];
    for (const run of lost) {
      const pipeline = registry.get(run.pipelineId)?.pipeline;
      if (pipeline === undefined) continue; // a node that knows its retry policy will close it
      if (executorOf(core, pipeline).kind === "remote") await runner.adopt(run, pipeline);
      else closing.push(runner.closeLost(run, pipeline));
      closed++;
    }
    await Promise.all(closing);
    if (lost.length < RUNS_AT_ONCE || closed === 0 || !isGoingOn()) return;
    await core.clock.yield?.();
  }
}
