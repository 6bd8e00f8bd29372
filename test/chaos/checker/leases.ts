import { type Evidence, stalledMs, type Violation } from "../evidence.js";
import { iso } from "./fire-times.js";
import { isClockWrong, strikes, wasHealthy } from "./health.js";
import { closedAt, type Trace } from "./traces.js";

const NOT_TAKEN = "no run of a healthy node is taken over";
const IN_TIME = "an attempt whose node died is closed within its lease and 3 s";
const KEPT = "no result is thrown away: what succeeded is recorded, or its refusal is reported";
const CLOSING_MS = 3_000;
/** How long a node may take to record and report an end, ms. */
const RECORDING_MS = 10_000;

/** An attempt is closed as lost only when its node was in trouble. */
export function takenOver(evidence: Evidence, traces: ReadonlyMap<string, Trace>): Violation[] {
  return [...traces.values()].flatMap(({ run, attempt, begins, leases, finishes }) => {
    const loss = finishes.find(({ isLoss, isAccepted }) => isLoss && isAccepted);
    const holder = begins[0]?.node ?? leases[0]?.node;
    const last = leases.findLast(({ node }) => node === holder);
    if (loss === undefined || holder === undefined || last === undefined) return [];
    const from = last.at - 200;
    if (!wasHealthy(evidence, holder, from, loss.at) || stalledMs(evidence, from, loss.at) > evidence.leaseMs / 2) return [];
    const message = `attempt ${attempt} of run ${run} on ${holder}, which nothing had struck since ${iso(from)}, was closed as lost by ${loss.node} at ${iso(loss.at)} (its lease was until ${iso(last.until)})`;
    return [{ invariant: NOT_TAKEN, message, ids: [run], at: loss.at }];
  });
}

/** The attempts of a process that ended are closed soon, if there is a healthy node to do it. */
export function lostInTime(evidence: Evidence, traces: ReadonlyMap<string, Trace>): Violation[] {
  const { lives, until, store } = evidence;
  const records = new Map((store?.runs ?? []).map((one) => [one.id, one]));
  return [...traces.values()].flatMap((trace) => {
    const { run, attempt, leases } = trace;
    const last = leases.at(-1);
    const life = lives.find(({ node }) => node === last?.node);
    if (last === undefined || life === undefined || life.until === null || last.until < life.until) return [];
    const record = records.get(run);
    const isOpen = record?.status === "running" && record.attempt === attempt;
    const closed =
      closedAt(trace) ?? (isOpen ? null : (record?.attempts.find((one) => one.attempt === attempt)?.endedAt ?? record?.endedAt));
    if (closed === undefined) return []; // only the store knows, and it was not asked yet
    const dueAt = last.until + CLOSING_MS;
    const limit = dueAt + stalledMs(evidence, last.until, dueAt);
    if ((closed ?? until) <= limit || isClockWrong(evidence, life.until, dueAt)) return [];
    const closer = lives.find(({ node, role }) => role === "node" && wasHealthy(evidence, node, last.until - 500, dueAt));
    if (closer === undefined) return [];
    const was = closed === null ? "is open still" : `was closed at ${iso(closed)}`;
    const message = `attempt ${attempt} of run ${run} on ${life.node}, which ended at ${iso(life.until)}, ${was}; its lease was until ${iso(last.until)}, and ${closer.node} was healthy`;
    return [{ invariant: IN_TIME, message, ids: [run], at: last.until }];
  });
}

/** A function that succeeded on a node that lived on has its success recorded, or the refusal reported. */
export function resultsKept(evidence: Evidence, traces: ReadonlyMap<string, Trace>): Violation[] {
  const { store, lines } = evidence;
  const reported = new Set(
    lines.flatMap((line) => (line.line === "event" && line.name === "run.late_result" ? [`${line.run} ${line.attempt} ${line.node}`] : [])),
  );
  const runs = new Map((store?.runs ?? []).map((run) => [run.id, run]));
  return [...traces.values()].flatMap(({ run, attempt, ends, finishes }) => {
    const end = ends.find(({ outcome }) => outcome === "ok");
    if (end === undefined) return [];
    const own = finishes.filter(({ node, isLoss }) => node === end.node && !isLoss);
    const record = runs.get(run);
    const isRecorded =
      record?.attempt === attempt && (record.status === "succeeded" || record.status === "cancelled" || record.status === "timed_out");
    const confirmed = own.find(({ isAccepted, outcome }) => isAccepted && outcome === "succeeded");
    if (store !== null && confirmed !== undefined && !isRecorded)
      return [
        {
          invariant: KEPT,
          message: `run ${run} was confirmed as succeeded by attempt ${attempt} on ${end.node}, and is recorded as ${record?.status}`,
          ids: [run],
          at: end.at,
        },
      ];
    const hasLivedOn = recordingUntil(evidence, end.node, end.at) < livedUntil(evidence, end.node);
    if (store === null || isRecorded || !hasLivedOn || reported.has(`${run} ${attempt} ${end.node}`)) return [];
    const message = `attempt ${attempt} of run ${run} succeeded on ${end.node} at ${iso(end.at)}, which lived on; the run is recorded as ${record?.status} after ${record?.attempt} attempts, and no refusal was reported`;
    return [{ invariant: KEPT, message, ids: [run], at: end.at }];
  });
}

/** By when a node must have recorded or reported an end: faults that strike it meanwhile give it more time. */
function recordingUntil({ faults }: Evidence, node: string, at: number): number {
  let until = at + RECORDING_MS;
  for (const fault of faults.toSorted((one, other) => one.from - other.from))
    if (strikes(fault, node, at, until)) until = Math.max(until, fault.until + fault.aftermathMs + RECORDING_MS);
  return until;
}

function livedUntil({ lives, until }: Evidence, node: string): number {
  const life = lives.find((one) => one.node === node);
  return life === undefined ? Number.NEGATIVE_INFINITY : (life.stoppingAt ?? life.until ?? until);
}
