/** Of triggers whose `available_at` is to come. */
export const LATER = "later";

/** Of triggers for which their pipeline, or its pool, has no slot. */
export type Line = `pipeline:${string}` | `pool:${string}`;

export function pipelineLine(id: string): Line {
  return `pipeline:${id}`;
}

export function poolLine(pool: string): Line {
  return `pool:${pool}`;
}

/** Returns the line of a trigger that is accepted; `null` is the open line. */
export function lineUntil(availableAt: number, now: number): string | null {
  return availableAt > now ? LATER : null;
}

/** A line with triggers in it, and what opens it. */
export interface KnownLine {
  readonly key: Line;
  /** `null` for the line of a pool. */
  readonly pipeline: { readonly id: string; readonly maxActiveRuns: number; readonly isPaused: boolean } | null;
  readonly pool: string | null;
}
