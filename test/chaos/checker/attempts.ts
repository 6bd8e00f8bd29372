import type { Evidence, Violation } from "../evidence.js";
import { groupBy } from "./group-by.js";
import type { Trace } from "./traces.js";

const ONCE = "an attempt begins at most once";
const CLOSED = "a result of an attempt that is closed is refused";
const SUCCESS = "a run succeeds at most once";
const NOT_AT_ONCE = "a queue never executes a run twice at the same time";
const RETRIES = "a run has no more attempts than its retry policy allows";
const CONSISTENT = "a trigger has one run, and the two agree";

/** Attempts begin once, are closed once, and not after the next one has begun. */
export function attempts({ lines }: Evidence, traces: ReadonlyMap<string, Trace>): Violation[] {
  const violations: Violation[] = [];
  const firstBegin = new Map<string, { readonly attempt: number; readonly at: number }[]>();
  for (const { run, attempt, begins, finishes } of traces.values()) {
    const [begin] = begins;
    if (begin !== undefined) firstBegin.set(run, [...(firstBegin.get(run) ?? []), { attempt, at: begin.at }]);
    if (begins.length > 1)
      violations.push({
        invariant: ONCE,
        message: `attempt ${attempt} of run ${run} began on ${begins.map(({ node }) => node).join(", ")}`,
        ids: [run],
        at: begin?.at ?? null,
      });
    const accepted = finishes.filter(({ isAccepted }) => isAccepted);
    if (accepted.length > 1)
      violations.push({
        invariant: CLOSED,
        message: `attempt ${attempt} of run ${run} was closed ${accepted.length} times (${accepted.map(({ node, outcome }) => `${outcome} by ${node}`).join(", ")})`,
        ids: [run],
        at: accepted[1]?.at ?? null,
      });
  }
  const successes = new Map<string, number>();
  for (const line of lines) {
    if (line.line !== "finish" || !line.isAccepted) continue;
    if (line.outcome === "succeeded") successes.set(line.run, (successes.get(line.run) ?? 0) + 1);
    if (line.isRepeated) continue; // the answer to the first one was lost, and others went on by it
    const later = firstBegin.get(line.run)?.find(({ attempt, at }) => attempt > line.token && at < line.at - 1_000);
    // a confirmation may be written down late: only what is clearly after the next beginning counts
    if (later !== undefined)
      violations.push({
        invariant: CLOSED,
        message: `attempt ${line.token} of run ${line.run} was closed after attempt ${later.attempt} had begun`,
        ids: [line.run],
        at: line.at,
      });
  }
  for (const [run, count] of successes)
    if (count > 1) violations.push({ invariant: SUCCESS, message: `run ${run} succeeded ${count} times`, ids: [run], at: null });
  return violations;
}

/** Jobs of a queue may be executed again, but one execution ends, or its worker, before the next begins. */
export function queued({ lines, pipelines, lives }: Evidence): Violation[] {
  const ids = new Set(pipelines.filter(({ isQueued }) => isQueued === true).map(({ id }) => id));
  const open = new Map<string, string>();
  const violations: Violation[] = [];
  for (const line of lines) {
    if ((line.line !== "begin" && line.line !== "end") || !ids.has(line.pipeline)) continue;
    const holder = open.get(line.run);
    if (line.line === "end") {
      if (holder === line.node) open.delete(line.run);
      continue;
    }
    const holderEnd = lives.find(({ node }) => node === holder)?.until ?? Number.POSITIVE_INFINITY;
    if (holder !== undefined && holderEnd > line.at)
      violations.push({
        invariant: NOT_AT_ONCE,
        message: `run ${line.run} began on ${line.node} while it ran on ${holder}`,
        ids: [line.run],
        at: line.at,
      });
    open.set(line.run, line.node);
  }
  return violations;
}

/** Records of runs and triggers agree with each other and with the policy. */
export function records({ store, pipelines }: Evidence): Violation[] {
  if (store === null) return [];
  const policies = new Map(pipelines.map(({ id, execution }) => [id, execution]));
  const byTrigger = groupBy(store.runs, ({ triggerId }) => triggerId);
  const decidedToRun = groupBy(
    store.decisions.filter(({ outcome, triggerId }) => outcome === "run" && triggerId !== null),
    ({ triggerId }) => triggerId,
  );
  const violations: Violation[] = [];
  const add = (message: string, ids: readonly string[]) => violations.push({ invariant: CONSISTENT, message, ids, at: null });
  for (const { id, status, runId } of store.triggers) {
    const runs = byTrigger.get(id) ?? [];
    const [run] = runs;
    const decisions = decidedToRun.get(id)?.length ?? 0;
    if (runs.length > 1) add(`trigger ${id} has ${runs.length} runs`, [id, ...runs.map((one) => one.id)]);
    if (runs.length !== decisions) add(`trigger ${id} has ${runs.length} runs and ${decisions} decisions to run`, [id]);
    if (runId !== (run?.id ?? null)) add(`trigger ${id} names run ${runId} and has ${run?.id}`, [id]);
    if ((status === "succeeded") !== (run?.status === "succeeded"))
      add(`trigger ${id} is ${status}, its run ${run?.status}`, [id, ...(run === undefined ? [] : [run.id])]);
    if ((status === "pending" || status === "held") && run !== undefined) add(`trigger ${id} is ${status} and has a run`, [id, run.id]);
  }
  for (const { id, pipelineId, attempt } of store.runs) {
    const retries = policies.get(pipelineId)?.retries ?? Number.POSITIVE_INFINITY;
    if (attempt > retries + 1)
      violations.push({
        invariant: RETRIES,
        message: `${pipelineId}: run ${id} has ${attempt} attempts, ${retries + 1} are allowed`,
        ids: [id],
        at: null,
      });
  }
  return violations;
}
