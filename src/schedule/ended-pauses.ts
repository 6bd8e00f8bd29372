import type { PausedSpan } from "./misfire.js";

/** A pause that has ended: by whom and why it was made. Instants are epoch ms, `until` exclusive. */
export interface EndedPause extends PausedSpan {
  readonly reason: string | null;
  readonly user: string | null;
}

/** A pause as it is kept while it lasts. */
export interface LastingPause {
  readonly at: number;
  readonly until: number | null;
  readonly reason: string | null;
  readonly user: string | null;
}

/** Pauses kept at most; of older ones the fire times are dropped as missed. */
const MOST = 100;

/**
 * Adds a pause that ends now to those that have ended, oldest first. One that had run out ended when it was to end. Those that cover no fire time that is still open are left out,
 * but for the last one, which `explain` names.
 *
 * @param openFrom - the first fire time that is not decided on, epoch ms; `null` when there is none
 */
export function withEndedPause(
  ended: readonly EndedPause[],
  { at: from, until, reason, user }: LastingPause,
  now: number,
  openFrom: number | null,
): readonly EndedPause[] {
  const last: EndedPause = { from, until: Math.min(until ?? now, now), reason, user };
  const open = ended.filter((one) => openFrom !== null && one.until > openFrom);
  return (last.until > last.from ? [...open, last] : open).slice(-MOST);
}
