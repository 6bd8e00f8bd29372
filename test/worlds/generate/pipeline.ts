import type { Draws } from "../random.js";
import type { CalendarSpec, ConditionSpec, ExecutionSpec, FateSpec, OnBlock, PipelineSpec, ScheduleSpec, Theme, Weekday } from "../spec.js";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** What worlds are drawn in. */
export interface Context {
  readonly draws: Draws;
  readonly zone: string;
  readonly from: number;
  readonly to: number;
  readonly theme: Theme;
  readonly ids: readonly string[];
}

const CRONS: readonly string[] = [
  "*/10 * * * *",
  "*/20 * * * *",
  "0 * * * *",
  "30 * * * *",
  "30 1,2,3 * * *",
  "15 0 * * *",
  "30 0-3 * * *",
  "0,30 2 * * *",
  "5 */3 * * *",
  "10-50/20 2-8 * * *",
  "45 23 * * *",
  "0 2 * * SUN",
  "15 3 1 * FRI",
  "20 4 L * *",
  "25 5 LW * *",
  "40 1 1W * *",
  "35 2 * * 0#1,0#2",
  "30 2 * * 6L",
  "30 */15 * * * *",
  "17 30 2 * * *",
  "0 12 * JAN,MAR,APR,OCT MON-FRI",
];
const WEEKDAYS: readonly Weekday[] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];

export function pipelineOf(id: string, context: Context): PipelineSpec {
  const { draws, ids } = context;
  const before = ids.slice(0, ids.indexOf(id));
  const isFollower = before.length > 0 && draws.chance(0.15);
  return {
    id,
    schedule: isFollower && draws.chance(0.7) ? { type: "manual" } : scheduleOf(context),
    after: isFollower ? [draws.pick(before)] : [],
    conditions: conditionsOf(id, context),
    onBlock: draws.pick<OnBlock>(["hold", "hold", "skip"]),
    holdFor: draws.pick([37 * MINUTE, 95 * MINUTE, 5 * HOUR]),
    recheckInterval: draws.pick([5 * MINUTE, 11 * MINUTE, 15 * MINUTE]),
    execution: executionOf(context),
    fate: fateOf(draws),
  };
}

export function scheduleOf(context: Context): ScheduleSpec {
  const { draws, zone, from, to } = context;
  const simple = (): ScheduleSpec => {
    const luck = draws.next();
    if (luck < 0.55) return { type: "cron", expression: draws.pick(CRONS), zone: draws.chance(0.8) ? zone : "UTC" };
    if (luck < 0.85) return { type: "every", ms: draws.pick([7, 12, 15, 30, 45, 60, 95]) * MINUTE, anchor: draws.whole(0, 500) * 1_000 };
    return {
      type: "at",
      instants: Array.from({ length: draws.whole(1, 8) }, () => from + Math.floor((draws.next() * (to - from)) / 1_000) * 1_000 + 863),
    };
  };
  const luck = draws.next();
  if (luck < 0.65) return simple();
  if (luck < 0.75) return { type: "union", parts: [simple(), simple()] };
  return { type: luck < 0.88 ? "except" : "within", of: simple(), calendar: calendarOf(context) };
}

function calendarOf(context: Context): CalendarSpec {
  const { draws, zone, from, to } = context;
  const luck = draws.next();
  if (luck < 0.7) {
    const start = draws.pick(["00:00", "01:30", "02:00", "02:30", "22:15", "12:00"]);
    const some = draws.chance(0.3) ? WEEKDAYS.filter(() => draws.chance(0.6)) : null;
    const isSome = some !== null && some.length > 0 && some.length < WEEKDAYS.length;
    const days = isSome ? some : null;
    const drawn = draws.pick(["03:00", "04:45", "02:30", "18:00", isSome ? start : "06:00"]);
    const end = drawn === start && !isSome ? "06:00" : drawn; // a window of 24 h on every day never ends, and is refused
    return { type: "window", start, end, days, zone };
  }
  if (luck < 0.85) return { type: "business", zone, holidays: [new Date(from).toISOString().slice(0, 10)] };
  const begin = from + Math.floor((draws.next() * (to - from)) / MINUTE) * MINUTE;
  return { type: "span", from: begin + 291, until: begin + draws.whole(10, 400) * MINUTE + 291 };
}

function conditionsOf(id: string, context: Context): ConditionSpec[] {
  const { draws } = context;
  if (draws.chance(0.35)) return [];
  return Array.from({ length: draws.whole(1, 3) }, (_, index) => conditionOf(`${id}-${index}`, context, draws.chance(0.25)));
}

function conditionOf(name: string, context: Context, isCombined: boolean, isPart = false): ConditionSpec {
  const { draws, ids, theme } = context;
  const onBlock = !isPart && draws.chance(0.3) ? draws.pick<OnBlock>(["hold", "skip"]) : null;
  if (isCombined) {
    const part = (suffix: string) => conditionOf(`${name}${suffix}`, context, draws.chance(0.15), true);
    const luck = draws.next();
    if (luck < 0.3) return { type: "not", part: part("n") };
    return { type: luck < 0.65 ? "all" : "any", parts: [part("a"), part("b")] };
  }
  const luck = draws.next();
  if (luck < 0.25) return { type: "window", calendar: windowOf(context), onBlock };
  if (luck < 0.32) return { type: "business", calendar: { type: "business", zone: context.zone, holidays: [] }, onBlock };
  if (luck < 0.45) return { type: "stale", olderThan: draws.pick([18, 47, 130]) * MINUTE + 1, onBlock };
  if (luck < 0.53) return { type: "succeeded", pipelineId: draws.pick(ids), within: draws.chance(0.5) ? 50 * MINUTE : null, onBlock };
  if (luck < 0.68) return { type: "max", count: draws.whole(1, 4), period: draws.pick([25, 60, 240]) * MINUTE, onBlock };
  // a condition that waits would be asked by a node that is killed meanwhile: only where none is
  if (luck < 0.74 && theme === "plain")
    return {
      type: "hang",
      name: `hang ${name}`,
      timeout: draws.pick([700, 2_900]),
      onError: draws.pick(["pass", "block"] as const),
      onBlock,
    };
  const type = draws.chance(0.5) ? "probe" : "custom";
  const isShared = draws.chance(0.3);
  const [period, share] = [draws.pick([9, 20, 70]) * MINUTE, draws.pick([0.3, 0.6, 0.8])];
  return {
    type,
    name: `signal ${isShared ? "shared" : name}`,
    period: isShared ? 20 * MINUTE : period, // a name is one probe, whoever asks it
    share: isShared ? 0.6 : share,
    fails: false,
    onError: "block",
    onBlock,
    ...(draws.chance(0.25) ? { fails: true, onError: draws.pick(["pass", "block"] as const), name: `failing ${name}` } : {}),
  };
}

function windowOf(context: Context): CalendarSpec {
  const calendar = calendarOf(context);
  return calendar.type === "business" ? { type: "window", start: "01:10", end: "02:50", days: null, zone: context.zone } : calendar;
}

export function executionOf({ draws, theme }: Context): ExecutionSpec {
  const catchup = draws.pick(["none", "latest", "all"] as const);
  return {
    retries: draws.pick([0, 0, 1, 2, 4]),
    retryDelay: draws.pick([40_000, 3 * MINUTE, 9 * MINUTE]) + 1,
    backoff: draws.pick(["fixed", "exponential", "linear"] as const),
    maxRetryDelay: draws.pick([12 * MINUTE, 24 * HOUR]),
    jitter: draws.pick([0, 0, 0.3, 1]),
    retryOn: draws.chance(0.2) ? ["TRANSIENT"] : null,
    timeout: draws.pick([4 * MINUTE, 17 * MINUTE, 2 * HOUR]) + 3,
    totalTimeout: draws.chance(0.15) ? 26 * MINUTE + 5 : null,
    maxActiveRuns: draws.pick([1, 1, 1, 2, 3]),
    overlap: draws.pick(["queue", "queue_one", "queue_one", "skip", "cancel_running"] as const),
    catchup,
    catchupWindow: draws.pick([40 * MINUTE, 3 * HOUR, 24 * HOUR]),
    priority: draws.pick(["critical", "high", "normal", "normal", "low"] as const),
    pool: theme !== "steps" && draws.chance(0.35) ? draws.pick(["small", "wide"]) : null,
  };
}

function fateOf(draws: Draws): FateSpec {
  return {
    longest: draws.pick([2, 8, 25, 50]) * MINUTE,
    fail: draws.pick([0, 0.15, 0.4]),
    final: draws.pick([0, 0.05]),
    hang: draws.pick([0, 0, 0.08]),
  };
}
