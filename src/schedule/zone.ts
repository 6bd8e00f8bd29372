import { IANAZone } from "luxon";
import { HeadgateError, quote } from "../base/errors.js";
import { DAY_MS } from "./civil.js";

/** A stretch of time in which a zone's offset does not change (cut at most once a year for the cache's sake). */
interface ZoneSegment {
  /** First instant of the segment, epoch ms. */
  readonly start: number;
  /** First instant after it, epoch ms. */
  readonly end: number;
  /** Local time minus UTC, ms. */
  readonly offset: number;
  /** Local ms below which this segment's wall clock repeats the one before it (a clock set back); -Infinity if none. */
  readonly repeatsUntil: number;
}

/** A time zone's offsets, looked up once and then answered from memory in a few nanoseconds. */
export interface Zone {
  readonly name: string;
  segmentAt(epochMs: number): ZoneSegment;
}

const CHUNK_MS = 366 * DAY_MS;
/** Two changes of offset less than this apart could hide each other; the closest in the zone database are 3.98 days. */
const PROBE_MS = 3 * DAY_MS;
/** Time that a chunk looks back for a change whose repeated hour reaches into it (Apia and Manila moved a whole day). */
const LOOK_BACK_MS = 3 * DAY_MS;

const zones = new Map<string, Zone>();

/**
 * The zone of an IANA name (`Europe/Berlin`), or `UTC`.
 *
 * @throws HeadgateError `INVALID_TIME_ZONE` when this machine's zone data does not know it
 */
export function zoneOf(name: string, where = "timeZone"): Zone {
  const seen = zones.get(name);
  if (seen !== undefined) return seen;
  if (typeof name !== "string" || name.length > 64 || !IANAZone.isValidZone(name)) {
    throw new HeadgateError(
      "INVALID_TIME_ZONE",
      `${where}: ${quote(name)} is not a known time zone; use an IANA name such as "Europe/Berlin", or "UTC"`,
      { details: { timeZone: typeof name === "string" ? name.slice(0, 100) : null } },
    );
  }
  const zone = name === "UTC" ? UTC : makeZone(name);
  zones.set(name, zone);
  return zone;
}

const ALWAYS: ZoneSegment = {
  start: Number.NEGATIVE_INFINITY,
  end: Number.POSITIVE_INFINITY,
  offset: 0,
  repeatsUntil: Number.NEGATIVE_INFINITY,
};
const UTC: Zone = { name: "UTC", segmentAt: () => ALWAYS };

function makeZone(name: string): Zone {
  const offsetAt = offsetReader(name);
  // By year, from 1970 on in an array (an index away), before that under negative property keys (rare).
  const chunks: (readonly ZoneSegment[] | undefined)[] = [];
  let last: ZoneSegment | undefined;

  function segmentAt(at: number): ZoneSegment {
    if (last !== undefined && at >= last.start && at < last.end) return last;
    const index = Math.floor(at / CHUNK_MS);
    let segments = chunks[index];
    if (segments === undefined) {
      segments = readSegments(offsetAt, index * CHUNK_MS, (index + 1) * CHUNK_MS);
      chunks[index] = segments;
    }
    let found = segments[0] as ZoneSegment;
    for (let i = 1; i < segments.length && (segments[i] as ZoneSegment).start <= at; i++) found = segments[i] as ZoneSegment;
    last = found;
    return found;
  }
  return { name, segmentAt };
}

/** Reads offsets from the runtime's zone data: 3 µs each (luxon's own reader takes 22), so only the cache above calls it. */
function offsetReader(name: string): (at: number) => number {
  const format = new Intl.DateTimeFormat("en-US", { timeZone: name, timeZoneName: "longOffset" });
  return (at) => {
    const match = /GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?$/.exec(format.format(at));
    if (match === null) throw new HeadgateError("INVALID_TIME_ZONE", `timeZone: the offset of ${quote(name)} at ${at} cannot be read`);
    const [, sign, hours, minutes, seconds] = match;
    if (sign === undefined) return 0;
    const ms = (Number(hours) * 3_600 + Number(minutes) * 60 + Number(seconds ?? 0)) * 1_000;
    return sign === "-" ? -ms : ms;
  };
}

function readSegments(offsetAt: (at: number) => number, from: number, to: number): ZoneSegment[] {
  const segments: ZoneSegment[] = [];
  let start = from - LOOK_BACK_MS;
  let offset = offsetAt(start);
  let repeatsUntil = Number.NEGATIVE_INFINITY;
  const close = (end: number) => {
    if (end > from) {
      const clipped = Math.max(start, from);
      segments.push({
        start: clipped,
        end,
        offset,
        repeatsUntil: clipped + offset < repeatsUntil ? repeatsUntil : Number.NEGATIVE_INFINITY,
      });
    }
  };
  for (let at = start; at < to; ) {
    const next = Math.min(at + PROBE_MS, to);
    const nextOffset = offsetAt(next - 1);
    if (nextOffset !== offset) {
      const change = firstChange(offsetAt, at, next - 1, offset);
      close(change);
      const changed = offsetAt(change);
      repeatsUntil = changed < offset ? change + offset : Number.NEGATIVE_INFINITY;
      start = change;
      offset = changed;
      at = change;
    } else {
      at = next;
    }
  }
  close(to);
  return segments;
}

/** The first instant in (low, high] whose offset differs from `offset`; the offset at `high` must. */
function firstChange(offsetAt: (at: number) => number, low: number, high: number, offset: number): number {
  let before = low - 1;
  let after = high;
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2);
    if (offsetAt(middle) === offset) before = middle;
    else after = middle;
  }
  return after;
}

/**
 * The first instant at which a zone's wall clock shows `localMs` or later: in a spring gap the first instant after
 * it, in an autumn overlap the first of the two.
 */
export function instantOfWallClock(zone: Zone, localMs: number): number {
  let segment = zone.segmentAt(localMs - 2 * DAY_MS);
  for (;;) {
    if (localMs - segment.offset < segment.end) return Math.max(segment.start, localMs - segment.offset);
    segment = zone.segmentAt(segment.end);
  }
}
