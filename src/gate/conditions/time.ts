import { isoUtc } from "../../base/instant.js";
import { checkOptions, invalidArgument } from "../../base/options.js";
import { BUSINESS_DAY_OPTIONS, type BusinessDayOptions, businessDays } from "../../schedule/business-days.js";
import type { Calendar } from "../../schedule/calendar.js";
import { inheritingZone, inheritsZone, inZone } from "../../schedule/inherited-zone.js";
import { areEndless, type TimeWindow, timeWindows, type WindowCalendar } from "../../schedule/window.js";
import { CONDITION_OPTIONS, type Condition, type ConditionOptions, onBlockOf } from "../condition.js";

/** Advice about windows that never end. */
export const ENDLESS =
  "the windows cover every day from start to start (equal start and end make 24 h), so nothing would ever run; name days, change the end, or pause the pipeline instead";

/**
 * Blocks inside maintenance windows, and knows when they end. Days name the day a window starts; a window may cross midnight;
 * its end is exclusive; equal start and end make 24 h; times are the wall clock of its zone.
 *
 * @throws HeadgateError `INVALID_ARGUMENT` for a malformed window and for windows that together never end, `INVALID_TIME_ZONE`
 * @example
 * maintenanceWindow({ start: "02:00", end: "04:00", days: ["sunday"], description: "Weekly maintenance" }, { onBlock: "hold" });
 */
export function maintenanceWindow(windows: TimeWindow | readonly TimeWindow[], options: ConditionOptions = {}): Condition {
  checkOptions(options, CONDITION_OPTIONS, "maintenanceWindow");
  const all: readonly TimeWindow[] = Array.isArray(windows) ? windows : [windows as TimeWindow];
  const calendar = timeWindows(all);
  if (areEndless(all)) throw invalidArgument("maintenanceWindow")(null, ENDLESS);
  return outsideWindows(calendar, options, all);
}

/** The same of windows that are in force already, which an earlier version may have taken though they never end. */
export function keptMaintenance(windows: readonly TimeWindow[]): Condition {
  return outsideWindows(timeWindows(windows), {}, windows);
}

function outsideWindows(calendar: WindowCalendar, options: ConditionOptions, windows: readonly TimeWindow[]): Condition {
  const made: Condition = {
    name: "maintenance window",
    needs: "time",
    ...onBlockOf(options, "maintenanceWindow"),
    declares: { windows },
    isMaintenanceAt: (now) => calendar.windowAt(now) !== null,
    nextChangeAfter: (now) => calendar.nextChangeAfter(now),
    evaluate: ({ now }) => {
      const window = calendar.windowAt(now);
      if (window === null) return { result: "pass", reason: `outside ${calendar.describe()}` };
      const endsAt = calendar.nextChangeAfter(now);
      const label = window.description === undefined ? "" : ` (${window.description})`;
      return {
        result: "block",
        reason: endsAt === null ? `inside a window without an end${label}` : `inside a window until ${isoUtc(endsAt)}${label}`,
        evidence: { window },
        ...(endsAt === null ? {} : { recheckAt: endsAt }),
      };
    },
  };
  return inheritsZone(calendar)
    ? inheritingZone(made, (timeZone) => {
        const zoned = windows.map((one) => ("start" in one && one.timeZone === undefined ? { ...one, timeZone } : one));
        return outsideWindows(inZone(calendar, timeZone), options, zoned);
      })
    : made;
}

/**
 * Blocks on weekends and holidays.
 *
 * @throws HeadgateError `INVALID_ARGUMENT` for an unknown weekday or a malformed date, `INVALID_TIME_ZONE`
 * @example
 * businessDay({ timeZone: "America/New_York", holidays: ["2026-12-25"] });
 */
export function businessDay(options: BusinessDayOptions & ConditionOptions = {}): Condition {
  checkOptions(options, { ...CONDITION_OPTIONS, ...BUSINESS_DAY_OPTIONS }, "businessDay");
  const { onBlock: _, ...days } = options;
  return onBusinessDays(businessDays(days), options);
}

function onBusinessDays(calendar: Calendar, options: ConditionOptions): Condition {
  const made: Condition = {
    name: "business day",
    needs: "time",
    ...onBlockOf(options, "businessDay"),
    nextChangeAfter: (now) => calendar.nextChangeAfter(now),
    evaluate: ({ now }) => {
      if (calendar.contains(now)) return { result: "pass", reason: "it is a business day" };
      const opensAt = calendar.nextChangeAfter(now);
      return {
        result: "block",
        reason: `not a business day${opensAt === null ? "" : `; the next begins ${isoUtc(opensAt)}`}`,
        ...(opensAt === null ? {} : { recheckAt: opensAt }),
      };
    },
  };
  return inheritsZone(calendar) ? inheritingZone(made, (timeZone) => onBusinessDays(inZone(calendar, timeZone), options)) : made;
}
