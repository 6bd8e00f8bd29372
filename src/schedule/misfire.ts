import type { Schedule } from "./schedule.js";
import type { SkippedFire } from "./skips.js";

/** Policy for fire times that passed while nobody could act: make none, the latest, or all of them. */
export type Catchup = "none" | "latest" | "all";

/** Reason why a fire time was dropped instead of made. */
export type DropReason = "catchup_none" | "catchup_latest" | "outside_catchup_window" | "paused" | "skipped";

/** Fire times in a row that were dropped for one reason. */
export interface DroppedFires<P extends PausedSpan = PausedSpan> {
  readonly firstAt: number;
  readonly lastAt: number;
  readonly count: number;
  readonly reason: DropReason;
  /** The pause that covered them, for `paused`. */
  readonly pause?: P;
  /** The skip of it, for `skipped`; `count` is 1 then. */
  readonly skip?: SkippedFire;
}

/** Plan for the fire times up to an instant. */
export interface MisfirePlan<P extends PausedSpan = PausedSpan> {
  /** Fire times to make, oldest first. */
  readonly fires: readonly number[];
  /** Fire times dropped, oldest first; together with `fires` every one that passed, each once. */
  readonly dropped: readonly DroppedFires<P>[];
  /** The first fire time after those; at or before `now` when the plan was cut at `limit` and must be made again. */
  readonly nextFireAt: number | null;
}

/** Instants of a pause, `until` exclusive. */
export interface PausedSpan {
  readonly from: number;
  readonly until: number;
}

/** The question {@link planMisfires} answers. All instants epoch ms, all lengths ms. */
export interface MisfireQuestion<P extends PausedSpan = PausedSpan> {
  readonly schedule: Pick<Schedule, "nextAfter">;
  /** The oldest fire time not yet dealt with (`schedule.nextAfter(lastFire)`). */
  readonly dueAt: number | null;
  readonly now: number;
  readonly catchup: Catchup;
  /** Fire times older than this are dropped whatever `catchup` says. */
  readonly windowMs: number;
  /** A fire time no older than this is on time, not missed. */
  readonly onTimeMs: number;
  /** When the schedule stood still on purpose: such a fire time is never on time, and dropped, it is dropped as `paused`. Of several that cover it, the first in this list counts. */
  readonly paused?: readonly P[];
  /** Fire times that were made already, by a clock that was ahead: they are passed over. */
  readonly made?: ReadonlySet<number>;
  /** Fire times that a user wants left out: they are dropped as `skipped`, whatever else is so of them, and `catchup` does not count them. */
  readonly skips?: readonly SkippedFire[];
  /** The most fire times to look at in one plan. Default 10,000. */
  readonly limit?: number;
}

/** Dropped fires are recorded one by one if they are among this many last ones; older ones in a row are recorded as one. */
const DETAILED = 1_000;

const NONE: readonly never[] = Object.freeze([]);

/**
 * Plans what becomes of every fire time from `dueAt` to `now`: pure, and in constant memory but for what it returns.
 */
export function planMisfires<P extends PausedSpan = PausedSpan>(question: MisfireQuestion<P>): MisfirePlan<P> {
  const { schedule, dueAt, now, catchup, windowMs, onTimeMs } = question;
  if (dueAt === null || dueAt > now) return { fires: [], dropped: [], nextFireAt: dueAt };
  if (now - dueAt <= onTimeMs && question.paused === undefined && question.made === undefined && question.skips === undefined) {
    const nextFireAt = schedule.nextAfter(dueAt);
    if (nextFireAt === null || nextFireAt > now) return { fires: [dueAt], dropped: NONE, nextFireAt }; // on time, as almost always
  }
  const limit = question.limit ?? 10_000;
  const due: number[] = [];
  let next: number | null = dueAt;
  for (let looked = 0; next !== null && next <= now && looked < limit; looked++) {
    if (question.made?.has(next) !== true) due.push(next);
    next = schedule.nextAfter(next);
  }
  const isLatest = next === null || next > now;
  const skipOf = (fire: number) => question.skips?.find(({ fireAt }) => fireAt === fire);
  const newest = due.findLastIndex((fire) => skipOf(fire) === undefined);
  const fires: number[] = [];
  const dropped: DroppedFires<P>[] = [];
  for (const [index, fire] of due.entries()) {
    const skip = skipOf(fire);
    if (skip !== undefined) {
      dropped.push({ firstAt: fire, lastAt: fire, count: 1, reason: "skipped", skip });
      continue;
    }
    const age = now - fire;
    const pause = question.paused?.find(({ from, until }) => fire >= from && fire < until);
    const reason: DropReason | null =
      age <= onTimeMs && pause === undefined
        ? null
        : age > windowMs
          ? "outside_catchup_window"
          : catchup === "all" || (catchup === "latest" && isLatest && index === newest)
            ? null
            : `catchup_${catchup}`;
    if (reason === null) fires.push(fire);
    else drop(dropped, fire, reason, pause, !isLatest || due.length - index > DETAILED);
  }
  return { fires, dropped, nextFireAt: next };
}

function drop<P extends PausedSpan>(
  dropped: DroppedFires<P>[],
  fire: number,
  unpaused: DropReason,
  pause: P | undefined,
  joins: boolean,
): void {
  const last = dropped.at(-1);
  const reason = pause === undefined ? unpaused : "paused";
  if (joins && last !== undefined && last.reason === reason && last.pause === pause) {
    dropped[dropped.length - 1] = { ...last, lastAt: fire, count: last.count + 1 };
  } else {
    dropped.push({ firstAt: fire, lastAt: fire, count: 1, reason, ...(pause === undefined ? {} : { pause }) });
  }
}
