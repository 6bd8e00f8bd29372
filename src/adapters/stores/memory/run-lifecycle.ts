import { jsonSize } from "../../../base/json-size.js";
import { opensAt, spanOf } from "../../../gate/start-limit.js";
import type { StartRefusal } from "../../../ports/store/claims.js";
import type { DecideRequest, DecideResult, EnqueueResult, FinishRequest, FinishResult } from "../../../ports/store.js";
import type { CancelRequest, RunRecord } from "../../../run/run.js";
import { cancelRetry, endAttempt, endTriggerOf, isRecordedEnd, requestCancel, retryNow, startRun } from "../../../run/transitions.js";
import { endTrigger, holdTrigger, releaseTrigger, startTrigger } from "../../../trigger/transitions.js";
import type { NewTrigger, TriggerRecord } from "../../../trigger/trigger.js";
import type { RunEntity, TriggerEntity } from "./entities.js";
import type { History } from "./history.js";
import type { Pipelines } from "./pipelines.js";
import type { ReadyQueue } from "./ready-queue.js";
import type { Slots } from "./slots.js";
import type { QueueUsage } from "./usage.js";

/** Transitions of claimed triggers and of runs: decisions, ends of attempts, cancellations. */
export class RunLifecycle {
  readonly #history: History;
  readonly #pipelines: Pipelines;
  readonly #lines: ReadyQueue;
  readonly #slots: Slots;
  readonly #usage: QueueUsage;
  readonly #running: Set<RunEntity>;
  readonly #enqueue: (trigger: NewTrigger, now: number) => EnqueueResult | null;

  constructor(
    history: History,
    pipelines: Pipelines,
    lines: ReadyQueue,
    slots: Slots,
    usage: QueueUsage,
    running: Set<RunEntity>,
    enqueue: (trigger: NewTrigger, now: number) => EnqueueResult | null,
  ) {
    this.#history = history;
    this.#pipelines = pipelines;
    this.#lines = lines;
    this.#slots = slots;
    this.#usage = usage;
    this.#running = running;
    this.#enqueue = enqueue;
  }

  /** Records a decision; one whose claim no longer stands records nothing, one that is recorded already is accepted. */
  decide(request: DecideRequest, now: number): DecideResult {
    const cell = this.#history.triggers.get(request.triggerId);
    if (cell === undefined || cell.record.status !== "pending" || cell.record.token !== request.token) {
      const isRecorded = this.#history.hasDecision(request.decision.id, cell);
      const run = isRecorded && request.run !== null ? (this.#history.runs.get(request.run.id)?.record ?? null) : null;
      return { isAccepted: isRecorded, trigger: cell?.record ?? null, run };
    }
    const refusal = this.#refusalOf(request, cell, now);
    if (refusal !== null) {
      if (refusal.kind === "paused") this.#release(cell);
      return { isAccepted: false, trigger: cell.record, run: null, refusal };
    }
    const decision = this.#history.addDecision(request.decision, cell);
    if (request.run !== null) {
      const run: RunEntity = {
        heapIndex: -1,
        heapKey: 0,
        record: startRun(request.run.id, cell.record, request.run.node, request.run.leaseMs, now),
        trigger: cell,
      };
      this.#lines.drop(cell);
      this.#slots.take(cell);
      this.#leaveQueue(cell);
      cell.life.active.add(run);
      cell.life.isInOrder &&= now >= (cell.life.runs.at(cell.life.runs.length - 1)?.record.startedAt ?? now);
      cell.life.runs.push(run);
      cell.run = run;
      cell.record = startTrigger(cell.record, run.record.id);
      this.#history.runs.set(run.record.id, run);
      this.#running.add(run);
      this.#lines.refresh(cell.owner);
      return { isAccepted: true, trigger: cell.record, run: run.record };
    }
    if (request.hold !== null) {
      this.#lines.drop(cell);
      cell.record = holdTrigger(cell.record, request.hold.recheckAt, request.hold.expiresAt);
      this.#lines.wakeAt(cell, cell.record.availableAt);
    } else {
      this.end(cell, endTrigger(cell.record, "skipped", request.decision.reason, now));
    }
    return { isAccepted: true, trigger: cell.record, run: null, ...(decision === request.decision ? {} : { decision }) };
  }

  /** Returns the reason why a run must not start now; `null` when it may. */
  #refusalOf({ run, limits = [] }: DecideRequest, { record, owner }: TriggerEntity, now: number): StartRefusal | null {
    if (run === null) return null;
    if (this.#lines.isPaused(owner) && !record.isForced) return { kind: "paused" };
    for (const limit of limits) {
      const { from, until } = spanOf(limit, now);
      const next = opensAt(limit, this.#pipelines.recentStarts(record.pipelineId, from, until, limit.count));
      if (next !== null) return { kind: "limit", opensAt: next };
    }
    return null;
  }

  /** Ends a claim; the trigger waits as before. */
  #release(cell: TriggerEntity): void {
    this.#lines.drop(cell);
    cell.record = releaseTrigger(cell.record);
    this.#lines.makeReady(cell);
  }

  /** Closes an attempt and what follows from it. */
  finish(request: FinishRequest, now: number): FinishResult {
    const cell = this.#history.runs.get(request.runId);
    const isCurrent = cell?.record.status === "running" && cell.record.token === request.token;
    if (cell === undefined || !isCurrent || (request.onlyIfExpired && cell.record.leaseUntil > now)) {
      const isRecorded = request.isRepeated === true && !request.onlyIfExpired && cell !== undefined && isRecordedEnd(cell.record, request);
      const followed = isRecorded ? request.follow.flatMap(({ id }) => this.#history.triggers.get(id)?.record ?? []) : [];
      return { isAccepted: isRecorded, run: cell?.record ?? null, trigger: cell?.trigger.record ?? null, followed };
    }
    this.#running.delete(cell);
    this.#slots.release(cell.trigger);
    cell.record = endAttempt(cell.record, request.end, now);
    if (cell.record.retryAt !== null) {
      this.#lines.wakeAt(cell, cell.record.retryAt);
      return { isAccepted: true, run: cell.record, trigger: cell.trigger.record, followed: [] };
    }
    this.#closeRun(cell, now);
    const followed: TriggerRecord[] = [];
    for (const trigger of request.follow) {
      const accepted = this.#enqueue(trigger, now);
      if (accepted?.isNew) followed.push(accepted.trigger);
    }
    return { isAccepted: true, run: cell.record, trigger: cell.trigger.record, followed };
  }

  /** Applies the consequences of a run's end: its slot, its trigger, its pipeline's last success. */
  #closeRun(cell: RunEntity, now: number): void {
    const { trigger } = cell;
    const { status, endedAt } = cell.record;
    trigger.life.active.delete(cell);
    trigger.outputSize = jsonSize(cell.record.output);
    this.#lines.forget(cell);
    this.#lines.dueRetries.delete(cell);
    if (status === "succeeded") trigger.owner.lastSuccessAt = endedAt ?? now;
    this.end(trigger, endTriggerOf(trigger.record, cell.record, now));
  }

  #leaveQueue(cell: TriggerEntity): void {
    if (cell.life.waiting.delete(cell)) this.#usage.remove(cell.record);
  }

  /** Ends a trigger. */
  end(cell: TriggerEntity, record: TriggerRecord): void {
    this.#lines.drop(cell);
    this.#leaveQueue(cell);
    cell.record = record;
    this.#lines.refresh(cell.owner);
    this.#history.ended(cell);
  }

  cancel(cell: RunEntity, request: CancelRequest): RunRecord {
    this.requestCancel(cell, request);
    return cell.record;
  }

  retryNow(cell: RunEntity, now: number): RunRecord {
    const next = retryNow(cell.record, now);
    if (next === cell.record) return next;
    cell.record = next;
    this.#lines.wakeAt(cell, now);
    return next;
  }

  /** Requests the cancellation of a run; one between attempts ends at once. */
  requestCancel(cell: RunEntity, request: CancelRequest): RunRecord {
    cell.record = requestCancel(cell.record, request);
    if (cell.record.status === "retrying") {
      cell.record = cancelRetry(cell.record, request.at);
      this.#closeRun(cell, request.at);
    }
    return cell.record;
  }
}
