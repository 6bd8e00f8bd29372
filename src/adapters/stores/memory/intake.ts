import type { EnqueueResult, FireRequest, FireResult } from "../../../ports/store.js";
import { keepsSkips, skipsFrom } from "../../../schedule/skips.js";
import { isOverlapping, replacesWaiting } from "../../../trigger/overlap.js";
import type { QueueLimits } from "../../../trigger/queue-limits.js";
import { acceptTrigger, supersedeTrigger } from "../../../trigger/transitions.js";
import type { NewTrigger, TriggerRecord } from "../../../trigger/trigger.js";
import { lifeOf, newTriggerEntity, type PipelineEntity, stateOf, type TriggerEntity } from "./entities.js";
import type { History } from "./history.js";
import type { Pipelines } from "./pipelines.js";
import type { ReadyQueue } from "./ready-queue.js";
import type { RunLifecycle } from "./run-lifecycle.js";
import type { QueueUsage } from "./usage.js";

/** Triggers added between two turns of the event loop. */
const ADDED_AT_ONCE = 1_000;

/** Takes triggers into the queue: those of fire times, and those that were requested. */
export class Intake {
  readonly #pipelines: Pipelines;
  readonly #history: History;
  readonly #lines: ReadyQueue;
  readonly #usage: QueueUsage;
  readonly #settling: RunLifecycle;

  constructor(pipelines: Pipelines, history: History, lines: ReadyQueue, usage: QueueUsage, settling: RunLifecycle) {
    this.#pipelines = pipelines;
    this.#history = history;
    this.#lines = lines;
    this.#usage = usage;
    this.#settling = settling;
  }

  fire(request: FireRequest, now: number): FireResult {
    const cell = this.#pipelines.get(request.pipelineId);
    if (cell === undefined) return { outcome: "gone", state: null, triggers: [], superseded: [] };
    const refused = (outcome: "moved" | "paused"): FireResult => ({ outcome, state: stateOf(cell), triggers: [], superseded: [] });
    if (cell.nextFireAt !== request.expectedFireAt || cell.registration.scheduleKey !== request.scheduleKey) return refused("moved");
    if (this.#lines.isPaused(cell)) return refused("paused");
    if (!keepsSkips(request, cell.skips)) return refused("moved");
    cell.nextFireAt = request.nextFireAt;
    cell.skips = skipsFrom(cell.skips, request.nextFireAt);
    if (request.lastFireAt !== null) cell.lastFireAt = request.lastFireAt;
    for (const decision of request.dropped) this.#history.addDropped(decision);
    const fired: TriggerEntity[] = [];
    const superseded: TriggerRecord[] = [];
    for (const trigger of request.triggers) {
      const life = lifeOf(cell);
      if (life.byFireTime.has(trigger.scheduledFor as number)) continue;
      let replaced: TriggerEntity | null = null;
      if (replacesWaiting(cell.registration.overlap)) {
        for (const waiting of life.waiting) {
          if (!isOverlapping(waiting.record)) continue;
          this.#settling.end(waiting, supersedeTrigger(waiting.record, trigger.id, now));
          if (fired.at(-1) !== waiting) superseded.push(waiting.record);
          replaced = waiting;
        }
      }
      fired.push(this.#accept(cell, trigger, now, replaced?.record.id ?? null));
    }
    return { outcome: "fired", state: stateOf(cell), triggers: fired.map(({ record }) => record), superseded };
  }

  /** @throws HeadgateError `UNKNOWN_PIPELINE`, `QUEUE_FULL`; then none is accepted */
  async enqueueAll(triggers: readonly NewTrigger[], now: number, limits: QueueLimits | undefined): Promise<readonly EnqueueResult[]> {
    for (const { pipelineId } of triggers) this.#pipelines.known(pipelineId);
    const isNew = ({ pipelineId, key }: NewTrigger) => key === null || this.#pipelines.get(pipelineId)?.life?.byKey.has(key) !== true;
    if (limits !== undefined) this.#usage.refuseBeyond(limits, triggers.filter(isNew));
    if (triggers.length <= ADDED_AT_ONCE) return triggers.map((trigger) => this.enqueue(trigger, now));
    return this.#enqueueMany(triggers, now);
  }

  /** Adds triggers in slices, so that the event loop can turn in between; those not yet added count towards the limits of others. */
  async #enqueueMany(triggers: readonly NewTrigger[], now: number): Promise<readonly EnqueueResult[]> {
    const results: EnqueueResult[] = [];
    for (const one of triggers) this.#usage.add(one);
    for (const one of triggers) {
      this.#usage.remove(one);
      results.push(this.enqueue(one, now));
      if (results.length % ADDED_AT_ONCE === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    return results;
  }

  enqueue(trigger: NewTrigger, now: number): EnqueueResult {
    const cell = this.#pipelines.known(trigger.pipelineId);
    const known = trigger.key === null ? this.#history.triggers.get(trigger.id) : cell.life?.byKey.get(trigger.key);
    if (known !== undefined) return { trigger: known.record, isNew: known.record.id === trigger.id };
    return { trigger: this.#accept(cell, trigger, now, null).record, isNew: true };
  }

  #accept(owner: PipelineEntity, request: NewTrigger, now: number, supersedes: string | null): TriggerEntity {
    const cell = newTriggerEntity(acceptTrigger(request, now, supersedes), owner);
    const { life, record } = cell;
    this.#history.triggers.set(record.id, cell);
    life.waiting.add(cell);
    this.#usage.add(record);
    if (record.kind === "scheduled" && record.scheduledFor !== null) {
      life.byFireTime.set(record.scheduledFor, cell);
      life.newestFireTime = Math.max(life.newestFireTime, record.scheduledFor);
    }
    if (record.key !== null) life.byKey.set(record.key, cell);
    if (record.availableAt > now) this.#lines.wakeAt(cell, record.availableAt);
    else this.#lines.makeReady(cell);
    return cell;
  }
}
