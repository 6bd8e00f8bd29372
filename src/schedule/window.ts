import { HeadgateError, quote } from "../base/errors.js";
import { epochMs, type Instant, isoUtc } from "../base/instant.js";
import { checkOptions, isOptionsObject, type OptionNames } from "../base/options.js";
import { shown } from "../base/shown.js";
import type { Calendar } from "./calendar.js";
import { DAY_MS, weekdayOf } from "./civil.js";
import { inheritingZone } from "./inherited-zone.js";
import { type Zone, zoneOf } from "./zone.js";

export const WEEKDAY_NAMES: readonly Weekday[] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
/** A day of the week, by its English name. */
export type Weekday = "sunday" | "monday" | "tuesday" | "wednesday" | "thursday" | "friday" | "saturday";

/** A window that recurs by the wall clock of a zone. */
export interface RecurringWindow {
  /** `"HH:MM"` at which it begins. */
  start: string;
  /** `"HH:MM"` at which it ends, exclusive; before `start` it crosses midnight, equal to it the window lasts 24 h. */
  end: string;
  /** The days on which it STARTS. Default every day. */
  days?: readonly Weekday[];
  /** IANA zone. Default: the pipeline's `timeZone`, else `"UTC"`. */
  timeZone?: string;
  /** Reason, for findings and messages. */
  description?: string;
}

/** A window that comes once. */
export interface SingleWindow {
  from: Instant;
  /** Exclusive. */
  until: Instant;
  description?: string;
}

export type TimeWindow = RecurringWindow | SingleWindow;

/** A calendar of windows that can also say which of them holds at an instant. */
export interface WindowCalendar extends Calendar {
  windowAt(epochMs: number): TimeWindow | null;
}

interface CompiledWindow {
  readonly window: TimeWindow;
  readonly key: string;
  contains(at: number): boolean;
  /** The next instant, at or before which nothing changes; Infinity when it never changes again. */
  nextBoundary(at: number): number;
  describe(): string;
}

const RECURRING: OptionNames<RecurringWindow> = { start: true, end: true, days: true, timeZone: true, description: true };
const SINGLE: OptionNames<SingleWindow> = { from: true, until: true, description: true };
const MINUTE_MS = 60_000;
const TIME = /^([01]\d|2[0-3]):([0-5]\d)$/;
/** Recurring windows repeat weekly; a union that has not changed after two weeks and a clock change never will. */
const SEARCH_MS = 60 * DAY_MS;

/**
 * The instants covered by any of the windows.
 *
 * @throws HeadgateError `INVALID_ARGUMENT` for a malformed window, `INVALID_TIME_ZONE`, `INVALID_INSTANT`
 * @example
 * timeWindows([{ start: "22:00", end: "02:00", days: ["saturday"], timeZone: "Europe/Berlin" }]);
 */
export function timeWindows(windows: readonly TimeWindow[]): WindowCalendar {
  if (!Array.isArray(windows)) throw new HeadgateError("INVALID_ARGUMENT", `windows: must be an array of windows (got ${shown(windows)})`);
  const all = windows.map((window: TimeWindow, index) => {
    const refuse = (name: string | null, problem: string) => invalid(index, name === null ? problem : `${name}: ${problem}`);
    if (isOptionsObject(window) && ("from" in window || "until" in window)) {
      checkOptions(window as SingleWindow, SINGLE, "windows", refuse);
      return single(window as SingleWindow, index);
    }
    checkOptions(window as RecurringWindow, RECURRING, "windows", refuse);
    return recurring(window as RecurringWindow, index);
  });
  const windowAt = (at: number) => all.find((one) => one.contains(at)) ?? null;
  const calendar: WindowCalendar = {
    key: `windows(${all.map((one) => one.key).join(",")})`,
    contains: (at) => windowAt(at) !== null,
    windowAt: (at) => windowAt(at)?.window ?? null,
    nextChangeAfter: (from) => {
      const before = windowAt(from) !== null;
      let limit = from + SEARCH_MS;
      for (let at = from; at < limit; ) {
        let next = Number.POSITIVE_INFINITY;
        for (const one of all) next = Math.min(next, one.nextBoundary(at));
        if (next === Number.POSITIVE_INFINITY) return null;
        if ((windowAt(next) !== null) !== before) return next;
        if (next > limit) limit = next + SEARCH_MS;
        at = next;
      }
      return null;
    },
    describe: () => all.map((one) => one.describe()).join(" and ") || "no windows",
  };
  if (!windows.some(namesNoZone)) return calendar;
  return inheritingZone(calendar, (timeZone) => timeWindows(windows.map((one) => (namesNoZone(one) ? { ...one, timeZone } : one))));
}

/** Returns true for windows that cover all time for good: such as 24 h on every day, or two halves of the day. */
export function areEndless(windows: readonly TimeWindow[]): boolean {
  const recurrent = windows.filter((window) => "start" in window);
  if (recurrent.length === 0) return false;
  const calendar = timeWindows(recurrent);
  return calendar.contains(0) && calendar.nextChangeAfter(0) === null;
}

function namesNoZone(window: TimeWindow): boolean {
  return "start" in window && window.timeZone === undefined;
}

function single(window: SingleWindow, index: number): CompiledWindow {
  const from = epochMs(window.from, `windows[${index}].from`);
  const until = epochMs(window.until, `windows[${index}].until`);
  if (until <= from) throw invalid(index, `until ${isoUtc(until)} is not after from ${isoUtc(from)}`);
  return {
    window,
    key: `${from}-${until}`,
    contains: (at) => at >= from && at < until,
    nextBoundary: (at) => (at < from ? from : at < until ? until : Number.POSITIVE_INFINITY),
    describe: () => `${isoUtc(from)} to ${isoUtc(until)}`,
  };
}

function recurring(window: RecurringWindow, index: number): CompiledWindow {
  const start = timeOfDay(window.start, index, "start");
  const end = timeOfDay(window.end, index, "end");
  const zone: Zone = zoneOf(window.timeZone ?? "UTC");
  const days = startDays(window.days, index);
  const crosses = end <= start;
  const boundaries = [...new Set([start, end])].sort((a, b) => a - b);

  const contains = (at: number) => {
    const local = at + zone.segmentAt(at).offset;
    const day = Math.floor(local / DAY_MS);
    const time = local - day * DAY_MS;
    const today = (days >> weekdayOf(day)) & 1;
    if (!crosses) return today === 1 && time >= start && time < end;
    const yesterday = (days >> weekdayOf(day - 1)) & 1;
    return (today === 1 && time >= start) || (yesterday === 1 && time < end);
  };
  const nextBoundary = (at: number) => {
    const segment = zone.segmentAt(at);
    const local = at + segment.offset;
    const day = Math.floor(local / DAY_MS);
    const time = local - day * DAY_MS;
    const next = boundaries.find((boundary) => boundary > time) ?? (boundaries[0] as number) + DAY_MS;
    return Math.min(segment.end, day * DAY_MS + next - segment.offset);
  };
  const names = days === 127 ? "daily" : WEEKDAY_NAMES.filter((_, weekday) => (days >> weekday) & 1).join(", ");
  return {
    window,
    key: `${window.start}-${window.end}/${days}/${zone.name}`,
    contains,
    nextBoundary,
    describe: () => `${window.start}–${window.end} ${names} (${zone.name})`,
  };
}

function startDays(days: readonly Weekday[] | undefined, index: number): number {
  if (days === undefined) return 127;
  if (!Array.isArray(days)) throw invalid(index, `days: must be an array of days (got ${shown(days)})`);
  if (days.length === 0) throw invalid(index, "days is empty; leave it out for every day");
  let bits = 0;
  for (const day of days) {
    const weekday = WEEKDAY_NAMES.indexOf(String(day).toLowerCase() as Weekday);
    if (weekday === -1) throw invalid(index, `day ${quote(day)} is unknown; allowed: ${WEEKDAY_NAMES.join(", ")}`);
    bits |= 1 << weekday;
  }
  return bits;
}

function timeOfDay(text: string, index: number, name: string): number {
  const match = TIME.exec(text);
  if (match === null) throw invalid(index, `${name} ${quote(text)} is not a time of day; use "HH:MM" from 00:00 to 23:59`);
  return (Number(match[1]) * 60 + Number(match[2])) * MINUTE_MS;
}

function invalid(index: number, problem: string): HeadgateError {
  return new HeadgateError("INVALID_ARGUMENT", `windows[${index}]: ${problem}`, { details: { index } });
}
