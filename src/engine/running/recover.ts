import type { Core } from "../context/core.js";
import type { FailureReports } from "../context/failure-reports.js";
import { isUnavailable } from "../context/store-health.js";
import type { Runner } from "./runner.js";

const RUNS_AT_ONCE = 100;
const CLOSING = "closing a lost attempt";

/** Closes attempts whose node did not extend its lease; the retry policy decides what follows. Remote ones continue, and are watched here. */
export async function recoverLost(
  core: Pick<Core, "clock" | "executors" | "fireQueue" | "store">,
  runner: Runner,
  failures: FailureReports,
  now: number,
  isGoingOn: () => boolean,
): Promise<void> {
  const { store, fireQueue } = core;
  for (;;) {
    const lost = await store.expiredRuns(now, RUNS_AT_ONCE);
    let closed = 0;
    const closing: Promise<unknown>[] = [];
    for (const run of lost) {
      const pipeline = fireQueue.get(run.pipelineId)?.pipeline;
      if (pipeline === undefined) continue; // a node that knows its retry policy will close it
      if (runner.holds(run)) continue; // it is alive here, or its end is about to be recorded
      if (core.executors.of(pipeline).kind === "remote") await runner.adopt(run, pipeline);
      else closing.push(runner.closeLost(run, pipeline));
      closed++;
    }
    for (const one of await Promise.allSettled(closing)) {
      if (one.status === "fulfilled") continue;
      if (isUnavailable(one.reason)) throw one.reason;
      failures.failed(CLOSING, one.reason); // the others must not wait for it
      closed--;
    }
    if (closing.length === closed && lost.length === 0) failures.succeeded(CLOSING);
    if (lost.length < RUNS_AT_ONCE || closed === 0 || !isGoingOn()) return;
    await core.clock.yield?.();
  }
}
