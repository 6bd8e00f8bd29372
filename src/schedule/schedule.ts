import { epochMs, type Instant } from "../base/instant.js";
import { checkInteger, checkOptions, invalidArgument } from "../base/options.js";

/** Kind of a schedule; `custom` is your own. */
export type ScheduleKind = "cron" | "every" | "at" | "manual" | "union" | "except" | "within" | "adaptive" | "custom";

/**
 * A pure rule that yields fire times. `nextAfter` reads no clock and keeps no state that shows: the same instant
 * always gives the same answer.
 */
export interface Schedule {
  readonly kind: ScheduleKind;
  /**
   * Identity of the rule: two schedules with one key fire at the same instants. A pipeline whose schedule's key
   * changes is planned again.
   */
  readonly key: string;
  /** IANA zone whose wall clock it goes by; absent when it goes by none, or by several. */
  readonly timeZone?: string;
  /** The first fire time strictly after an instant (epoch ms), strictly increasing; `null` when there is none. */
  nextAfter(epochMs: number): number | null;
  /** Interval, ms; only of a schedule that fires at intervals. */
  readonly intervalMs?: number;
  /** The rule in words. */
  describe(): string;
}

/** The bounds of {@link upcoming}. */
export interface UpcomingOptions {
  /** Fire times strictly after this instant. */
  from: Instant;
  /** At most this many, 1 to 100,000. Default 10, or 100,000 when `until` is given. */
  count?: number;
  /** Only fire times before this instant. Default: no bound. */
  until?: Instant;
}

const MAX_COUNT = 100_000;

/**
 * The fire times that follow an instant.
 *
 * @throws HeadgateError `INVALID_ARGUMENT` for a count out of range, `INVALID_INSTANT` for a bad bound
 * @example
 * upcoming(cron("0 2 * * *"), { from: "2026-03-01T00:00:00Z", count: 3 });
 */
export function upcoming(schedule: Pick<Schedule, "nextAfter">, options: UpcomingOptions): Date[] {
  checkOptions(options, { from: true, count: true, until: true }, "upcoming");
  const until = options.until === undefined ? Number.POSITIVE_INFINITY : epochMs(options.until, "until");
  const count = options.count ?? (options.until === undefined ? 10 : MAX_COUNT);
  checkInteger(count, { least: 1, most: MAX_COUNT }, "count", invalidArgument("upcoming"));
  const found: Date[] = [];
  let at: number | null = epochMs(options.from, "from");
  while (found.length < count) {
    at = schedule.nextAfter(at);
    if (at === null || at >= until) break;
    found.push(new Date(at));
  }
  return found;
}
