import type { SeenTrigger } from "../seen.js";
import type { Priority } from "../spec.js";
import type { History } from "./history.js";
import type { Load } from "./load.js";
import { iso, type Report } from "./report.js";
import type { Wait } from "./waiting.js";

const STEPS: Readonly<Record<Priority, number>> = { critical: 0, high: 1, normal: 2, low: 3 };
/** What one step of priority is worth in waiting. */
const STEP_MS = 600_000;

/** A place in the line, smallest first: immediate ones, then by age, where each step of priority is worth ten minutes. */
function placeOf({ kind, priority, createdAt }: SeenTrigger): number {
  return kind === "immediate" ? createdAt - 1e15 : createdAt + STEPS[priority as Priority] * STEP_MS;
}

/** Nothing starts before what was ready, is before it in the line, and could have taken the very slot. */
export function checkOrder(history: History, load: Load, waits: readonly Wait[], report: Report): void {
  if (history.world.theme === "steps" || history.world.nodes > 1) return;
  for (const taken of waits) {
    const { trigger, until: at } = taken;
    if (!load.looksAt(trigger).some(({ askedAt, isOverlapSkip }) => askedAt === at && !isOverlapSkip)) continue;
    for (const other of waits) {
      const isWaiting = other.from < at && other.until > at && other.trigger !== trigger;
      if (!isWaiting || placeOf(other.trigger) >= placeOf(trigger) || load.isShut(other.trigger.pipelineId, at, other.trigger.isForced))
        continue;
      if (sharesWhatIsFull(other.trigger, trigger, history, load, at))
        report.fail(
          "order",
          at,
          trigger.pipelineId,
          `trigger ${trigger.id} is asked about at ${iso(at)}, before ${other.trigger.id} of ${other.trigger.pipelineId}, which waits since ${iso(other.from)}`,
        );
    }
  }
}

/** Whether what holds one up is what the other has taken. */
function sharesWhatIsFull(waiting: SeenTrigger, taken: SeenTrigger, history: History, load: Load, at: number): boolean {
  const isSame = waiting.pipelineId === taken.pipelineId;
  if (!waiting.isForced && load.isFull(waiting.pipelineId, at)) return isSame && !taken.isForced;
  const [one, other] = [waiting, taken].map(({ pipelineId }) => history.specAt(pipelineId, at).execution.pool);
  const isPoolFull = one !== null && one !== undefined && load.pool(one, at) >= (history.world.pools[one] as number);
  if (isPoolFull) return one === other;
  return load.isCrowded(waiting.pipelineId, at);
}
