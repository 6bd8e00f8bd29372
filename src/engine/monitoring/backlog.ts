import type { ActiveRun } from "../../monitor/alert.js";
import type { Store } from "../../ports/store.js";
import type { Priority } from "../../trigger/trigger.js";

/** Triggers that wait. Instants are epoch ms. */
interface Queue {
  length: number;
  oldestAt: number | null;
}

/** Queue and active runs of a pipeline. */
export interface PipelineBacklog extends Queue {
  /** The oldest fire time among them; and among those that nothing holds. */
  oldestFireTimeAt: number | null;
  oldestPendingFireTimeAt: number | null;
  readonly activeRuns: ActiveRun[];
}

const NOTHING: PipelineBacklog = Object.freeze({
  length: 0,
  oldestAt: null,
  oldestFireTimeAt: null,
  oldestPendingFireTimeAt: null,
  activeRuns: [],
});

/** Queue and active runs on all nodes, at one time. */
export class Backlog implements Queue {
  readonly byPriority = new Map<Priority, Queue>();
  readonly #pipelines = new Map<string, PipelineBacklog>();
  length = 0;
  oldestAt: number | null = null;
  activeRuns = 0;

  static async read(store: Store, pipelineId?: string): Promise<Backlog> {
    const { groups, activeRuns } = await store.backlog(pipelineId);
    const all = new Backlog();
    for (const group of groups) {
      const pipeline = all.#pipeline(group.pipelineId);
      const queue = all.byPriority.get(group.priority) ?? { length: 0, oldestAt: null };
      all.byPriority.set(group.priority, queue);
      for (const one of [all, pipeline, queue]) {
        one.length += group.waiting;
        one.oldestAt = older(one.oldestAt, group.oldestAt);
      }
      pipeline.oldestFireTimeAt = older(pipeline.oldestFireTimeAt, group.oldestFireTimeAt);
      pipeline.oldestPendingFireTimeAt = older(pipeline.oldestPendingFireTimeAt, group.oldestPendingFireTimeAt);
    }
    for (const { id, pipelineId: whose, startedAt, scheduledFor } of activeRuns) {
      all.#pipeline(whose).activeRuns.push({ id, startedAt, scheduledFor });
      all.activeRuns++;
    }
    return all;
  }

  of(pipelineId: string): PipelineBacklog {
    return this.#pipelines.get(pipelineId) ?? NOTHING;
  }

  #pipeline(id: string): PipelineBacklog {
    const known = this.#pipelines.get(id);
    if (known !== undefined) return known;
    const made: PipelineBacklog = { ...NOTHING, activeRuns: [] };
    this.#pipelines.set(id, made);
    return made;
  }
}

function older(one: number | null, other: number | null): number | null {
  if (one === null || other === null) return one ?? other;
  return Math.min(one, other);
}
