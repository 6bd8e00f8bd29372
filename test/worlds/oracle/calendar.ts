import type { CalendarSpec } from "../spec.js";
import { wallMs, wallOf } from "./zone.js";

const MINUTE = 60_000;
const DAY = 86_400_000;
const NAMES = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];

/** Whether a calendar covers an instant. */
export function covers(calendar: CalendarSpec, at: number): boolean {
  if (calendar.type === "span") return at >= calendar.from && at < calendar.until;
  const local = wallMs(calendar.zone, at);
  const day = Math.floor(local / DAY);
  if (calendar.type === "business") {
    const { weekday } = wallOf(local);
    return weekday !== 0 && weekday !== 6 && !calendar.holidays.includes(new Date(day * DAY).toISOString().slice(0, 10));
  }
  const { start, end, days } = calendar;
  const time = local - day * DAY;
  const from = timeOf(start);
  const until = timeOf(end);
  const isStartDay = (one: number) =>
    days === null || (days as readonly string[]).includes(NAMES[new Date(one * DAY).getUTCDay()] as string);
  if (until > from) return isStartDay(day) && time >= from && time < until;
  return (isStartDay(day) && time >= from) || (isStartDay(day - 1) && time < until);
}

/** The first instant after one at which a calendar changes, looking minute by minute; `null`: it does not, for days. */
export function changesAfter(calendar: CalendarSpec, at: number): number | null {
  if (calendar.type === "span") return at < calendar.from ? calendar.from : at < calendar.until ? calendar.until : null;
  const spans = unchanged.get(calendar) ?? [];
  unchanged.set(calendar, spans);
  const known = spans.find(({ from, change }) => at >= from && at < (change ?? from + WITHIN / 2));
  if (known !== undefined) return known.change;
  const change = lookedFor(calendar, at, WITHIN);
  spans.push({ from: at, change });
  return change;
}

/** How far is looked: all windows come weekly. */
const WITHIN = 12 * DAY;
/** Spans in which a calendar does not change, as far as they were looked for. */
const unchanged = new WeakMap<CalendarSpec, { readonly from: number; readonly change: number | null }[]>();

function lookedFor(calendar: Exclude<CalendarSpec, { type: "span" }>, at: number, within: number): number | null {
  const now = covers(calendar, at);
  const step = calendar.type === "business" ? 15 * MINUTE : MINUTE;
  for (let next = (Math.floor(at / step) + 1) * step; next <= at + within; next += step) if (covers(calendar, next) !== now) return next;
  return null;
}

function timeOf(text: string): number {
  const [hours, minutes] = text.split(":").map(Number);
  return ((hours as number) * 60 + (minutes as number)) * MINUTE;
}
