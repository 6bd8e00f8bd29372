import type { ScheduleSpec } from "../spec.js";
import { covers } from "./calendar.js";
import { cronFires } from "./cron.js";

/** Fire times of a schedule in [from, to), oldest first. */
export function firesIn(schedule: ScheduleSpec, from: number, to: number): number[] {
  switch (schedule.type) {
    case "cron":
      return cronFires(schedule.expression, schedule.zone, from, to);
    case "every": {
      const found: number[] = [];
      for (let n = Math.ceil((from - schedule.anchor) / schedule.ms); schedule.anchor + n * schedule.ms < to; n++)
        found.push(schedule.anchor + n * schedule.ms);
      return found;
    }
    case "at":
      return [...new Set(schedule.instants)].sort((a, b) => a - b).filter((at) => at >= from && at < to);
    case "union":
      return [...new Set(schedule.parts.flatMap((part) => firesIn(part, from, to)))].sort((a, b) => a - b);
    case "except":
      return firesIn(schedule.of, from, to).filter((at) => !covers(schedule.calendar, at));
    case "within":
      return firesIn(schedule.of, from, to).filter((at) => covers(schedule.calendar, at));
    case "manual":
      return [];
  }
}
