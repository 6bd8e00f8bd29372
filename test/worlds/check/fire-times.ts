import { type FireOutcome, misfires } from "../oracle/misfire.js";
import { firesIn } from "../oracle/schedule.js";
import type { SeenDecision } from "../seen.js";
import { grouped, type History } from "./history.js";
import { iso, type Report } from "./report.js";

/** A round of a node follows within this. */
const ROUND_MS = 2;

interface Outcome {
  readonly what: "made" | "dropped";
  readonly at: number;
  readonly reason: string;
}

/** Every fire time has exactly one outcome; where no clock stepped, at the right instant and by the right policy. */
export function checkFireTimes(history: History, report: Report): void {
  for (const { id } of history.world.pipelines) {
    const outcomes = outcomesOf(history, id);
    const fires = history.firesOf(id);
    // a new schedule is planned from now on: what the old one has left open goes with it
    const isOverdue = (fire: number) => {
      const openFrom = history.openFrom(id, fire);
      return (
        openFrom + history.unnoticedMs <= history.seen.endedAt &&
        history.specAt(id, openFrom).schedule === history.specAt(id, fire).schedule
      );
    };
    for (const fire of fires) {
      report.counts.fireTimes++;
      const found = outcomes.get(fire) ?? [];
      outcomes.delete(fire);
      if (found.length > 1)
        report.fail("fire-times", fire, id, `${iso(fire)} has ${found.length} outcomes: ${found.map(inWords).join("; ")}`);
      else if (found.length === 0 && isOverdue(fire)) report.fail("fire-times", fire, id, `${iso(fire)} has no outcome`);
    }
    for (const [at, found] of outcomes) {
      if (history.world.theme === "steps" && at > history.seen.endedAt - history.unnoticedMs) continue; // a clock that was ahead has made it
      report.fail("fire-times", at, id, `${iso(at)} is no fire time and has an outcome: ${found.map(inWords).join("; ")}`);
    }
    if (history.world.theme !== "steps") checkPolicy(history, id, fires, outcomesOf(history, id), report);
  }
}

function outcomesOf(history: History, id: string): Map<number, Outcome[]> {
  const { seen } = history;
  const outcomes = new Map<number, Outcome[]>();
  const add = (fire: number, outcome: Outcome) => outcomes.set(fire, [...(outcomes.get(fire) ?? []), outcome]);
  for (const { pipelineId, kind, scheduledFor, createdAt } of seen.triggers)
    if (pipelineId === id && kind === "scheduled" && scheduledFor !== null) add(scheduledFor, { what: "made", at: createdAt, reason: "" });
  for (const decision of seen.decisions) {
    if (decision.pipelineId !== id || decision.triggerId !== null) continue;
    for (const fire of droppedBy(decision, history)) add(fire, { what: "dropped", at: decision.at, reason: decision.reason });
  }
  return outcomes;
}

/** The fire times that a decision drops: one, or several in a row. */
function droppedBy({ scheduledFor, missed, pipelineId }: SeenDecision, history: History): readonly number[] {
  if (scheduledFor === null) return [];
  if (missed === null) return [scheduledFor];
  return firesIn(history.specAt(pipelineId, scheduledFor).schedule, scheduledFor, missed.lastAt + 1);
}

function checkPolicy(history: History, id: string, fires: readonly number[], outcomes: Map<number, Outcome[]>, report: Report): void {
  const slack = history.world.nodes > 1 ? history.unnoticedMs : ROUND_MS;
  const isPaused = (fire: number) => history.isPausedAt(id, fire);
  for (const [handledAt, group] of grouped(fires, (fire) => history.openFrom(id, fire))) {
    if (handledAt + slack > history.seen.endedAt) continue;
    const { execution } = history.specAt(id, handledAt);
    // with several nodes, the instant at which one notices decides what is on time
    const isSharp = history.world.nodes === 1 || group.every((fire) => fire === handledAt);
    const expected = misfires(group, handledAt, execution, history.world.misfireThreshold, isPaused);
    for (const fire of group) {
      const [found] = outcomes.get(fire) ?? [];
      const wanted = expected.get(fire) as FireOutcome;
      if (found === undefined) continue;
      if (found.at < handledAt || found.at > handledAt + slack)
        report.fail(
          "fire-times",
          fire,
          id,
          `${iso(fire)} should be dealt with at ${iso(handledAt)}, not at ${iso(found.at)} (${inWords(found)})`,
        );
      if (!isSharp) continue;
      if ((wanted === "made") !== (found.what === "made"))
        report.fail("fire-times", fire, id, `${iso(fire)}, dealt with at ${iso(handledAt)}, should be ${wanted}: ${inWords(found)}`);
      else if (wanted !== "made" && !isReason(wanted, found.reason))
        report.fail("drop-reasons", fire, id, `${iso(fire)} should be dropped as ${wanted}: ${found.reason}`);
    }
  }
}

function isReason(wanted: FireOutcome, reason: string): boolean {
  if (wanted === "paused") return /paused/.test(reason);
  if (/^paused/.test(reason)) return false;
  if (wanted === "outside_catchup_window") return /catchup window/.test(reason);
  return wanted === "catchup_none" ? /catchup is "?none/.test(reason) : /catchup is "?latest/.test(reason);
}

function inWords({ what, at, reason }: Outcome): string {
  return `${what} at ${iso(at)}${reason === "" ? "" : ` (${reason})`}`;
}
