import { isoUtc } from "../../base/instant.js";
import type { Pipeline } from "../../pipeline/pipeline.js";
import { zoneOf } from "../../schedule/zone.js";

/** An instant as texts have it, unless a local time stands beside it already. */
const INSTANT = /\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,3})?Z(?! \(\d)/g;
/** Changes of the clocks are searched this near. */
const NEAR_CHANGE_MS = 3 * 3_600_000;
const MINUTE_MS = 60_000;

/** The zone in which people think of a pipeline: its own, else that of its schedule. */
export function zoneNameOf({ timeZone, schedule }: Pick<Pipeline, "timeZone" | "schedule">): string {
  return timeZone ?? schedule.timeZone ?? "UTC";
}

/** Adds to each instant of a text the time of a zone, the zone's name once; nothing for UTC. */
export function withLocalTimes(text: string, zoneName: string): string {
  if (zoneName === "UTC") return text;
  let isNamed = false;
  return text.replace(INSTANT, (iso) => {
    const shown = localTime(Date.parse(iso), zoneName);
    const name = isNamed ? "" : ` ${zoneName}`;
    isNamed = true;
    return `${iso} (${shown}${name})`;
  });
}

/** Returns an instant in UTC with the wall clock of the pipeline's zone beside it: `2026-03-02T01:30:00Z (02:30 Europe/Berlin)`. */
export function withLocalTime(at: number, pipeline: Pick<Pipeline, "timeZone" | "schedule">): string {
  return withLocalTimes(isoUtc(at), zoneNameOf(pipeline));
}

/** `02:00` or `02:00:30`; with the date where it is another one than in UTC. */
function localTime(at: number, zoneName: string): string {
  const { offset } = zoneOf(zoneName).segmentAt(at);
  const local = isoUtc(at + offset).replace("Z", "");
  const time = local.slice(11).replace(/:00$/, "");
  return local.slice(0, 10) === isoUtc(at).slice(0, 10) ? time : `${local.slice(0, 10)} ${time}`;
}

/**
 * Says what the wall clock did around an instant; `null` when it did nothing. Somebody who means a wall-clock time that did not exist, or came twice, is wrong by no more than the length of
 * the change.
 */
export function clockChangeNear(at: number, zoneName: string): string | null {
  if (zoneName === "UTC") return null;
  const zone = zoneOf(zoneName);
  const change = zone.segmentAt(at - NEAR_CHANGE_MS).end;
  if (change > at + NEAR_CHANGE_MS) return null;
  const before = zone.segmentAt(change - 1).offset;
  const after = zone.segmentAt(change).offset;
  const isNear = Math.abs(after - before) > Math.abs(at - change) || at === change - Math.abs(after - before);
  if (before === after || !isNear) return null; // the cache cuts a segment once a year
  const wall = (offset: number) => isoUtc(change + offset).slice(11, 16);
  const moved = `in ${zoneName} the clocks were moved from ${wall(before)} to ${wall(after)} at ${isoUtc(change)}`;
  const minutes = Math.round(Math.abs(after - before) / MINUTE_MS);
  return after > before
    ? `${moved}: the ${minutes} minutes in between did not exist that day, and a daily fire time within them fires at ${wall(after)}`
    : `${moved}: the ${minutes} minutes before ${wall(before)} occurred twice that day, and a daily fire time within them fires on the first pass only`;
}
