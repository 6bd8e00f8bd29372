import type { Finding } from "./finding.js";

/** A limit on the starts of a pipeline's runs: at most `count` in any half-open span of `periodMs`, (t − period, t]. */
export interface StartLimit {
  readonly count: number;
  readonly periodMs: number;
}

/** A pipeline's newest starts in a span, counted no further than a limit's `count`. Instants are epoch ms. */
export interface RecentStarts {
  readonly count: number;
  /** The oldest of those counted; `null` when there are none. */
  readonly oldestAt: number | null;
}

/**
 * Returns the instants [from, until) whose starts could be in one span of a limit with a start at `now`, epoch ms. It reaches into the future, for starts that a node with a clock ahead has recorded; those
 * further away than a period limit nothing.
 */
export function spanOf({ periodMs }: StartLimit, now: number): { readonly from: number; readonly until: number } {
  return { from: now - periodMs + 1, until: now + periodMs };
}

/** Returns when a limit next has room, epoch ms; `null` when it has room now. */
export function opensAt({ count, periodMs }: StartLimit, starts: RecentStarts): number | null {
  return starts.count < count || starts.oldestAt === null ? null : starts.oldestAt + periodMs;
}

/** Limit that a passing finding rests on: the store checks it again, with its lock held, when the run starts. Not recorded. */
interface Limited {
  readonly limits?: readonly StartLimit[];
}

/** Returns findings as they are recorded. */
export function recordable(findings: readonly (Finding & Limited & { readonly onBlock?: unknown })[]): readonly Finding[] {
  return findings.map(({ limits: _, onBlock: __, ...finding }) => finding);
}
