import { formatDuration } from "../../base/duration.js";
import { isoUtc } from "../../base/instant.js";
import type { Pause } from "../../ports/store.js";
import type { EndedPause } from "../../schedule/ended-pauses.js";
import type { CatchupRecord, TriggerRecord } from "../../trigger/trigger.js";

/** "the pipeline has been paused since … by ana (audit), until …". */
export function paused({ at, until, reason, user }: Pause, isGlobal: boolean): string {
  const end = until === null ? "" : `, until ${isoUtc(until)}`;
  return `the ${isGlobal ? "scheduler" : "pipeline"} has been paused since ${isoUtc(at)}${byWhom({ reason, user })}${end}`;
}

/** "the pipeline was paused from … to … by ana (audit)". */
export function wasPaused(
  { from, until, reason = null, user = null }: Pick<EndedPause, "from" | "until"> & Partial<EndedPause>,
  isGlobal: boolean,
): string {
  return `the ${isGlobal ? "scheduler" : "pipeline"} was paused from ${isoUtc(from)} to ${isoUtc(until)}${byWhom({ reason, user })}`;
}

/** " by ana (audit)", as far as it is known. */
export function byWhom({ user, reason }: { readonly user: string | null; readonly reason: string | null }): string {
  return `${user === null ? "" : ` by ${user}`}${reason === null ? "" : ` (${reason})`}`;
}

export function nameOf({ kind, scheduledFor, createdAt, user, reason }: TriggerRecord): string {
  if (scheduledFor !== null) return `the ${kind} trigger for ${isoUtc(scheduledFor)}`;
  return `the ${kind} trigger of ${isoUtc(createdAt)}${byWhom({ user, reason })}`;
}

/** Returns the cause that kept a fire time from being made on time, as a clause. */
export function lateBecause({ cause, from, until, pause }: CatchupRecord): string {
  const span = from === null ? `until ${isoUtc(until)}` : `from ${isoUtc(from)} to ${isoUtc(until)}`;
  switch (cause) {
    case "downtime":
      return `no scheduler with this pipeline was running ${from === null ? span : `from ${isoUtc(from)} (the last heartbeat) to ${isoUtc(until)}`}`;
    case "paused":
      return wasPaused({ from: from ?? until, until, ...pause }, pause?.isGlobal ?? false);
    case "store_unavailable":
      return `the store was unavailable ${span}`;
    case "clock_step":
      return `the scheduler's clock was moved forward ${from === null ? `to ${isoUtc(until)}` : span}`;
    case "stalled":
      return `the scheduler did nothing ${span}, because its process was blocked or its machine suspended`;
    default:
      return cause satisfies never;
  }
}

/** "1 fire time", "3 fire times". */
export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

/** "is" or "are". */
export function isOrAre(count: number): string {
  return count === 1 ? "is" : "are";
}

/** Returns a duration in at most two units: minutes and seconds do not matter after days. */
export function roughly(ms: number): string {
  const unit = ms >= 86_400_000 ? 3_600_000 : ms >= 3_600_000 ? 60_000 : ms >= 60_000 ? 1_000 : 1;
  return formatDuration(Math.round(ms / unit) * unit);
}
