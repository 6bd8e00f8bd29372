import { HeadgateError } from "../base/errors.js";
import { isOptionsObject } from "../base/options.js";
import { shown } from "../base/shown.js";
import { type Calendar, isCalendar } from "./calendar.js";
import { DAY_MS } from "./civil.js";
import { inheritingZone, inheritsZone, inZone } from "./inherited-zone.js";
import type { Schedule } from "./schedule.js";
import { type TimeWindow, timeWindows } from "./window.js";

/** Argument of {@link except} and {@link within}: a calendar, or windows as plain data. */
export type CalendarLike = Calendar | TimeWindow | readonly TimeWindow[];

/** A combination that finds nothing for this long never will: leap days and weekdays come round in 28 to 40 years. */
const HORIZON_MS = 41 * 366 * DAY_MS;

/**
 * Fires when any of the given schedules does, once per instant.
 *
 * @throws HeadgateError `INVALID_ARGUMENT` when none is given
 * @example
 * union(cron("0 8 * * *"), cron("30 16 * * 5"));
 */
export function union(...schedules: readonly Schedule[]): Schedule {
  for (const one of schedules) checkSchedule(one, "union");
  if (schedules.length === 0) throw new HeadgateError("INVALID_ARGUMENT", "union: must have at least one schedule");
  const made: Schedule = {
    kind: "union",
    key: `union(${schedules.map((schedule) => schedule.key).join(",")})`,
    nextAfter: (at) => {
      let first: number | null = null;
      for (const schedule of schedules) {
        const next = schedule.nextAfter(at);
        if (next !== null && (first === null || next < first)) first = next;
      }
      return first;
    },
    describe: () => schedules.map((schedule) => schedule.describe()).join(" or "),
  };
  if (!schedules.some(inheritsZone)) return made;
  return inheritingZone(made, (timeZone) => union(...schedules.map((one) => inZone(one, timeZone))));
}

/**
 * A schedule without the fire times that fall into a calendar.
 *
 * @example
 * except(cron("0 6 * * *"), timeWindows([{ start: "05:00", end: "07:00", days: ["sunday"] }]));
 */
export function except(schedule: Schedule, calendar: CalendarLike): Schedule {
  checkSchedule(schedule, "except");
  const set = calendarOf(calendar);
  const made: Schedule = {
    kind: "except",
    key: `except(${schedule.key},${set.key})`,
    nextAfter: (at) => nextWhere(schedule, set, false, at),
    describe: () => `${schedule.describe()}, except ${set.describe()}`,
  };
  if (![schedule, set].some(inheritsZone)) return made;
  return inheritingZone(made, (timeZone) => except(inZone(schedule, timeZone), inZone(set, timeZone)));
}

/**
 * A schedule with only the fire times that fall into a calendar.
 *
 * @example
 * within(every("10m"), businessDays({ timeZone: "Europe/Berlin" }));
 */
export function within(schedule: Schedule, windows: CalendarLike): Schedule {
  checkSchedule(schedule, "within");
  const set = calendarOf(windows);
  const made: Schedule = {
    kind: "within",
    key: `within(${schedule.key},${set.key})`,
    nextAfter: (at) => nextWhere(schedule, set, true, at),
    describe: () => `${schedule.describe()}, within ${set.describe()}`,
  };
  if (![schedule, set].some(inheritsZone)) return made;
  return inheritingZone(made, (timeZone) => within(inZone(schedule, timeZone), inZone(set, timeZone)));
}

function checkSchedule(schedule: Schedule, where: string): void {
  if (typeof schedule?.nextAfter === "function" && typeof schedule.key === "string") return;
  throw new HeadgateError("INVALID_ARGUMENT", `${where}: must be a schedule such as cron(…) or every(…) (got ${shown(schedule)})`);
}

function calendarOf(value: CalendarLike): Calendar {
  if (Array.isArray(value)) return timeWindows(value as readonly TimeWindow[]);
  const single = value as Calendar | TimeWindow;
  return isOptionsObject(single) && isCalendar(single) ? single : timeWindows([single]);
}

/** Jumps from a fire time on the wrong side straight to the calendar's next change. */
function nextWhere(schedule: Schedule, set: Calendar, wanted: boolean, from: number): number | null {
  let at = from;
  while (at - from < HORIZON_MS) {
    const fire = schedule.nextAfter(at);
    if (fire === null || set.contains(fire) === wanted) return fire;
    const change = set.nextChangeAfter(fire);
    if (change === null) return null;
    at = Math.max(fire, change - 1);
  }
  return null;
}
