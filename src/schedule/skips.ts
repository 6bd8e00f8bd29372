import { HeadgateError } from "../base/errors.js";
import { isoUtc } from "../base/instant.js";

/** A fire time that a user wants left out: since when, why and by whom. Instants are epoch ms. */
export interface SkippedFire {
  readonly fireAt: number;
  readonly at: number;
  readonly reason: string | null;
  readonly user: string | null;
}

/** Skips kept of one pipeline at most. */
export const MOST_SKIPS = 100;

/** Fire times that a request makes triggers of, or drops; those that it drops because they were to be skipped. */
export interface FiredTimes {
  readonly triggers: readonly { readonly scheduledFor: number | null }[];
  readonly dropped: readonly { readonly scheduledFor: number | null; readonly missed: { readonly skip?: unknown } | null }[];
}

/**
 * Adds skips to those of a pipeline, in the order of their fire times. A fire time that is to be skipped already stays as it is.
 *
 * @param nextFireAt - the first fire time that is not decided on; `null` when the schedule fires no more
 * @throws HeadgateError `ALREADY_FINISHED` for a fire time before that, `TOO_MANY` beyond 100
 */
export function withSkips(
  skips: readonly SkippedFire[],
  added: readonly SkippedFire[],
  { pipelineId, nextFireAt }: { readonly pipelineId: string; readonly nextFireAt: number | null },
): readonly SkippedFire[] {
  const passed = added.find(({ fireAt }) => nextFireAt === null || fireAt < nextFireAt);
  if (passed !== undefined) {
    const fireAt = isoUtc(passed.fireAt);
    const next = nextFireAt === null ? "its schedule fires no more" : `its next fire time is ${isoUtc(nextFireAt)}`;
    throw new HeadgateError("ALREADY_FINISHED", `skip of ${pipelineId}: the fire time ${fireAt} has been decided already; ${next}`, {
      details: { pipelineId, fireAt },
    });
  }
  const all = mergeSkips(skips, added);
  if (all.length <= MOST_SKIPS) return all;
  throw new HeadgateError(
    "TOO_MANY",
    `skip of ${pipelineId}: at most ${MOST_SKIPS} fire times can be skipped in advance; pause the pipeline instead`,
    { details: { pipelineId, most: MOST_SKIPS } },
  );
}

/** Merges skips in the order of their fire times; of two of one fire time the first counts. */
export function mergeSkips(skips: readonly SkippedFire[], added: readonly SkippedFire[]): readonly SkippedFire[] {
  const known = new Set(skips.map(({ fireAt }) => fireAt));
  return [...skips, ...added.filter(({ fireAt }) => !known.has(fireAt))].sort((one, other) => one.fireAt - other.fireAt);
}

/** Removes the skips of some fire times, or of all (`null`). */
export function withoutSkips(skips: readonly SkippedFire[], fireTimes: readonly number[] | null): readonly SkippedFire[] {
  return fireTimes === null ? [] : skips.filter(({ fireAt }) => !fireTimes.includes(fireAt));
}

/** Returns the skips that a schedule has not passed yet. */
export function skipsFrom(skips: readonly SkippedFire[], nextFireAt: number | null): readonly SkippedFire[] {
  if (skips.length === 0) return skips;
  return nextFireAt === null ? [] : skips.filter(({ fireAt }) => fireAt >= nextFireAt);
}

/** Returns true if fire times were planned by exactly these skips. Otherwise somebody has added or removed one meanwhile, and the plan must be made again. */
export function keepsSkips({ triggers, dropped }: FiredTimes, skips: readonly SkippedFire[]): boolean {
  const isSkipped = (at: number | null) => skips.some(({ fireAt }) => fireAt === at);
  if (skips.length > 0 && triggers.some(({ scheduledFor }) => isSkipped(scheduledFor))) return false;
  return dropped.every(({ scheduledFor, missed }) => missed?.skip === undefined || isSkipped(scheduledFor));
}

/** Says by whom, when and why a fire time is skipped, as what reads after "because". */
export function skipReason({ at, reason, user }: Omit<SkippedFire, "fireAt">): string {
  return `${user === null ? "it was skipped" : `${user} skipped it`} at ${isoUtc(at)}${reason === null ? "" : ` (${reason})`}`;
}
