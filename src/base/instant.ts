import { DateTime } from "luxon";
import { HeadgateError, quote } from "./errors.js";

/** An instant as a caller may give it: `Date`, ISO-8601 text (UTC where it has no offset), or epoch milliseconds. */
export type Instant = Date | string | number;

const MAX_EPOCH_MS = 8.64e15;

/**
 * Epoch milliseconds of an {@link Instant}.
 *
 * @throws HeadgateError `INVALID_INSTANT` when it is none
 */
export function epochMs(value: Instant, where = "instant"): number {
  const ms =
    typeof value === "number"
      ? value
      : value instanceof Date
        ? value.getTime()
        : typeof value === "string" && value.length <= 64
          ? DateTime.fromISO(value, { zone: "utc" }).toMillis()
          : Number.NaN;
  if (!Number.isFinite(ms) || Math.abs(ms) > MAX_EPOCH_MS) {
    throw new HeadgateError(
      "INVALID_INSTANT",
      `${where}: ${quote(value)} is not an instant; use a Date, epoch milliseconds or ISO-8601 such as "2026-03-01T02:00:00Z"`,
      { details: { where } },
    );
  }
  return Math.trunc(ms);
}

/** ISO-8601 in UTC, seconds precision unless there are milliseconds. */
export function isoUtc(ms: number): string {
  return new Date(ms).toISOString().replace(".000Z", "Z");
}

/** `null` stays `null`, an instant becomes a `Date`. */
export function toDate(ms: number): Date;
export function toDate(ms: number | null): Date | null;
export function toDate(ms: number | null): Date | null {
  return ms === null ? null : new Date(ms);
}
