const HOUR = 3_600_000;
const MINUTE = 60_000;
const formats = new Map<string, Intl.DateTimeFormat>();
const offsets = new Map<string, Map<number, number>>();

/** What a clock on the wall shows. */
export interface Wall {
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  /** 0: Sunday. */
  readonly weekday: number;
}

/** Offset of a zone's wall clock from UTC, ms, as `Intl` shows it at an instant. */
function shownOffset(zone: string, at: number): number {
  let format = formats.get(zone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
    formats.set(zone, format);
  }
  const parts: Record<string, number> = {};
  for (const { type, value } of format.formatToParts(at)) parts[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(at / 1_000) * 1_000;
}

/** The offset within a minute: by the hour where it is the same at both ends, else minute by minute. */
export function offsetAt(zone: string, at: number): number {
  if (zone === "UTC") return 0;
  let known = offsets.get(zone);
  if (known === undefined) {
    known = new Map();
    offsets.set(zone, known);
  }
  const hour = Math.floor(at / HOUR) * HOUR;
  const atHour = cached(known, zone, hour);
  if (atHour === cached(known, zone, hour + HOUR)) return atHour;
  return cached(known, zone, Math.floor(at / MINUTE) * MINUTE);
}

function cached(known: Map<number, number>, zone: string, at: number): number {
  let offset = known.get(at);
  if (offset === undefined) {
    offset = shownOffset(zone, at);
    known.set(at, offset);
  }
  return offset;
}

/** The wall clock as a number: the instant at which UTC would show it. */
export function wallMs(zone: string, at: number): number {
  return at + offsetAt(zone, at);
}

export function wallOf(localMs: number): Wall {
  const date = new Date(localMs);
  return {
    year: date.getUTCFullYear(),
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    hour: date.getUTCHours(),
    minute: date.getUTCMinutes(),
    weekday: date.getUTCDay(),
  };
}
