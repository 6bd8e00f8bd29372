import type { Claim, ClaimRequest, DecideRequest, DecideResult } from "../../../ports/store.js";
import type { RunRecord } from "../../../run/run.js";
import { startAttempt } from "../../../run/transitions.js";
import { claimTrigger } from "../../../trigger/transitions.js";
import type { TriggerRecord } from "../../../trigger/trigger.js";
import type { Life, RunCell, TriggerCell } from "./cells.js";
import { isOverlapping, type Lines, uncancelled } from "./lines.js";
import type { Settling } from "./settling.js";
import type { Slots } from "./slots.js";

interface Decided {
  readonly request: DecideRequest;
  readonly result: DecideResult;
}

/** Hands out work: what a claimant may decide on, retry, skip or cancel. */
export class Claims {
  readonly #lines: Lines;
  readonly #slots: Slots;
  readonly #running: Set<RunCell>;
  readonly #settling: Settling;

  constructor(lines: Lines, slots: Slots, running: Set<RunCell>, settling: Settling) {
    this.#lines = lines;
    this.#slots = slots;
    this.#running = running;
    this.#settling = settling;
  }

  /** Due retries first, then triggers in order, under all limits. */
  claim(request: ClaimRequest, now: number): Claim {
    this.#lines.settle(now);
    const decided: Decided[] = [];
    const { overlapping, cancelled } = this.#claimOverlapping(request, decided, now);
    const attempts = this.#claimRetries(request, now);
    const triggers: TriggerRecord[] = [];
    for (let claimed = attempts.length; claimed < request.limit; claimed++) {
      const cell = this.#lines.next(request);
      if (cell === null) break;
      this.#hand(cell, request, { isOverlapping: false, decided, left: triggers }, now);
    }
    return { decided, triggers, overlapping, attempts, cancelled };
  }

  /** Claims a trigger, and decides on it if the claimant can at once. */
  #hand(
    cell: TriggerCell,
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

  #claimOverlapping(request: ClaimRequest, decided: Decided[], now: number): { overlapping: TriggerRecord[]; cancelled: RunRecord[] } {
    const overlapping: TriggerRecord[] = [];
    const cancelled: RunRecord[] = [];
    for (const cell of this.#lines.crowded) {
      if (!request.canRun(cell.registration.id)) continue;
      const life = cell.life as Life;
      const late = life.ready.filter(isOverlapping);
      if (cell.registration.overlap === "skip") {
        for (const trigger of late) this.#hand(trigger, request, { isOverlapping: true, decided, left: overlapping }, now);
        continue;
      }
      const going = uncancelled(life);
      const wanted = late.length - (life.active.size - going.length);
      for (const run of going.slice(0, Math.max(0, wanted))) {
        cancelled.push(this.#settling.requestCancel(run, { at: now, user: null, reason: "a newer fire time cancels it (cancel_running)" }));
      }
    }
    return { overlapping, cancelled };
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
