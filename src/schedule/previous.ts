import type { Schedule } from "./schedule.js";

/** Nothing is looked for further back than this, ms: about 30 years, longer than any calendar keeps a rule waiting. */
const FURTHEST_MS = 30 * 366 * 86_400_000;

/**
 * Returns the last fire time before one, epoch ms; `null` when there is none within 30 years. A rule can only be asked forward, so the way back is doubled until there is one, and then halved: about 80 questions at most.
 */
export function previousFireTime(schedule: Pick<Schedule, "nextAfter">, fireAt: number): number | null {
  const isThere = (backMs: number) => (schedule.nextAfter(fireAt - backMs - 1) ?? fireAt) < fireAt;
  let none = 0;
  let back = 1;
  while (!isThere(back)) {
    none = back;
    back *= 2;
    if (back > FURTHEST_MS) return null;
  }
  while (back - none > 1) {
    const middle = Math.floor((none + back) / 2);
    if (isThere(middle)) back = middle;
    else none = middle;
  }
  return fireAt - back;
}
