/** Limits that are, or were, exhausted, and the runs that use them. */
import { firstIdAt } from "../../base/id.js";
import { isoUtc } from "../../base/instant.js";
import type { Pipeline } from "../../pipeline/pipeline.js";
import { isActive, type RunRecord } from "../../run/run.js";
import type { Core } from "../context/core.js";
import { isOrAre } from "./explain-words.js";

/** Runs that are looked at, and pipelines of a pool whose runs are. */
const RUNS_READ = 200;
const PIPELINES_READ = 50;
const RUNS_SHOWN = 3;

/** A limit that runs use up. */
interface Limit {
  readonly kind: "slots" | "pool" | "scheduler" | "node";
  readonly size: number;
  /** "run slots", "slots of the pool wh". */
  readonly name: string;
  /** Pipelines whose runs count; `null`: all pipelines. */
  readonly pipelineIds: readonly string[] | null;
  /** True if a run that waits for its next attempt counts. */
  readonly countsRetries: boolean;
}

/** A limit that is, or was, used up. */
export interface UsedLimit {
  readonly kind: Limit["kind"];
  /** "1 of 1 run slots is in use (run … since …)". */
  readonly text: string;
}

/** Limits that are used up now. */
export async function usedNow(
  core: Pick<Core, "executors" | "fireQueue" | "node" | "settings" | "store">,
  pipeline: Pipeline,
): Promise<UsedLimit[]> {
  const active = await core.store.listRuns({ statuses: ["running", "retrying"], limit: 10_000, valueLimit: 2_000 });
  const { node } = core;
  return limitsOf(core, pipeline, node).flatMap((limit): UsedLimit[] => {
    const using = active.filter((run) => counts(limit, run, node) && (limit.countsRetries || run.status === "running"));
    return using.length < limit.size ? [] : [{ kind: limit.kind, text: textOf(limit, using, using, "now") }];
  });
}

/** Limits that were used up in a span, at its beginning or at its end. */
export async function usedDuring(
  core: Pick<Core, "executors" | "fireQueue" | "settings" | "store">,
  pipeline: Pipeline,
  { from, until, node }: { readonly from: number; readonly until: number; readonly node: string | null },
): Promise<UsedLimit[]> {
  const found: UsedLimit[] = [];
  for (const limit of limitsOf(core, pipeline, node)) {
    const runs = (await runsBefore(core, limit, firstIdAt(until + 1))).filter((run) => counts(limit, run, node));
    const at = (instant: number) => runs.filter((run) => usesAt(run, instant, limit.countsRetries));
    const [first, last] = [at(from), at(until - 1)];
    const using = first.length >= limit.size ? first : last;
    if (using.length < limit.size) continue;
    const all = [...new Map([...using, ...last].map((run) => [run.id, run])).values()];
    found.push({ kind: limit.kind, text: textOf(limit, using, all, "then") });
  }
  return found;
}

function limitsOf(core: Pick<Core, "executors" | "fireQueue" | "settings">, pipeline: Pipeline, node: string | null): Limit[] {
  const { fireQueue, settings } = core;
  const { id, execution } = pipeline;
  const limits: Limit[] = [
    { kind: "slots", size: execution.maxActiveRuns, name: "run slots of the pipeline", pipelineIds: [id], countsRetries: true },
  ];
  const { pool } = execution;
  if (pool !== null) {
    const inPool = [...fireQueue.all()].flatMap(({ pipeline: one }) => (one.execution.pool === pool ? [one.id] : []));
    limits.push({
      kind: "pool",
      size: settings.pools.get(pool) ?? 0,
      name: `slots of the pool ${pool}`,
      pipelineIds: [...new Set([id, ...inPool])],
      countsRetries: false,
    });
  }
  if (settings.maxActiveRuns !== null)
    limits.push({
      kind: "scheduler",
      size: settings.maxActiveRuns,
      name: "run slots of the scheduler",
      pipelineIds: null,
      countsRetries: false,
    });
  const executor = core.executors.of(pipeline);
  if (executor.kind === "local" && node !== null) {
    const same = [...fireQueue.all()].flatMap(({ pipeline: one }) => (core.executors.of(one) === executor ? [one.id] : []));
    const name = `run slots of the node ${node}`;
    limits.push({ kind: "node", size: executor.concurrency, name, pipelineIds: [...new Set([id, ...same])], countsRetries: false });
  }
  return limits;
}

function counts({ kind, pipelineIds }: Limit, run: RunRecord, node: string | null): boolean {
  return (kind !== "node" || run.node === node) && (pipelineIds?.includes(run.pipelineId) ?? true);
}

async function runsBefore({ store }: Pick<Core, "store">, { kind, pipelineIds }: Limit, before: string): Promise<RunRecord[]> {
  const query = { before, limit: RUNS_READ, valueLimit: 2_000 };
  if (pipelineIds === null || kind === "node") return [...(await store.listRuns(query))];
  const lists = await Promise.all(pipelineIds.slice(0, PIPELINES_READ).map((pipelineId) => store.listRuns({ ...query, pipelineId })));
  return lists.flat();
}

/** Returns true if a run used a slot at an instant: from its start to its end, or in its attempts only. */
function usesAt(run: RunRecord, at: number, countsRetries: boolean): boolean {
  if (run.startedAt > at || (run.endedAt ?? Number.POSITIVE_INFINITY) <= at) return false;
  if (countsRetries) return true;
  const attempt = run.attempts.find(({ startedAt, endedAt }) => startedAt <= at && at < endedAt);
  return attempt !== undefined || (run.attemptStartedAt <= at && run.status !== "retrying");
}

function textOf({ size, name }: Limit, using: readonly RunRecord[], shown: readonly RunRecord[], when: "now" | "then"): string {
  const verb = when === "now" ? isOrAre(using.length) : using.length === 1 ? "was" : "were";
  const runs = [...shown].sort((a, b) => a.startedAt - b.startedAt);
  const more = runs.length <= RUNS_SHOWN ? "" : ` and ${runs.length - RUNS_SHOWN} more`;
  const named = runs.slice(0, RUNS_SHOWN).map((run) => runText(run, when));
  return `${using.length} of ${size} ${name} ${verb} in use${named.length === 0 ? "" : ` (${named.join(", ")}${more})`}`;
}

function runText(run: RunRecord, when: "now" | "then"): string {
  const name = `run ${run.id} of ${run.pipelineId}`;
  if (when === "then" && run.endedAt !== null) return `${name} from ${isoUtc(run.startedAt)} to ${isoUtc(run.endedAt)}`;
  if (run.status !== "retrying" || !isActive(run)) return `${name} since ${isoUtc(run.startedAt)}`;
  const error = run.error === null ? "" : ` after: ${run.error.message}`;
  return `${name} since ${isoUtc(run.startedAt)}, which waits until ${isoUtc(run.retryAt ?? run.startedAt)} for attempt ${run.attempt + 1}${error}`;
}
