import { HeadgateError, quote } from "../base/errors.js";
import { checkOptions, type OptionNames } from "../base/options.js";
import { shown } from "../base/shown.js";
import type { Calendar } from "./calendar.js";
import { DAY_MS, isoDateOf, weekdayOf } from "./civil.js";
import { inheritingZone } from "./inherited-zone.js";
import { WEEKDAY_NAMES, type Weekday } from "./window.js";
import { instantOfWallClock, type Zone, zoneOf } from "./zone.js";

/** Options of {@link businessDays}. */
export interface BusinessDayOptions {
  /** IANA zone whose dates count. Default: the pipeline's `timeZone`, else `"UTC"`. */
  timeZone?: string;
  /** Days of the week without work. Default Saturday and Sunday. */
  weekend?: readonly Weekday[];
  /** Dates without work, `"YYYY-MM-DD"`; or a function that knows them (`headgate/holidays` makes one by country). Default none. */
  holidays?: readonly string[] | HolidayRule;
}

/** Returns true if a local date (`"YYYY-MM-DD"`) is a holiday; pure. */
export interface HolidayRule {
  readonly key: string;
  isHoliday(isoDate: string): boolean;
}

export const BUSINESS_DAY_OPTIONS: OptionNames<BusinessDayOptions> = { timeZone: true, weekend: true, holidays: true };

const MAX_DAYS = 800;

/**
 * The instants that fall on a business day: neither a weekend nor a holiday.
 *
 * @throws HeadgateError `INVALID_ARGUMENT` for an unknown weekday or a malformed date, `INVALID_TIME_ZONE`
 * @example
 * within(cron("0 18 * * *"), businessDays({ holidays: ["2026-12-25"] }));
 */
export function businessDays(options: BusinessDayOptions = {}): Calendar {
  checkOptions(options, BUSINESS_DAY_OPTIONS, "businessDays");
  const zone = zoneOf(options.timeZone ?? "UTC");
  const weekend = new Set(listOf<Weekday>(options.weekend ?? ["saturday", "sunday"], "weekend").map(weekdayNumber));
  const rule = holidayRule(options.holidays ?? []);
  const isBusinessDay = (day: number) => !weekend.has(weekdayOf(day)) && !rule.isHoliday(isoDateOf(day));
  const calendar: Calendar = {
    key: `businessDays(${zone.name},${[...weekend].sort().join("")},${rule.key})`,
    contains: (at) => isBusinessDay(localDay(zone, at)),
    nextChangeAfter: (at) => {
      const today = localDay(zone, at);
      const now = isBusinessDay(today);
      for (let day = today + 1; day < today + MAX_DAYS; day++) {
        if (isBusinessDay(day) === now) continue;
        const starts = instantOfWallClock(zone, day * DAY_MS);
        if (localDay(zone, starts) === day && starts > at) return starts;
      }
      return null;
    },
    describe: () => `business days (${zone.name})`,
  };
  return options.timeZone === undefined ? inheritingZone(calendar, (timeZone) => businessDays({ ...options, timeZone })) : calendar;
}

function localDay(zone: Zone, at: number): number {
  return Math.floor((at + zone.segmentAt(at).offset) / DAY_MS);
}

function listOf<T>(value: readonly T[], name: string): readonly T[] {
  if (Array.isArray(value)) return value;
  throw new HeadgateError("INVALID_ARGUMENT", `${name}: must be an array (got ${shown(value)})`, { details: { option: name } });
}

function weekdayNumber(name: Weekday): number {
  const weekday = WEEKDAY_NAMES.indexOf(String(name).toLowerCase() as Weekday);
  if (weekday === -1) {
    throw new HeadgateError("INVALID_ARGUMENT", `weekend: ${quote(name)} is not a day; allowed: ${WEEKDAY_NAMES.join(", ")}`);
  }
  return weekday;
}

function holidayRule(holidays: readonly string[] | HolidayRule): HolidayRule {
  if (typeof holidays === "object" && holidays !== null && "isHoliday" in holidays) return holidays;
  for (const date of listOf(holidays, "holidays")) {
    if (!/^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$/.test(date)) {
      throw new HeadgateError("INVALID_ARGUMENT", `holidays: ${quote(date)} is not a date; use "YYYY-MM-DD"`);
    }
  }
  const dates = new Set(holidays);
  return { key: [...dates].sort().join(","), isHoliday: (date) => dates.has(date) };
}
