import type { Evidence, FaultWindow, Violation } from "../evidence.js";
import type { LeaseLine } from "../log.js";
import { iso } from "./fire-times.js";
import { isSpanWrong } from "./health.js";
import type { Trace } from "./traces.js";

const REALLY = "limits hold for what really runs under a valid lease";
const RECORDED = "limits hold for what is recorded";
/** Two instants of different processes may be written down in the wrong order by this, ms. */
const SAME_MS = 3;

interface Span {
  readonly run: string;
  readonly pipeline: string;
  readonly from: number;
  readonly until: number;
}

/** No more functions than the limits allow run at once under a valid lease. */
export function limits(evidence: Evidence, traces: ReadonlyMap<string, Trace>): Violation[] {
  const spans = [...traces.values()].flatMap((trace) => leasedSpans(evidence, trace));
  return broken(evidence, spans, REALLY, "ran");
}

/** When a function ran under a lease that the store had confirmed and that had not run out. */
function leasedSpans({ lives, until, faults, hasServerClock }: Evidence, { run, begins, ends, leases, finishes }: Trace): Span[] {
  const [begin] = begins;
  if (begin === undefined) return [];
  const life = lives.find(({ node }) => node === begin.node);
  const end = Math.min(
    ends.find(({ node }) => node === begin.node)?.at ?? until,
    life?.until ?? until,
    finishes.find(({ isAccepted }) => isAccepted)?.at ?? until,
  );
  return leases
    .filter((lease) => lease.node === begin.node && !faults.some((fault) => isUncertain(lease, fault, hasServerClock)))
    .map((lease) => ({ run, pipeline: begin.pipeline, from: Math.max(begin.at, lease.at), until: Math.min(end, lease.until - 20) }))
    .filter(({ from, until: to }) => from < to);
}

/** Whether a lease may be shorter than it seems: its process stood still in the middle of the call, or the only clock there is stepped. */
function isUncertain(lease: LeaseLine, { family, nodes, from, until }: FaultWindow, hasServerClock: boolean): boolean {
  if (family === "process") return nodes.includes(lease.node) && lease.at >= from && lease.at <= until + 1_000;
  return family === "clock" && !hasServerClock && lease.at <= until + 1_000 && lease.until >= from;
}

/** The same for what the store says of when attempts were active. */
export function recordedLimits(evidence: Evidence): Violation[] {
  const { store, until } = evidence;
  if (store === null) return [];
  const runs: Span[] = [];
  for (const { id, pipelineId, startedAt, endedAt, attempts, isForced } of store.runs) {
    const span = { run: id, pipeline: pipelineId, from: startedAt, until: endedAt ?? until };
    const isPlain = !isForced && attempts.every((one) => one.startedAt >= startedAt);
    if (isPlain && !isSpanWrong(evidence, span.from, span.until)) runs.push(span);
  }
  return broken({ ...evidence, pools: {}, globalLimit: Number.POSITIVE_INFINITY }, runs, RECORDED, "were active");
}

function broken({ pipelines, pools, globalLimit }: Evidence, spans: readonly Span[], invariant: string, did: string): Violation[] {
  const violations: Violation[] = [];
  const check = (name: string, limit: number, wanted: ReadonlySet<string>) => {
    const over = overflow(
      spans.filter(({ pipeline }) => wanted.has(pipeline)),
      limit,
    );
    if (over === null) return;
    const ids = over.runs;
    violations.push({ invariant, message: `${name}: ${ids.length} runs ${did} at ${iso(over.at)}, ${limit} may`, ids, at: over.at });
  };
  for (const { id, execution, mostActiveRuns } of pipelines) check(id, mostActiveRuns ?? execution.maxActiveRuns, new Set([id]));
  for (const [pool, slots] of Object.entries(pools))
    check(`pool ${pool}`, slots, new Set(pipelines.filter(({ execution }) => execution.pool === pool).map(({ id }) => id)));
  if (Number.isFinite(globalLimit))
    check("all pipelines", globalLimit, new Set(pipelines.filter(({ isQueued }) => isQueued !== true).map(({ id }) => id)));
  return violations;
}

/** The first moment at which more runs than `limit` overlap. */
function overflow(spans: readonly Span[], limit: number): { readonly at: number; readonly runs: readonly string[] } | null {
  const steps = spans
    .filter(({ from, until }) => until - SAME_MS > from)
    .flatMap(({ run, from, until }) => [
      { at: from, run, by: 1 },
      { at: until - SAME_MS, run, by: -1 },
    ])
    .toSorted((a, b) => a.at - b.at || a.by - b.by);
  const active = new Map<string, number>();
  for (const { at, run, by } of steps) {
    const count = (active.get(run) ?? 0) + by;
    if (count === 0) active.delete(run);
    else active.set(run, count);
    if (active.size > limit) return { at, runs: [...active.keys()] };
  }
  return null;
}
