import { daysFromCivil, daysInMonth, weekdayOf } from "./civil.js";
import type { CronField, DayRule } from "./cron-fields.js";

/** Days of a month that match: bit n is day n. */
export type MonthDays = (year: number, month: number) => number;

/**
 * Compiles day-of-month and day-of-week into one function from a month to its matching days.
 * Both restricted: either matches; one with a `*`: both must (Vixie cron's classic rule, crontab(5)).
 */
export function compileMonthDays(dayOfMonth: CronField, dayOfWeek: CronField): MonthDays {
  const either = !dayOfMonth.hasStar && !dayOfWeek.hasStar;
  const byFirstWeekday = Array.from({ length: 7 }, (_, first) => weekdayBits(dayOfWeek.low, first));
  const monthRules = dayOfMonth.rules;
  const weekRules = dayOfWeek.rules;
  const hasRules = monthRules.length + weekRules.length > 0;
  const plainDays = dayOfMonth.low;
  return (year, month) => {
    const length = daysInMonth(year, month);
    const first = weekdayOf(daysFromCivil(year, month, 1));
    let byMonth = plainDays;
    let byWeek = byFirstWeekday[first] as number;
    if (hasRules) {
      for (const rule of monthRules) byMonth |= ruleBits(rule, first, length);
      for (const rule of weekRules) byWeek |= ruleBits(rule, first, length);
    }
    const valid = length === 31 ? -2 : (1 << (length + 1)) - 2;
    return (either ? byMonth | byWeek : byMonth & byWeek) & valid;
  };
}

/** Days 1–31 that fall on the given weekdays when day 1 falls on `first`. */
function weekdayBits(weekdays: number, first: number): number {
  let bits = 0;
  for (let day = 1; day <= 31; day++) {
    if ((weekdays >> ((first + day - 1) % 7)) & 1) bits |= 1 << day;
  }
  return bits;
}

function ruleBits(rule: DayRule, first: number, length: number): number {
  const weekday = (day: number) => (first + day - 1) % 7;
  switch (rule.kind) {
    case "lastDay":
      return 1 << length;
    case "lastWeekday":
      return 1 << nearestWeekday(length, length, weekday);
    case "nearestWeekday":
      return rule.day > length ? 0 : 1 << nearestWeekday(rule.day, length, weekday);
    case "lastOfWeekday":
      return 1 << (length - ((weekday(length) - rule.weekday + 7) % 7));
    case "nthOfWeekday": {
      const day = 1 + ((rule.weekday - first + 7) % 7) + (rule.nth - 1) * 7;
      return day > length ? 0 : 1 << day;
    }
    default:
      return rule satisfies never;
  }
}

/** Quartz's `W`: the nearest Monday–Friday in the same month; it never jumps over the month's edge. */
function nearestWeekday(day: number, length: number, weekday: (day: number) => number): number {
  if (weekday(day) === 6) return day === 1 ? 3 : day - 1;
  if (weekday(day) === 0) return day === length ? day - 2 : day + 1;
  return day;
}
