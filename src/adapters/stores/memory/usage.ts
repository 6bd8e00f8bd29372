import { type QueueLimit, type QueueLimits, refuseBeyond } from "../../../trigger/queue-limits.js";
import type { NewTrigger, TriggerRecord } from "../../../trigger/trigger.js";

type Counted = Pick<TriggerRecord, "pipelineId" | "requestedBy" | "size">;

/** Number of waiting triggers and the size of their parameters: in total, by pipeline and by requester. */
export class QueueUsage {
  #total: QueueLimit = { count: 0, bytes: 0 };
  readonly #pipelines = new Map<string, QueueLimit>();
  readonly #tokens = new Map<string, QueueLimit>();

  get count(): number {
    return this.#total.count;
  }

  add(trigger: Counted): void {
    this.#change(trigger, 1);
  }

  remove(trigger: Counted): void {
    this.#change(trigger, -1);
  }

  /** @throws HeadgateError `QUEUE_FULL` */
  refuseBeyond(limits: QueueLimits, adding: readonly NewTrigger[]): void {
    if (adding.length > 0) refuseBeyond(limits, adding, { total: this.#total, pipelines: this.#pipelines, tokens: this.#tokens });
  }

  #change({ pipelineId, requestedBy, size }: Counted, by: 1 | -1): void {
    this.#total = moved(this.#total, size, by);
    move(this.#pipelines, pipelineId, size, by);
    if (requestedBy !== null) move(this.#tokens, requestedBy, size, by);
  }
}

function move(usages: Map<string, QueueLimit>, name: string, size: number, by: 1 | -1): void {
  const next = moved(usages.get(name) ?? { count: 0, bytes: 0 }, size, by);
  if (next.count === 0) usages.delete(name);
  else usages.set(name, next);
}

function moved({ count, bytes }: QueueLimit, size: number, by: 1 | -1): QueueLimit {
  return { count: count + by, bytes: bytes + by * size };
}
