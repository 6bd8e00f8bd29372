import { groupBy } from "../../../base/group-by.js";
import type { DecisionRecord } from "../../../gate/finding.js";
import type { ReplanRequest, ReplanResult } from "../../../ports/store/clock-recovery.js";
import { rebaseRetry } from "../../../run/transitions.js";
import { rebasePause, rebaseSpans } from "../../../schedule/rebase.js";
import { mergeSkips } from "../../../schedule/skips.js";
import { rebaseHold, rebaseTrigger } from "../../../trigger/transitions.js";
import { type PipelineEntity, type RunEntity, stateOf, type TriggerEntity } from "./entities.js";
import type { History } from "./history.js";
import type { Pipelines } from "./pipelines.js";
import type { ReadyQueue } from "./ready-queue.js";

/** Puts right what a clock ahead of time has recorded. */
export class ClockRecovery {
  readonly #pipelines: Pipelines;
  readonly #history: History;
  readonly #lines: ReadyQueue;
  readonly #shortenLeases: (leaseUntil: number) => void;

  constructor(pipelines: Pipelines, history: History, lines: ReadyQueue, shortenLeases: (leaseUntil: number) => void) {
    this.#pipelines = pipelines;
    this.#history = history;
    this.#lines = lines;
    this.#shortenLeases = shortenLeases;
  }

  replan(requests: readonly ReplanRequest[], now: number): readonly ReplanResult[] {
    const ids = new Set(requests.map(({ pipelineId }) => pipelineId));
    const dropped = groupBy(this.#history.droppedAfter(now, ids), ({ pipelineId }) => pipelineId);
    return requests.map((request) => this.#replan(request, dropped.get(request.pipelineId) ?? [], now));
  }

  #replan(request: ReplanRequest, dropped: readonly DecisionRecord[], now: number): ReplanResult {
    const cell = this.#pipelines.get(request.pipelineId);
    if (cell === undefined) return { outcome: "gone", state: null };
    if (cell.nextFireAt !== request.expectedFireAt || cell.registration.scheduleKey !== request.scheduleKey)
      return { outcome: "moved", state: stateOf(cell) };
    const reaching = dropped.filter(({ scheduledFor, missed }) => (missed?.lastAt ?? scheduledFor ?? 0) > request.since);
    const { nextFireAt, withdrawn, amended, skips } = request.plan(reaching);
    this.#history.withdraw(new Set(withdrawn), amended);
    cell.nextFireAt = nextFireAt;
    if (skips.length > 0) cell.skips = mergeSkips(cell.skips, skips);
    if (cell.lastFireAt !== null) cell.lastFireAt = Math.min(cell.lastFireAt, now);
    return { outcome: "replanned", state: stateOf(cell) };
  }

  rebase(leaseUntil: number, now: number): void {
    const { pause, endedPauses } = this.#lines.global;
    this.#lines.global = {
      pause: pause === null ? null : rebasePause(pause, now),
      endedPauses: rebaseSpans(endedPauses, now),
    };
    this.#shortenLeases(leaseUntil);
    for (const cell of this.#pipelines.all()) this.#rebasePipeline(cell, leaseUntil, now);
  }

  #rebasePipeline(cell: PipelineEntity, leaseUntil: number, now: number): void {
    if (cell.pause !== null) cell.pause = rebasePause(cell.pause, now);
    if (cell.endedPauses.length > 0) cell.endedPauses = rebaseSpans(cell.endedPauses, now);
    if (cell.lastSuccessAt !== null) cell.lastSuccessAt = Math.min(cell.lastSuccessAt, now);
    for (const trigger of cell.life?.waiting ?? []) this.#rebaseTrigger(trigger, leaseUntil, now);
    for (const run of cell.life?.active ?? []) this.#rebaseRun(run, leaseUntil, now);
  }

  #rebaseTrigger(cell: TriggerEntity, leaseUntil: number, now: number): void {
    const { record } = cell;
    const last = cell.decisions.at(-1);
    const moved = rebaseHold(rebaseTrigger(record, now), last?.repeated?.lastAt ?? last?.at ?? now, now);
    const next = moved.leaseUntil === null || moved.leaseUntil <= leaseUntil ? moved : { ...moved, leaseUntil };
    if (next === record) return;
    cell.life.ready.remove(cell);
    cell.record = next;
    if (next.leaseUntil !== null) this.#lines.wakeAt(cell, next.leaseUntil);
    else if (next.availableAt > now) this.#lines.wakeAt(cell, next.availableAt);
    else this.#lines.makeReady(cell);
    this.#lines.refresh(cell.owner);
  }

  #rebaseRun(cell: RunEntity, leaseUntil: number, now: number): void {
    const { record } = cell;
    if (record.status === "running") cell.record = record.leaseUntil <= leaseUntil ? record : { ...record, leaseUntil };
    else cell.record = rebaseRetry(record, now);
    const { retryAt } = cell.record;
    if (retryAt !== record.retryAt && retryAt !== null && !this.#lines.dueRetries.has(cell)) this.#lines.wakeAt(cell, retryAt);
  }

  firesMade(pipelineIds: readonly string[], until: number): readonly (readonly number[])[] {
    return pipelineIds.map((id) => {
      const cell = this.#pipelines.get(id);
      const from = cell?.nextFireAt ?? null;
      const { life } = cell ?? { life: null };
      if (from === null || life === null || life.newestFireTime < from) return [];
      return [...life.byFireTime.keys()].filter((at) => at >= from && at <= until);
    });
  }
}
