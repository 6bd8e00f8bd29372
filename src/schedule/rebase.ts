import type { PausedSpan } from "./misfire.js";

/** A pause that begins at an instant that is still to come begins now, and is as long. */
export function rebasePause<P extends { readonly at: number; readonly until: number | null }>(pause: P, now: number): P {
  const aheadMs = pause.at - now;
  return aheadMs <= 0 ? pause : { ...pause, at: now, until: pause.until === null ? null : pause.until - aheadMs };
}

/** What has been of a pause that ended at an instant that is still to come; `null` for nothing. */
export function rebaseSpan(span: PausedSpan, now: number): PausedSpan | null {
  if (span.until <= now) return span;
  return span.from < now ? { from: span.from, until: now } : null;
}
