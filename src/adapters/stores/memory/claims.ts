import type { Claim, ClaimRequest, DecideRequest, DecideResult } from "../../../ports/store.js";
import { isActive, type RunRecord } from "../../../run/run.js";
import { startAttempt } from "../../../run/transitions.js";
import { CANCELLED, planOverlap } from "../../../trigger/overlap.js";
import { claimTrigger, supersedeTrigger } from "../../../trigger/transitions.js";
import type { TriggerRecord } from "../../../trigger/trigger.js";
import type { RunEntity, TriggerEntity } from "./entities.js";
import { overlapStateOf, type ReadyQueue } from "./ready-queue.js";
import type { RunLifecycle } from "./run-lifecycle.js";
import type { Slots } from "./slots.js";

interface Decided {
  readonly request: DecideRequest;
  readonly result: DecideResult;
}

/** Result of a claim so far. */
interface Made {
  readonly decided: Decided[];
  readonly triggers: TriggerRecord[];
  readonly overlapping: TriggerRecord[];
  readonly cancelled: RunRecord[];
  readonly ended: { run: RunRecord; trigger: TriggerRecord }[];
  readonly superseded: TriggerRecord[];
}

/** Hands out work: what a claimant may decide on, retry, skip or cancel. */
export class Claims {
  readonly #lines: ReadyQueue;
  readonly #slots: Slots;
  readonly #running: Set<RunEntity>;
  readonly #settling: RunLifecycle;

  constructor(lines: ReadyQueue, slots: Slots, running: Set<RunEntity>, settling: RunLifecycle) {
    this.#lines = lines;
    this.#slots = slots;
    this.#running = running;
    this.#settling = settling;
  }

  /** Due retries first, then triggers in order, under all limits; the overlap rule before and after. */
  claim(request: ClaimRequest, now: number): Claim {
    this.#lines.settle(now);
    const made: Made = { decided: [], triggers: [], overlapping: [], cancelled: [], ended: [], superseded: [] };
    this.#overlap(request, made, now);
    const attempts = this.#claimRetries(request, now);
    let claimed = attempts.length;
    do {
      for (; claimed < request.limit; claimed++) {
        const cell = this.#lines.next(request);
        if (cell === null) break;
        this.#hand(cell, request, { isOverlapping: false, decided: made.decided, left: made.triggers }, now);
      }
    } while (this.#overlap(request, made, now));
    return { ...made, attempts };
  }

  /** Claims a trigger, and decides on it if the claimant can at once. */
  #hand(
    cell: TriggerEntity,
    request: ClaimRequest,
    { isOverlapping, decided, left }: { isOverlapping: boolean; decided: Decided[]; left: TriggerRecord[] },
    now: number,
  ): void {
    const leaseUntil = now + request.claimLeaseMs;
    cell.record = claimTrigger(cell.record, request.node, leaseUntil);
    this.#lines.claim(cell, leaseUntil, !isOverlapping);
    const decision = request.judge?.(cell.record, isOverlapping, now) ?? null;
    if (decision === null) left.push(cell.record);
    else decided.push({ request: decision, result: this.#settling.decide(decision, now) });
  }

  /** Applies the overlap rule to every pipeline with more scheduled triggers than slots. Returns true when that has freed a slot. */
  #overlap(request: ClaimRequest, made: Made, now: number): boolean {
    let isFreed = false;
    for (const cell of [...this.#lines.crowded]) {
      const { life } = cell;
      if (life === null || !request.canRun(cell.registration.id)) continue;
      const plan = planOverlap(overlapStateOf(cell, life));
      const waiting = new Map([...life.waiting].map((one) => [one.record.id, one]));
      for (const id of plan.skip) {
        const late = waiting.get(id) as TriggerEntity;
        this.#hand(late, request, { isOverlapping: true, decided: made.decided, left: made.overlapping }, now);
      }
      for (const { id, by } of plan.supersede) {
        const older = waiting.get(id) as TriggerEntity;
        isFreed ||= older.isClaimed;
        this.#settling.end(older, supersedeTrigger(older.record, by, now));
        made.superseded.push(older.record);
      }
      const wanted = new Set(plan.cancel);
      for (const run of [...life.active].filter(({ record }) => wanted.has(record.id))) {
        const record = this.#settling.requestCancel(run, { at: now, user: null, reason: CANCELLED });
        if (isActive(record)) made.cancelled.push(record);
        else {
          made.ended.push({ run: record, trigger: run.trigger.record });
          isFreed = true;
        }
      }
    }
    return isFreed;
  }

  #claimRetries(request: ClaimRequest, now: number): { run: RunRecord; trigger: TriggerRecord }[] {
    const claimed: { run: RunRecord; trigger: TriggerRecord }[] = [];
    for (const cell of this.#lines.dueRetries) {
      if (claimed.length >= request.limit) break;
      const { owner } = cell.trigger;
      if (!request.canRun(owner.registration.id)) continue;
      if (this.#lines.isPaused(owner) && !cell.record.isForced) continue;
      if (!this.#slots.hasRoom(owner.registration.pool, request.globalLimit, request.pools)) continue;
      this.#lines.dueRetries.delete(cell);
      this.#slots.take(cell.trigger);
      cell.record = startAttempt(cell.record, request.node, request.attemptLeaseMs, now);
      this.#running.add(cell);
      claimed.push({ run: cell.record, trigger: cell.trigger.record });
    }
    return claimed;
  }
}
