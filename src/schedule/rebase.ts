import type { PausedSpan } from "./misfire.js";

/** A pause that begins at an instant that is still to come begins now, and is as long. */
export function rebasePause<P extends { readonly at: number; readonly until: number | null }>(pause: P, now: number): P {
  const aheadMs = pause.at - now;
  return aheadMs <= 0 ? pause : { ...pause, at: now, until: pause.until === null ? null : pause.until - aheadMs };
}

/** Returns what has been of pauses that ended at an instant that is still to come; the same list when none did. */
export function rebaseSpans<S extends PausedSpan>(spans: readonly S[], now: number): readonly S[] {
  if (spans.every(({ until }) => until <= now)) return spans;
  return spans.flatMap((span) => (span.until <= now ? [span] : span.from < now ? [{ ...span, until: now }] : []));
}
