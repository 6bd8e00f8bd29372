import { type Evidence, stalledMs, type Violation } from "../evidence.js";

const ONE_OUTCOME = "every fire time ends in exactly one recorded outcome";
const NOT_AHEAD = "no fire time is made before its time";
/** How far a clock may be off without having stepped, ms. */
const CLOCK_MS = 50;
/** How late the last fire time may be when the epoch ends, ms. */
const LATE_MS = 6_000;

/** Every fire time of a schedule from its registration on has one outcome, at the right instant. */
export function fireTimes(evidence: Evidence): Violation[] {
  const { store, pipelines, from, until } = evidence;
  if (store === null) return [];
  return pipelines.flatMap(({ id, stepMs, isRetimed }) => {
    if (stepMs === null || isRetimed === true) return [];
    const outcomes = outcomesOf(evidence, id, stepMs);
    const times = [...outcomes.keys()].toSorted((a, b) => a - b);
    const [first] = times;
    const next = store.nextFireAt.get(id) ?? null;
    const violations: Violation[] = [];
    const add = (message: string, at: number, ids: readonly string[] = []) =>
      violations.push({ invariant: ONE_OUTCOME, message: `${id}: ${message}`, ids, at });
    for (const at of times) if (at % stepMs !== 0) add(`${iso(at)} is no fire time of every ${stepMs} ms`, at, outcomes.get(at));
    if (first === undefined || next === null)
      return [...violations, { invariant: ONE_OUTCOME, message: `${id}: nothing fired`, ids: [], at: null }];
    if (first > from + LATE_MS + stalledMs(evidence, from, from + LATE_MS) + stepMs)
      add(`the first outcome is of ${iso(first)}, the nodes started at ${iso(from)}`, first);
    for (let at = first; at < next; at += stepMs) {
      const ids = outcomes.get(at) ?? [];
      if (ids.length !== 1) add(`fire time ${iso(at)} has ${ids.length} outcomes`, at, ids);
      if (violations.length > 20) break; // one cause, many fire times
    }
    const last = times.at(-1) ?? 0;
    if (last >= next) add(`${iso(last)} has an outcome, and the next fire time is ${iso(next)}`, last, outcomes.get(last));
    if (next > until + stepMs + CLOCK_MS)
      add(`the next fire time is ${iso(next)}, and it is ${iso(until)}: those in between are passed over`, next);
    return violations;
  });
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

/** A store confirms no fire time that lies ahead of the machine's clock. */
export function fireTimesAhead({ lines }: Evidence): Violation[] {
  return lines.flatMap((line) => {
    if (line.line !== "fired") return [];
    const last = Math.max(...line.fires);
    if (last <= line.at + CLOCK_MS) return [];
    const ahead = line.fires.filter((at) => at > line.at + CLOCK_MS).length;
    return [
      {
        invariant: NOT_AHEAD,
        message: `${line.pipeline}: ${line.node} settled ${ahead} fire times up to ${iso(last)} at ${iso(line.at)}`,
        ids: [],
        at: line.at,
      },
    ];
  });
}

export function iso(at: number): string {
  return new Date(at).toISOString();
}
