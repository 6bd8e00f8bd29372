import { quote } from "../base/errors.js";
import { checkOptions } from "../base/options.js";
import { DAY_MS, isLeapYear } from "./civil.js";
import { compileMonthDays, type MonthDays } from "./cron-days.js";
import { type CronField, type CronFieldName, FIELD_SHAPES, invalidCron, parseField } from "./cron-fields.js";
import { compileNextLocal, type NextLocal } from "./cron-step.js";
import { inheritingZone } from "./inherited-zone.js";
import type { Schedule } from "./schedule.js";
import { type Zone, zoneOf } from "./zone.js";

/** Options of {@link cron}. */
export interface CronOptions {
  /** IANA name of the zone whose wall clock the expression means. Default: the pipeline's `timeZone`, else `"UTC"`. */
  timeZone?: string;
}

const MACROS: Readonly<Record<string, string>> = {
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
  "@monthly": "0 0 1 * *",
  "@weekly": "0 0 * * 0",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@hourly": "0 * * * *",
};
const FIELD_NAMES = Object.keys(FIELD_SHAPES) as CronFieldName[];
const MAX_CHARS = 1_000;
/** No wall clock has been moved by more than this, so that only changes this near a fire time can touch it. */
const NEAR_MS = 3 * DAY_MS;

const compiled = new Map<string, Schedule>();
const MAX_COMPILED = 10_000;

/**
 * A schedule by cron expression: five fields (minute, hour, day of month, month, day of week) or six with seconds
 * first; names (`jan`, `mon`), lists, ranges, steps, `L`, `LW`, `15W`, `5L`, `1#2`, Sunday as 0 or 7, `@hourly` … `@yearly`.
 *
 * Day of month and day of week both restricted: either matches. Daylight saving follows cronie: a fixed hour and
 * minute in a spring gap fires once, at the first instant after it, and in an autumn overlap once, at the first of the two;
 * with a `*` or a step in the hour or minute field the schedule follows elapsed time (nothing in the gap, both passes of the overlap).
 *
 * @throws HeadgateError `INVALID_CRON` with the field, its text and what is allowed; `INVALID_TIME_ZONE`
 * @see crontab(5) and cron(8) of cronie, https://github.com/cronie-crond/cronie; Quartz for L, W and #
 * @example
 * cron("0 2 * * 1-5", { timeZone: "Europe/Berlin" });
 */
export function cron(expression: string, options: CronOptions = {}): Schedule {
  checkOptions(options, { timeZone: true }, "cron");
  const timeZone = options.timeZone ?? "UTC";
  const cacheKey = `${options.timeZone ?? ""} ${expression}`;
  const seen = compiled.get(cacheKey);
  if (seen !== undefined) return seen;
  const zone = zoneOf(timeZone);
  const fields = parseExpression(expression);
  const monthDays = compileMonthDays(fields.dayOfMonth, fields.dayOfWeek);
  if (!canEverMatch(fields.month.low, monthDays)) {
    throw invalidCron(expression, "names a date that never comes (such as 30 February)", { field: "dayOfMonth" });
  }
  const isElapsed = [fields.hour, fields.minute].some((field) => field.hasStar || field.hasStep);
  const nextLocal = compileNextLocal(fields, monthDays);
  const text = expression.trim().replace(/\s+/g, " ");
  const schedule: Schedule = {
    kind: "cron",
    key: `cron(${text},${timeZone})`,
    ...(options.timeZone === undefined ? {} : { timeZone }),
    nextAfter: (at) => nextInstant(at, zone, nextLocal, isElapsed),
    describe: () => `cron ${text} (${timeZone})`,
  };
  if (compiled.size >= MAX_COMPILED) compiled.clear();
  compiled.set(cacheKey, schedule);
  return options.timeZone === undefined ? inheritingZone(schedule, (inherited) => cron(expression, { timeZone: inherited })) : schedule;
}

/** Walks the zone's segments from `at`; within one, the wall clock is a plain count. */
function nextInstant(at: number, zone: Zone, nextLocal: NextLocal, isElapsed: boolean): number | null {
  let segment = zone.segmentAt(at);
  let local = at + segment.offset;
  if (!isElapsed && local < segment.repeatsUntil) local = segment.repeatsUntil - 1;
  let wall = nextLocal(local);
  if (wall - segment.offset >= segment.end && segment.end - at > NEAR_MS && wall - segment.end > 2 * NEAR_MS) {
    if (wall === Number.POSITIVE_INFINITY) return null;
    segment = zone.segmentAt(wall - NEAR_MS);
  }
  for (;;) {
    const fire = wall - segment.offset;
    if (fire < segment.end) return fire;
    if (wall === Number.POSITIVE_INFINITY) return null;
    const change = segment.end;
    const before = segment.offset;
    segment = zone.segmentAt(change);
    if (segment.offset > before && wall < change + segment.offset) {
      if (!isElapsed) return change;
      wall = nextLocal(change + segment.offset - 1);
    } else if (segment.offset < before && isElapsed) {
      wall = nextLocal(change + segment.offset - 1);
    }
  }
}

type CronFields = Record<CronFieldName, CronField>;

function parseExpression(expression: string): CronFields {
  if (typeof expression !== "string") throw invalidCron(String(expression), "is not text");
  if (expression.length > MAX_CHARS) throw invalidCron(expression, `is longer than ${MAX_CHARS} characters`);
  const trimmed = expression.trim();
  const text = trimmed.startsWith("@") ? MACROS[trimmed.toLowerCase()] : trimmed;
  if (text === undefined) {
    throw invalidCron(expression, `${quote(trimmed)} is not a known name; allowed: ${Object.keys(MACROS).join(", ")}`);
  }
  const parts = text === "" ? [] : text.split(/\s+/);
  if (parts.length !== 5 && parts.length !== 6) {
    throw invalidCron(expression, `has ${parts.length} fields; use 5 (minute hour day-of-month month day-of-week) or 6 (second first)`, {
      fields: parts.length,
    });
  }
  if (parts.length === 5) parts.unshift("0");
  const fields = FIELD_NAMES.map((name, index) => [name, parseField(expression, name, parts[index] as string)] as const);
  return Object.fromEntries(fields) as CronFields;
}

/** The Gregorian calendar repeats after 400 years, but its months only in 14 shapes: leap or not × seven first weekdays. */
function canEverMatch(months: number, monthDays: MonthDays): boolean {
  for (let year = 2000; year < 2400; year++) {
    if (year > 2028 && !isLeapYear(year)) continue;
    for (let month = 1; month <= 12; month++) {
      if ((months >> month) & 1 && monthDays(year, month) !== 0) return true;
    }
  }
  return false;
}
