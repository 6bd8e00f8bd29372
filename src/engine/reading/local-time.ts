import { isoUtc } from "../../base/instant.js";
import { zoneOf } from "../../schedule/zone.js";
import type { Pipeline } from "../pipeline.js";

const DAY_MS = 86_400_000;

/** An instant in UTC, with the wall clock of the pipeline's zone beside it: `2026-03-02T01:30:00Z (02:30 in Europe/Berlin)`. */
export function withLocalTime(at: number, { timeZone, schedule }: Pick<Pipeline, "timeZone" | "schedule">): string {
  const name = timeZone ?? schedule.timeZone ?? "UTC";
  const { offset } = zoneOf(name).segmentAt(at);
  if (name === "UTC" || offset === 0) return isoUtc(at);
  const local = isoUtc(at + offset).slice(0, -1);
  const isSameDay = Math.floor(at / DAY_MS) === Math.floor((at + offset) / DAY_MS);
  const [date = "", time = ""] = local.replace(/:00$/, "").split("T");
  return `${isoUtc(at)} (${isSameDay ? time : `${date} ${time}`} in ${name})`;
}
