import { isoUtc } from "../../base/instant.js";
import type { DecisionRecord } from "../../gate/finding.js";
import type { Replan } from "../../ports/store/clock-recovery.js";
import type { Schedule } from "../../schedule/schedule.js";
import type { SkippedFire } from "../../schedule/skips.js";

/**
 * Plans a schedule from `now`, and from the first dropped fire time after `since`, which are open again: pure.
 *
 * @param dropped - decisions on dropped fire times that reach beyond `since`
 */
export function replan(schedule: Pick<Schedule, "nextAfter">, dropped: readonly DecisionRecord[], since: number, now: number): Replan {
  let nextFireAt = schedule.nextAfter(now);
  const open = (at: number | null) => {
    if (at !== null && (nextFireAt === null || at < nextFireAt)) nextFireAt = at;
  };
  const withdrawn: string[] = [];
  const amended: DecisionRecord[] = [];
  const skips: SkippedFire[] = [];
  for (const decision of dropped) {
    const firstAt = decision.scheduledFor ?? since;
    if (firstAt > since) {
      withdrawn.push(decision.id);
      const skip = decision.missed?.skip;
      if (skip !== undefined) skips.push({ fireAt: firstAt, ...skip });
      open(firstAt);
      continue;
    }
    const { count, lastAt, nextAt } = fireTimesUntil(schedule, firstAt, since);
    amended.push(cut(decision, count, lastAt));
    open(nextAt);
  }
  return { nextFireAt, withdrawn, amended, skips };
}

/** Counts the fire times in [firstAt, until]; of one decision there are at most as many as of one plan. */
function fireTimesUntil(schedule: Pick<Schedule, "nextAfter">, firstAt: number, until: number) {
  let count = 1;
  let lastAt = firstAt;
  let nextAt = schedule.nextAfter(firstAt);
  for (; nextAt !== null && nextAt <= until; nextAt = schedule.nextAfter(nextAt)) {
    count++;
    lastAt = nextAt;
  }
  return { count, lastAt, nextAt };
}

function cut(decision: DecisionRecord, count: number, lastAt: number): DecisionRecord {
  const pause = decision.missed?.pause;
  const why = decision.reason.replace(/ \(\d+ fire times until [^)]*\)$/, "");
  return {
    ...decision,
    reason: count === 1 ? why : `${why} ${severalUntil(count, lastAt)}`,
    missed: count === 1 && pause === undefined ? null : { count, lastAt, ...(pause === undefined ? {} : { pause }) },
  };
}

/** Says for how many fire times a reason holds. */
export function severalUntil(count: number, lastAt: number): string {
  return `(${count} fire times until ${isoUtc(lastAt)})`;
}
