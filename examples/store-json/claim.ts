import { type Claim, type ClaimRequest, type RunRecord, storeRules as rules, type TriggerRecord } from "headgate";
import { decide } from "./decide.js";
import { activeOf, isActive, isClaimed, isPaused, knownPipeline, waitingOf } from "./records.js";
import { cancelRunOf } from "./runs.js";
import type { State } from "./state.js";

const PARAMETERS_PER_CLAIM = 4_194_304;

/** One claim: the overlap rule, due retries, then triggers in order under all limits; and the overlap rule again, which may free slots. */
export class Claiming {
  readonly #state: State;
  readonly #request: ClaimRequest;
  readonly #now: number;
  /** Triggers that are claimed to be skipped take no slot. */
  readonly #slotless = new Set<string>();
  readonly #claim = { decided: [], triggers: [], overlapping: [], cancelled: [], ended: [], superseded: [] } as {
    -readonly [K in "decided" | "triggers" | "overlapping" | "cancelled" | "ended" | "superseded"]: Claim[K][number][];
  };
  #bytes = 0;

  constructor(state: State, request: ClaimRequest, now: number) {
    this.#state = state;
    this.#request = request;
    this.#now = now;
  }

  run(): Claim {
    this.#overlap();
    const attempts = this.#retries();
    let claimed = attempts.length;
    let isPartial = false;
    do {
      for (; claimed < this.#request.limit && !isPartial; claimed++) {
        const next = this.#next();
        if (next === undefined) break;
        isPartial = this.#bytes > 0 && this.#bytes + next.size > PARAMETERS_PER_CLAIM;
        if (isPartial) break;
        this.#bytes += next.size;
        this.#hand(next, false);
      }
    } while (this.#overlap());
    return { ...this.#claim, attempts, ...(isPartial ? { isPartial } : {}) };
  }

  /** Slots taken by active runs and claimed triggers: of a pipeline, all active ones; of pools and in all, the running ones. */
  #taken(pipelineId: string): number {
    return activeOf(this.#state, pipelineId).length + this.#claimedOf(pipelineId).length;
  }

  #claimedOf(pipelineId?: string): TriggerRecord[] {
    return waitingOf(this.#state, pipelineId).filter((one) => isClaimed(one, this.#now) && !this.#slotless.has(one.id));
  }

  #hasRoom(pool: string | null): boolean {
    const { globalLimit, pools } = this.#request;
    const holders = [...activeOf(this.#state).filter(({ status }) => status === "running"), ...this.#claimedOf()];
    if (globalLimit !== null && holders.length >= globalLimit) return false;
    if (pool === null) return true;
    return holders.filter(({ pipelineId }) => this.#state.pipelines.get(pipelineId)?.pool === pool).length < (pools.get(pool) ?? 0);
  }

  #next(): TriggerRecord | undefined {
    return readyOf(this.#state, this.#now).find(({ pipelineId, isForced }) => {
      const row = knownPipeline(this.#state, pipelineId);
      if (!this.#request.canRun(pipelineId) || !this.#hasRoom(row.pool)) return false;
      return isForced || (!isPaused(this.#state, row) && this.#taken(pipelineId) < row.maxActiveRuns);
    });
  }

  #hand(trigger: TriggerRecord, isOverlapping: boolean): void {
    const claimed = rules.claimTrigger(trigger, this.#request.node, this.#now + this.#request.claimLeaseMs);
    this.#state.triggers.set(claimed.id, claimed);
    if (isOverlapping) this.#slotless.add(claimed.id);
    const request = this.#request.judge?.(claimed, isOverlapping, this.#now) ?? null;
    if (request !== null) this.#claim.decided.push({ request, result: decide(this.#state, request, this.#now) });
    else if (isOverlapping) this.#claim.overlapping.push(claimed);
    else this.#claim.triggers.push(claimed);
  }

  #retries(): Claim["attempts"][number][] {
    const { canRun, limit, node, attemptLeaseMs } = this.#request;
    const started: Claim["attempts"][number][] = [];
    const due = activeOf(this.#state).filter(({ status, retryAt }) => status === "retrying" && (retryAt ?? 0) <= this.#now);
    for (const run of due.sort((a, b) => (a.retryAt ?? 0) - (b.retryAt ?? 0) || (a.id < b.id ? -1 : 1))) {
      const row = knownPipeline(this.#state, run.pipelineId);
      if (started.length >= limit || !canRun(run.pipelineId) || !this.#hasRoom(row.pool)) continue;
      if (isPaused(this.#state, row) && !run.isForced) continue;
      const next = rules.startAttempt(run, node, attemptLeaseMs, this.#now);
      this.#state.runs.set(run.id, next);
      started.push({ run: next, trigger: this.#state.triggers.get(run.triggerId) as TriggerRecord });
    }
    return started;
  }

  /** Returns true when it has freed a slot. */
  #overlap(): boolean {
    let isFreed = false;
    for (const row of this.#state.pipelines.values()) {
      if (!this.#request.canRun(row.id) || isPaused(this.#state, row)) continue;
      const claimed = this.#claimedOf(row.id);
      const fireOf = ({ id, scheduledFor }: TriggerRecord) => ({ id, fireTime: scheduledFor as number });
      const plan = rules.planOverlap({
        overlap: row.overlap,
        maxActiveRuns: row.maxActiveRuns,
        runs: activeOf(this.#state, row.id).map(({ id, triggerId, scheduledFor, startedAt, cancelRequest }) => ({
          id,
          triggerId,
          fireTime: this.#state.triggers.get(triggerId)?.kind === "scheduled" ? scheduledFor : null,
          startedAt,
          isCancelled: cancelRequest !== null,
        })),
        claimed: claimed.filter(rules.isOverlapping).map(fireOf),
        claimedOthers: claimed.filter((one) => !rules.isOverlapping(one)).length,
        ready: readyOf(this.#state, this.#now, row.id).filter(rules.isOverlapping).map(fireOf),
      });
      for (const id of plan.skip) this.#hand(this.#state.triggers.get(id) as TriggerRecord, true);
      for (const { id, by } of plan.supersede) {
        const older = this.#state.triggers.get(id) as TriggerRecord;
        isFreed ||= isClaimed(older, this.#now);
        const ended = rules.supersedeTrigger(older, by, this.#now);
        this.#state.triggers.set(id, ended);
        this.#claim.superseded.push(ended);
      }
      for (const id of plan.cancel) {
        const run = cancelRunOf(this.#state, id, { at: this.#now, user: null, reason: rules.CANCELLED }) as RunRecord;
        if (isActive(run)) this.#claim.cancelled.push(run);
        else {
          this.#claim.ended.push({ run, trigger: this.#state.triggers.get(run.triggerId) as TriggerRecord });
          isFreed = true;
        }
      }
    }
    return isFreed;
  }
}

/** What may be claimed of a pipeline, in order: due, not expired, and claimed by nobody whose lease goes on. */
function readyOf(state: State, now: number, pipelineId?: string): TriggerRecord[] {
  return waitingOf(state, pipelineId)
    .filter((one) => one.availableAt <= now && !isClaimed(one, now) && (one.expiresAt === null || one.expiresAt > now))
    .sort((a, b) => a.order - b.order || (a.id < b.id ? -1 : 1));
}
