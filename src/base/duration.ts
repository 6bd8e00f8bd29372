import { Duration as LuxonDuration } from "luxon";
import { HeadgateError, quote } from "./errors.js";

/** A length of time: milliseconds, `"15m"`, `"2h30m"`, or ISO-8601 (`"PT15M"`, `"P1D"`; a day is 24 h, a week 7 days). */
export type Duration = number | string;

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};
const SHORT = /^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d|w))+$/;
const SHORT_PART = /(\d+(?:\.\d+)?)(ms|s|m|h|d|w)/g;
const MAX_MS = 100 * 366 * 86_400_000;

const known = new Map<string, number>();

/**
 * Milliseconds of a {@link Duration}.
 *
 * @param value - what the caller gave
 * @param where - the option's name, for the message
 * @throws HeadgateError `INVALID_DURATION` when it is not one, is negative, has years or months, or exceeds 100 years
 */
export function durationMs(value: Duration, where = "duration"): number {
  if (typeof value === "string") {
    const seen = known.get(value);
    if (seen !== undefined) return seen;
  }
  const ms = typeof value === "number" ? value : parse(value);
  if (ms === null || !Number.isFinite(ms) || ms < 0 || ms > MAX_MS) {
    throw new HeadgateError(
      "INVALID_DURATION",
      `${where}: ${quote(value)} is not a duration; give milliseconds, "15m", "2h30m" or ISO-8601 such as "PT15M", from 0 to 100 years`,
      { details: { where, value: typeof value === "string" ? value.slice(0, 100) : value } },
    );
  }
  const whole = Math.round(ms);
  if (typeof value === "string" && known.size < 1_000) known.set(value, whole);
  return whole;
}

function parse(text: unknown): number | null {
  if (typeof text !== "string" || text.length > 64) return null;
  if (SHORT.test(text)) {
    let total = 0;
    for (const [, amount, unit] of text.matchAll(SHORT_PART)) total += Number(amount) * (UNIT_MS[unit as string] as number);
    return total;
  }
  if (!text.startsWith("P")) return null;
  const iso = LuxonDuration.fromISO(text);
  if (!iso.isValid || iso.years !== 0 || iso.months !== 0) return null;
  return iso.toMillis();
}

/** A duration for people: `1h 30m`, `45s`, `250ms`. */
export function formatDuration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)}ms`;
  const parts: string[] = [];
  let rest = Math.round(ms / 1_000) * 1_000;
  for (const unit of ["d", "h", "m", "s"]) {
    const size = UNIT_MS[unit] as number;
    const count = Math.floor(rest / size);
    if (count > 0) parts.push(`${count}${unit}`);
    rest -= count * size;
    if (parts.length === 2) break;
  }
  return parts.join(" ");
}
