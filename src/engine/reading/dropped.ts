import { isoUtc } from "../../base/instant.js";
import type { DecisionRecord } from "../../gate/finding.js";
import type { Pipeline } from "../../pipeline/pipeline.js";
import { skipReason } from "../../schedule/skips.js";
import { byWhom, lateBecause } from "./explain-words.js";
import type { Story } from "./story.js";

/** A fire time that was dropped: alone, or in a row that one decision stands for. */
export function tellDropped(pipeline: Pipeline, drop: DecisionRecord, fireAt: number): Story {
  const { missed, scheduledFor, reason } = drop;
  const count = missed?.count ?? 1;
  const others = count === 1 ? "" : `, one of ${count} from ${isoUtc(scheduledFor ?? fireAt)} to ${isoUtc(missed?.lastAt ?? fireAt)},`;
  if (missed?.skip !== undefined)
    return {
      answer: "skipped",
      text: `its fire time ${isoUtc(fireAt)} was left out because ${skipReason(missed.skip)}`,
      advice: "To run it anyway, backfill it.",
      decisions: [drop],
    };
  return {
    answer: "missed",
    text: `its fire time ${isoUtc(fireAt)}${others} was dropped at ${isoUtc(drop.at)}: ${whyDropped(pipeline, drop, reason.replace(/ \(\d+ fire times until [^)]*\)$/, ""))}`,
    advice: "To run it anyway, backfill it.",
    decisions: [drop],
  };
}

function whyDropped({ execution }: Pipeline, { missed }: DecisionRecord, reason: string): string {
  if (missed?.pause !== undefined) {
    const { at, until, isGlobal, user, reason: why } = missed.pause;
    const end = until === null ? "" : ` to ${isoUtc(until)}`;
    const what = isGlobal ? "the scheduler" : "the pipeline";
    return `${what} was paused ${end === "" ? "since" : "from"} ${isoUtc(at)}${end}${byWhom({ user, reason: why })}, and catchup "${execution.catchup}" did not make it up afterwards`;
  }
  return missed?.cause === undefined ? reason : `${reason}; it was late because ${lateBecause(missed.cause)}`;
}
