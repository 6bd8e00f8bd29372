import { type Evidence, stalledMs, type Violation } from "../evidence.js";
import type { PipelineSpec } from "../pipelines.js";
import { onlyClockAheadMs } from "./health.js";

const ONE_OUTCOME = "every fire time ends in exactly one recorded outcome";
const NOT_AHEAD = "no fire time is made before its time";
/** How far a clock may be off without having stepped, ms. */
const CLOCK_MS = 50;
/** How late the last fire time may be when the epoch ends, ms. */
const LATE_MS = 6_000;
/** One cause has many fire times. */
const MOST = 20;

/** Every fire time of a schedule from its registration on has one outcome, at the right instant. */
export function fireTimes(evidence: Evidence): Violation[] {
  const { store, pipelines } = evidence;
  return store === null
    ? []
    : pipelines.flatMap((pipeline) =>
        pipeline.stepMs === null || pipeline.isRetimed ? [] : fireTimesOf(evidence, pipeline, pipeline.stepMs),
      );
}

function fireTimesOf(evidence: Evidence, { id }: PipelineSpec, stepMs: number): Violation[] {
  const { store, from, until, workingUntil, lives, faults, hasServerClock } = evidence;
  const violations: Violation[] = [];
  const add = (message: string, at: number | null, ids: readonly string[] = []) =>
    violations.push({ invariant: ONE_OUTCOME, message: `${id}: ${message}`, ids, at });
  const outcomes = outcomesOf(evidence, id, stepMs);
  for (const [at, ids] of outcomes) {
    if (at % stepMs !== 0) add(`${iso(at)} is no fire time of every ${stepMs} ms`, at, ids);
    if (ids.length > 1) add(`fire time ${iso(at)} has ${ids.length} outcomes`, at, ids);
  }
  // the only clock there is may have gone back to before the beginning
  const times = [...outcomes.keys()].filter((at) => hasServerClock || at >= from - stepMs).toSorted((a, b) => a - b);
  const [first] = times;
  if (first === undefined) {
    add("nothing fired", null);
    return violations;
  }
  const upAt = Math.min(...lives.map((life) => life.upAt ?? Number.POSITIVE_INFINITY)); // by then the pipelines are registered
  if (first > upAt + stepMs + CLOCK_MS) add(`the first outcome is of ${iso(first)}, and a node was up at ${iso(upAt)}`, first);
  const next = store?.nextFireAt.get(id) ?? null;
  const end = next ?? (times.at(-1) as number) + stepMs;
  for (let at = first; at < end && violations.length < MOST; at += stepMs)
    if (!outcomes.has(at)) add(`fire time ${iso(at)} has no outcome`, at);
  const hadOnlyClockAhead = !hasServerClock && faults.some(({ family, size }) => family === "clock" && size > 0);
  const last = times.at(-1) as number;
  if (last >= end && !hadOnlyClockAhead)
    add(`${iso(last)} has an outcome, and the next fire time is ${iso(end)}`, last, outcomes.get(last));
  if (end > until + stepMs + CLOCK_MS)
    add(`the next fire time is ${iso(end)}, and it is ${iso(until)}: those in between are passed over`, end);
  if (next !== null && end < workingUntil - LATE_MS - stalledMs(evidence, end, workingUntil))
    add(`the next fire time is ${iso(end)}, and the nodes worked until ${iso(workingUntil)}`, end);
  return violations;
}

/** Ids of triggers and of decisions to drop, by fire time. */
function outcomesOf({ store }: Evidence, pipelineId: string, stepMs: number): Map<number, string[]> {
  const outcomes = new Map<number, string[]>();
  const add = (at: number, id: string) => outcomes.set(at, [...(outcomes.get(at) ?? []), id]);
  for (const { id, kind, scheduledFor, pipelineId: of } of store?.triggers ?? [])
    if (of === pipelineId && kind === "scheduled" && scheduledFor !== null) add(scheduledFor, id);
  for (const { id, triggerId, scheduledFor, missed, pipelineId: of } of store?.decisions ?? []) {
    if (of !== pipelineId || triggerId !== null || scheduledFor === null) continue;
    for (let at = scheduledFor; at <= (missed?.lastAt ?? scheduledFor); at += stepMs) add(at, id);
  }
  return outcomes;
}

/** A store confirms no fire time that lies ahead of the clock that the nodes go by. */
export function fireTimesAhead(evidence: Evidence): Violation[] {
  return evidence.lines.flatMap((line) => {
    if (line.line !== "fired") return [];
    const latest = line.at + CLOCK_MS + onlyClockAheadMs(evidence, line.at);
    const ahead = line.fires.filter((at) => at > latest);
    if (ahead.length === 0) return [];
    const message = `${line.pipeline}: ${line.node} settled ${ahead.length} fire times up to ${iso(Math.max(...ahead))} at ${iso(line.at)}`;
    return [{ invariant: NOT_AHEAD, message, ids: [], at: line.at }];
  });
}

export function iso(at: number): string {
  return new Date(at).toISOString();
}
