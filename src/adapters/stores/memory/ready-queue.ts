import { Heap } from "../../../base/heap.js";
import type { ClaimRequest, GlobalPause, Pause } from "../../../ports/store.js";
import { withEndedPause } from "../../../schedule/ended-pauses.js";
import { isOverlapping, type OverlapState } from "../../../trigger/overlap.js";
import { isRunEntity, type Life, type PipelineEntity, type RunEntity, type TimerEntity, type TriggerEntity } from "./entities.js";
import type { Slots } from "./slots.js";

/**
 * Claimable triggers in their order: one line of ready triggers per pipeline, one heap of pipelines per pool by the
 * order of the first trigger that the pipeline may start, and one heap of timers for what becomes ready by time alone.
 */
export class ReadyQueue {
  readonly #pools = new Map<string | null, Heap<PipelineEntity>>();
  readonly #timers = new Heap<TimerEntity>(isSooner);
  readonly #slots: Slots;
  /** Runs whose next attempt is due, oldest first. */
  readonly dueRetries = new Set<RunEntity>();
  /** Held triggers whose time ran out. */
  readonly overdue = new Set<TriggerEntity>();
  /** Pipelines with more scheduled triggers than slots, where that means skipping, superseding or cancelling. */
  readonly crowded = new Set<PipelineEntity>();
  /** Pipelines that are paused by themselves. */
  readonly paused = new Set<PipelineEntity>();
  global: GlobalPause = { pause: null, endedPauses: [] };

  constructor(slots: Slots) {
    this.#slots = slots;
  }

  /** Looks at a trigger again at an instant. */
  wakeAt(cell: TimerEntity, at: number): void {
    this.#timers.set(cell, at);
  }

  forget(cell: TimerEntity): void {
    this.#timers.remove(cell);
  }

  /** When the next thing changes by time alone. */
  nextAt(now: number): number | null {
    if (this.overdue.size > 0) return now;
    return this.#timers.peek()?.heapKey ?? null;
  }

  /** Makes ready, or overdue, whatever time has made so. */
  settle(now: number): void {
    for (let cell = this.#timers.peek(); cell !== undefined && cell.heapKey <= now; cell = this.#timers.peek()) {
      this.#timers.remove(cell);
      if (isRunEntity(cell)) this.dueRetries.add(cell);
      else if (cell.record.expiresAt !== null && cell.record.expiresAt <= now && !cell.isClaimed) {
        cell.life.ready.remove(cell);
        this.refresh(cell.owner);
        this.overdue.add(cell);
      } else this.makeReady(cell);
    }
  }

  /** Makes a trigger claimable: it is new, due for a recheck, or its claimant's lease has expired. */
  makeReady(cell: TriggerEntity): void {
    this.unclaim(cell);
    cell.life.ready.add(cell);
    if (cell.record.expiresAt !== null) this.wakeAt(cell, cell.record.expiresAt);
    this.refresh(cell.owner);
  }

  claim(cell: TriggerEntity, leaseUntil: number, takesSlot: boolean): void {
    cell.life.ready.remove(cell);
    if (takesSlot) {
      cell.isClaimed = true;
      cell.life.claimed++;
      this.#slots.take(cell);
    }
    this.wakeAt(cell, leaseUntil);
    this.refresh(cell.owner);
  }

  /** Ends a claim without a run. */
  unclaim(cell: TriggerEntity): void {
    if (!cell.isClaimed) return;
    cell.isClaimed = false;
    cell.life.claimed--;
    this.#slots.release(cell);
  }

  /** Takes a trigger out of everything that could start it. */
  drop(cell: TriggerEntity): void {
    this.unclaim(cell);
    cell.life.ready.remove(cell);
    this.#timers.remove(cell);
    this.overdue.delete(cell);
    this.refresh(cell.owner);
  }

  /** The pipeline whose first trigger is next under all limits, among those that the claimant can run. */
  next(request: ClaimRequest): TriggerEntity | null {
    let best: PipelineEntity | null = null;
    for (const [pool, heap] of this.#pools) {
      if (!this.#slots.hasRoom(pool, request.globalLimit, request.pools)) continue;
      const first = firstRunnable(heap, request);
      if (first !== null && (best === null || comesFirst(first, best))) best = first;
    }
    return best === null ? null : this.#head(best);
  }

  /** Places a pipeline in its pool by its first startable trigger; call it after anything about it changed. */
  refresh(cell: PipelineEntity): void {
    const { pool, overlap } = cell.registration;
    const head = this.#head(cell);
    const heap = this.#poolOf(pool);
    if (head === null) heap.remove(cell);
    else {
      cell.headId = head.record.id;
      heap.set(cell, head.record.order);
    }
    if (overlap === "skip" || overlap === "cancel_running") {
      if (this.#isCrowded(cell)) this.crowded.add(cell);
      else this.crowded.delete(cell);
    }
  }

  /** Takes a pipeline out of its pool, before the pool changes. */
  leavePool(cell: PipelineEntity): void {
    this.#poolOf(cell.registration.pool).remove(cell);
    this.crowded.delete(cell);
  }

  /** Places a pipeline that has another pool now, with the slots that it holds. */
  enterPool(cell: PipelineEntity): void {
    for (const { trigger } of cell.life?.active ?? []) this.#slots.move(trigger);
    for (const trigger of cell.life?.waiting ?? []) if (trigger.isClaimed) this.#slots.move(trigger);
    this.refresh(cell);
  }

  isPaused(cell: PipelineEntity): boolean {
    return cell.pause !== null || this.global.pause !== null;
  }

  /** Of a pipeline, or (`null`) of everything. */
  pauseOf(cell: PipelineEntity | null): Pause | null {
    return cell === null ? this.global.pause : cell.pause;
  }

  pause(cell: PipelineEntity, pause: Pause): void {
    cell.pause = pause;
    this.paused.add(cell);
    this.refresh(cell);
  }

  resume(cell: PipelineEntity, now: number): Pause | null {
    const { pause } = cell;
    if (pause === null) return null;
    cell.pause = null;
    this.paused.delete(cell);
    cell.endedPauses = withEndedPause(cell.endedPauses, pause, now, cell.nextFireAt);
    this.refresh(cell);
    return pause;
  }

  pauseAll(pause: Pause, all: Iterable<PipelineEntity>): void {
    this.global = { ...this.global, pause };
    for (const cell of all) if (cell.life !== null) this.refresh(cell);
  }

  resumeAll(now: number, all: Iterable<PipelineEntity>): Pause | null {
    const { pause, endedPauses } = this.global;
    if (pause === null) return null;
    const cells = [...all];
    const openFrom = cells.reduce((first, { nextFireAt }) => Math.min(first, nextFireAt ?? first), Number.POSITIVE_INFINITY);
    this.global = { pause: null, endedPauses: withEndedPause(endedPauses, pause, now, Number.isFinite(openFrom) ? openFrom : null) };
    for (const cell of cells) if (cell.life !== null) this.refresh(cell);
    return pause;
  }

  #head(cell: PipelineEntity): TriggerEntity | null {
    const { life } = cell;
    if (life === null || life.ready.length === 0) return null;
    if (!this.isPaused(cell) && life.active.size + life.claimed < cell.registration.maxActiveRuns) return life.ready.head as TriggerEntity;
    return life.ready.firstForced ?? null;
  }

  #isCrowded(cell: PipelineEntity): boolean {
    const { life, registration } = cell;
    if (life === null || life.ready.length === 0 || this.isPaused(cell)) return false;
    const wanted = registration.overlap === "skip" ? life.active.size + 1 : life.active.size + life.claimed + life.ready.length;
    return wanted > registration.maxActiveRuns && life.ready.hasOverlapping;
  }

  #poolOf(pool: string | null): Heap<PipelineEntity> {
    const known = this.#pools.get(pool);
    if (known !== undefined) return known;
    const heap = new Heap<PipelineEntity>(comesFirst);
    this.#pools.set(pool, heap);
    return heap;
  }
}

/** The order of triggers, by which pipelines stand in the heap of their pool: of two that are equally old and urgent, the one with the lower id. */
function comesFirst(one: PipelineEntity, other: PipelineEntity): boolean {
  return one.heapKey < other.heapKey || (one.heapKey === other.heapKey && one.headId < other.headId);
}

/** Returns a pipeline as the overlap rule sees it. */
export function overlapStateOf({ registration: { overlap, maxActiveRuns } }: PipelineEntity, life: Life): OverlapState {
  const isConcerned = ({ record }: TriggerEntity) => isOverlapping(record);
  const fireOf = ({ record: { id, scheduledFor } }: TriggerEntity) => ({ id, fireTime: scheduledFor as number });
  const claimed = [...life.waiting].filter((cell) => cell.isClaimed && isConcerned(cell));
  return {
    overlap,
    maxActiveRuns,
    runs: [...life.active].map(({ record, trigger }) => ({
      id: record.id,
      triggerId: record.triggerId,
      fireTime: trigger.record.kind === "scheduled" ? record.scheduledFor : null,
      startedAt: record.startedAt,
      isCancelled: record.cancelRequest !== null,
    })),
    claimed: claimed.map(fireOf),
    claimedOthers: life.claimed - claimed.length,
    ready: life.ready.overlapping().map(fireOf),
  };
}

/** The first pipeline of a heap that the claimant can run; the others are set aside meanwhile. */
function firstRunnable(heap: Heap<PipelineEntity>, request: ClaimRequest): PipelineEntity | null {
  const aside: PipelineEntity[] = [];
  let found = heap.peek();
  while (found !== undefined && !request.canRun(found.registration.id)) {
    heap.remove(found);
    aside.push(found);
    found = heap.peek();
  }
  for (const cell of aside) heap.set(cell, cell.heapKey);
  return found ?? null;
}

/** Of the same instant, by id: as in a database. */
function isSooner(one: TimerEntity, other: TimerEntity): boolean {
  return one.heapKey < other.heapKey || (one.heapKey === other.heapKey && one.record.id < other.record.id);
}
