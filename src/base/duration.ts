import { Duration as LuxonDuration } from "luxon";
import { HeadgateError, quote } from "./errors.js";

/** A length of time: milliseconds, `"15m"`, `"2h30m"`, `"2h 30m"`, or ISO-8601 (`"PT15M"`, `"P1D"`; a day is 24 h, a week 7 days). */
export type Duration = number | string;

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};
const SHORT = /^\d+(?:\.\d+)?(?:ms|s|m|h|d|w)(?: ?\d+(?:\.\d+)?(?:ms|s|m|h|d|w))*$/;
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
      `${where}: ${quote(value)} is not a duration; use milliseconds, "15m", "2h30m" or ISO-8601 such as "PT15M", from 0 to 100 years`,
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

/**
 * Returns a duration for people, such as `1h 30m`, `59.5s` or `250ms`, which {@link durationMs} reads too. It is cut off, never rounded up, and by so little (at most 0.2 %) that two durations that
 * are compared in a text do not look alike when they are not.
 */
export function formatDuration(ms: number): string {
  if (ms < 0) return `-${formatDuration(-ms)}`;
  if (ms < 1_000) return `${Math.floor(ms)}ms`;
  return inUnits(ms, PRECISION.find(({ below }) => ms < below)?.ms ?? MINUTE_MS);
}

/**
 * Returns a duration and the limit that it is compared with, so that a text with both never contradicts itself: where both would look alike and are not, to the millisecond,
 * such as `["6h 0.001s", "6h"]`.
 */
export function comparedDurations(ms: number, limitMs: number): readonly [string, string] {
  const [text, limit] = [formatDuration(ms), formatDuration(limitMs)];
  if (ms === limitMs || text !== limit) return [text, limit];
  const [exact, exactLimit] = ms > limitMs ? [Math.ceil(ms), Math.floor(limitMs)] : [Math.floor(ms), Math.ceil(limitMs)];
  return exact < 0 || exactLimit < 0 ? [`${exact}ms`, `${exactLimit}ms`] : [inUnits(exact, 1), inUnits(exactLimit, 1)];
}

function inUnits(ms: number, precision: number): string {
  if (ms === 0) return "0ms";
  let rest = Math.floor(ms / precision) * precision;
  const parts: string[] = [];
  for (const unit of ["d", "h", "m"]) {
    const size = UNIT_MS[unit] as number;
    const count = Math.floor(rest / size);
    if (count > 0) parts.push(`${count}${unit}`);
    rest -= count * size;
  }
  if (rest > 0) parts.push(`${rest / 1_000}s`);
  return parts.join(" ");
}

const MINUTE_MS = 60_000;
/** Precision of durations by length: what is below it is cut off. */
const PRECISION = [
  { below: MINUTE_MS, ms: 1 },
  { below: 10 * MINUTE_MS, ms: 100 },
  { below: 24 * 60 * MINUTE_MS, ms: 1_000 },
];
