import type { ActiveRun } from "../monitor/alert.js";
import type { Store } from "../ports/store.js";
import type { Priority } from "../trigger/trigger.js";

/** More of them are not looked at one by one: then the counts are a lower bound. */
const LOOKED_AT = 10_000;

/** Triggers that wait. Instants are epoch ms. */
interface Queue {
  length: number;
  oldestAt: number | null;
}

/** What waits of a pipeline, and what is under way. */
export interface PipelineWaiting extends Queue {
  /** The oldest fire time among them; and among those that nothing holds. */
  oldestFireTimeAt: number | null;
  oldestPendingFireTimeAt: number | null;
  readonly activeRuns: ActiveRun[];
}

const NOTHING: PipelineWaiting = Object.freeze({
  length: 0,
  oldestAt: null,
  oldestFireTimeAt: null,
  oldestPendingFireTimeAt: null,
  activeRuns: [],
});

/** What waits and what is under way over all nodes, at one look. */
export class Waiting implements Queue {
  readonly byPriority = new Map<Priority, Queue>();
  readonly #pipelines = new Map<string, PipelineWaiting>();
  length = 0;
  oldestAt: number | null = null;
  activeRuns = 0;

  static async read(store: Store, pipelineId?: string): Promise<Waiting> {
    const whose = pipelineId === undefined ? {} : { pipelineId };
    const [triggers, runs] = await Promise.all([
      store.listTriggers({ ...whose, statuses: ["pending", "held"], limit: LOOKED_AT }),
      store.listRuns({ ...whose, statuses: ["running", "retrying"], limit: LOOKED_AT }),
    ]);
    const waiting = new Waiting();
    for (const { pipelineId: id, priority, createdAt, scheduledFor, status } of triggers) {
      const pipeline = waiting.#pipeline(id);
      const queue = waiting.byPriority.get(priority) ?? { length: 0, oldestAt: null };
      waiting.byPriority.set(priority, queue);
      for (const one of [waiting, pipeline, queue]) {
        one.length++;
        one.oldestAt = older(one.oldestAt, createdAt);
      }
      if (scheduledFor === null) continue;
      pipeline.oldestFireTimeAt = older(pipeline.oldestFireTimeAt, scheduledFor);
      if (status === "pending") pipeline.oldestPendingFireTimeAt = older(pipeline.oldestPendingFireTimeAt, scheduledFor);
    }
    for (const { id, pipelineId: whoseRun, startedAt, scheduledFor } of runs) {
      waiting.#pipeline(whoseRun).activeRuns.push({ id, startedAt, scheduledFor });
      waiting.activeRuns++;
    }
    return waiting;
  }

  of(pipelineId: string): PipelineWaiting {
    return this.#pipelines.get(pipelineId) ?? NOTHING;
  }

  #pipeline(id: string): PipelineWaiting {
    const known = this.#pipelines.get(id);
    if (known !== undefined) return known;
    const made: PipelineWaiting = { ...NOTHING, activeRuns: [] };
    this.#pipelines.set(id, made);
    return made;
  }
}

function older(one: number | null, other: number): number {
  return one === null ? other : Math.min(one, other);
}
