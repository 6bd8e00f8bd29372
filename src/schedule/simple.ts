import { type Duration, durationMs, formatDuration } from "../base/duration.js";
import { HeadgateError } from "../base/errors.js";
import { epochMs, type Instant, isoUtc } from "../base/instant.js";
import { checkOptions } from "../base/options.js";
import type { Schedule } from "./schedule.js";

/**
 * Fires every so often, counted in elapsed time from an anchor: fire n is `anchor + n × interval`, whatever the runs
 * take and whatever wall clocks do.
 *
 * @param interval - at least 1 ms
 * @param options - `anchor`: an instant of the series, default 1970-01-01T00:00:00Z (so `"15m"` falls on the quarters of the hour)
 * @throws HeadgateError `INVALID_DURATION`, `INVALID_INSTANT`
 * @example
 * every("15m", { anchor: "2026-01-01T00:05:00Z" });
 */
export function every(interval: Duration, options: { anchor?: Instant } = {}): Schedule {
  checkOptions(options, { anchor: true }, "every");
  const step = durationMs(interval, "every");
  if (step < 1) throw new HeadgateError("INVALID_DURATION", "every: the interval must be at least 1 ms");
  const anchor = options.anchor === undefined ? 0 : epochMs(options.anchor, "anchor");
  const phase = ((anchor % step) + step) % step;
  return {
    kind: "every",
    key: `every(${step},${phase})`,
    intervalMs: step,
    nextAfter: (at) => (Math.floor((at - phase) / step) + 1) * step + phase,
    describe: () => `every ${formatDuration(step)}${phase === 0 ? "" : ` from ${isoUtc(anchor)}`}`,
  };
}

/**
 * Fires once at each of the given instants.
 *
 * @throws HeadgateError `INVALID_ARGUMENT` when there is none, `INVALID_INSTANT`
 * @example
 * at("2026-12-31T23:00:00Z");
 */
export function at(...instants: readonly Instant[]): Schedule {
  if (instants.length === 0) throw new HeadgateError("INVALID_ARGUMENT", "at: must have at least one instant");
  const times = [...new Set(instants.map((instant) => epochMs(instant, "at")))].sort((a, b) => a - b);
  return {
    kind: "at",
    key: `at(${times.join(",")})`,
    nextAfter: (from) => {
      let low = 0;
      let high = times.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if ((times[middle] as number) > from) high = middle;
        else low = middle + 1;
      }
      return times[low] ?? null;
    },
    describe: () =>
      times.length === 1 ? `once at ${isoUtc(times[0] as number)}` : `at ${times.length} instants from ${isoUtc(times[0] as number)}`,
  };
}

const MANUAL: Schedule = { kind: "manual", key: "manual()", nextAfter: () => null, describe: () => "only on request" };

/** Never fires by itself: runs come from triggers only. */
export function manual(): Schedule {
  return MANUAL;
}
