import { offsetAt, type Wall, wallOf } from "./zone.js";

const MINUTE = 60_000;
const PART_MS = 6 * 60 * MINUTE;
const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

interface Parsed {
  readonly second: number;
  readonly isElapsed: boolean;
  matchesTime(wall: Wall): boolean;
  matchesDay(wall: Wall): boolean;
}

/**
 * Fire times of a cron expression in [from, to), found by looking at every minute. The rule is cronie's: with a `*` or a step in the minute or the hour, elapsed time counts; else a time
 * in a gap fires once at the first instant after it, and one in an overlap at its first pass.
 */
export function cronFires(expression: string, zone: string, from: number, to: number): number[] {
  const found: number[] = [];
  for (let part = Math.floor(from / PART_MS) - 1; part * PART_MS < to; part++)
    for (const at of partFires(expression, zone, part)) push(found, at, from, to);
  return found;
}

const parts = new Map<string, readonly number[]>();

/** Those of one part of time, remembered. */
function partFires(expression: string, zone: string, part: number): readonly number[] {
  const key = `${expression} ${zone} ${part}`;
  let found = parts.get(key);
  if (found === undefined) {
    if (parts.size > 5_000) parts.clear();
    found = lookedThrough(expression, zone, part * PART_MS, (part + 1) * PART_MS);
    parts.set(key, found);
  }
  return found;
}

function lookedThrough(expression: string, zone: string, from: number, to: number): number[] {
  const cron = parsed(expression);
  const found: number[] = [];
  for (let at = from; at < to; at += MINUTE) {
    const offset = offsetAt(zone, at);
    const before = offsetAt(zone, at - MINUTE);
    const wall = wallOf(at + offset);
    const isGapEnd = offset > before;
    let fires: number | null = null;
    if (cron.matchesTime(wall) && cron.matchesDay(wall) && (cron.isElapsed || isFirstPass(zone, at, offset)))
      fires = at + cron.second * 1_000;
    if (!cron.isElapsed && isGapEnd) {
      for (let skipped = at + before; skipped < at + offset; skipped += MINUTE) {
        const lost = wallOf(skipped);
        if (cron.matchesTime(lost) && cron.matchesDay(lost)) push(found, at, from, to);
      }
    }
    if (fires !== null && found.at(-1) !== fires) found.push(fires);
  }
  return found;
}

function push(found: number[], at: number, from: number, to: number): void {
  if (at >= from && at < to && found.at(-1) !== at) found.push(at);
}

/** Whether the wall clock shows this for the first time: it did not within the three hours before. */
function isFirstPass(zone: string, at: number, offset: number): boolean {
  for (let earlier = at - 15 * MINUTE; earlier >= at - 180 * MINUTE; earlier -= 15 * MINUTE) {
    const back = offsetAt(zone, earlier) - offset;
    if (back > 0 && offsetAt(zone, at - back) === offset + back) return false;
  }
  return true;
}

const known = new Map<string, Parsed>();

function parsed(expression: string): Parsed {
  let cron = known.get(expression);
  if (cron === undefined) {
    cron = parse(expression);
    known.set(expression, cron);
  }
  return cron;
}

function parse(expression: string): Parsed {
  const fields = expression.toLowerCase().split(" ");
  const second = fields.length === 6 ? Number(fields.shift()) : 0;
  const [minute = "*", hour = "*", day = "*", month = "*", weekday = "*"] = fields;
  const minutes = numbers(minute, 0, 59, []);
  const hours = numbers(hour, 0, 23, []);
  const months = numbers(month, 1, 12, MONTHS);
  const isDayFree = day.startsWith("*");
  const isWeekdayFree = weekday.startsWith("*");
  return {
    second,
    isElapsed: [minute, hour].some((field) => field.includes("*") || field.includes("/")),
    matchesTime: (wall) => minutes.has(wall.minute) && hours.has(wall.hour),
    matchesDay: (wall) => {
      if (!months.has(wall.month)) return false;
      const byDay = day.split(",").some((part) => isDay(part, wall));
      const byWeekday = weekday.split(",").some((part) => isWeekday(part, wall));
      if (isDayFree || isWeekdayFree) return byDay && byWeekday;
      return byDay || byWeekday;
    },
  };
}

function isDay(part: string, wall: Wall): boolean {
  const last = lastDayOf(wall);
  if (part === "l") return wall.day === last;
  if (part === "lw") return wall.day === nearestWeekday(last, wall);
  const near = /^(\d+)w$/.exec(part);
  if (near !== null) return wall.day === nearestWeekday(Math.min(Number(near[1]), last), wall);
  return numbers(part, 1, 31, []).has(wall.day);
}

function isWeekday(part: string, wall: Wall): boolean {
  const last = /^(\w+)l$/.exec(part);
  if (last !== null) return wall.weekday === weekdayNumber(last[1] as string) && wall.day + 7 > lastDayOf(wall);
  const nth = /^(\w+)#(\d)$/.exec(part);
  if (nth !== null) return wall.weekday === weekdayNumber(nth[1] as string) && Math.ceil(wall.day / 7) === Number(nth[2]);
  const days = numbers(part, 0, 7, DAYS);
  return days.has(wall.weekday) || (wall.weekday === 0 && days.has(7));
}

function weekdayNumber(text: string): number {
  const named = DAYS.indexOf(text);
  return named === -1 ? Number(text) % 7 : named;
}

function lastDayOf({ year, month }: Wall): number {
  return new Date(Date.UTC(year, month, 0)).getUTCDate();
}

/** The day from Monday to Friday nearest to a day, within its month. */
function nearestWeekday(day: number, { year, month }: Wall): number {
  const last = new Date(Date.UTC(year, month, 0)).getUTCDate();
  const weekday = new Date(Date.UTC(year, month - 1, day)).getUTCDay();
  if (weekday === 6) return day === 1 ? 3 : day - 1;
  if (weekday === 0) return day === last ? day - 2 : day + 1;
  return day;
}

function numbers(field: string, least: number, most: number, names: readonly string[]): Set<number> {
  const found = new Set<number>();
  const numberOf = (text: string) => {
    const index = names.indexOf(text);
    return index === -1 ? Number(text) : index + (least === 1 ? 1 : 0);
  };
  for (const part of field.split(",")) {
    const [range = "*", step] = part.split("/");
    const [low, high] = range === "*" || range === "?" ? [least, most] : range.split("-").map(numberOf);
    const end = high ?? (step === undefined ? low : most);
    for (let value = low as number; value <= (end as number); value += Number(step ?? 1)) found.add(value);
  }
  return found;
}
