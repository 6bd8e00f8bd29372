import {
  type Claim,
  type ClaimRequest,
  type DecideRequest,
  type DecideResult,
  type EnqueueResult,
  type FireRequest,
  type FireResult,
  HeadgateError,
  type NewTrigger,
  type PipelineState,
  type QueueLimit,
  type QueueLimits,
  type RunRecord,
  storeRules as rules,
  type TriggerRecord,
} from "headgate";
import { cancelRunOf } from "./runs.js";
import type { PipelineRow, State } from "./state.js";

const PARAMETERS_PER_CLAIM = 4_194_304;

export const isWaiting = ({ status }: TriggerRecord) => status === "pending" || status === "held";
const isActive = ({ status }: RunRecord) => status === "running" || status === "retrying";

export function waitingOf(state: State, pipelineId?: string): TriggerRecord[] {
  return [...state.triggers.values()].filter((one) => isWaiting(one) && (pipelineId === undefined || one.pipelineId === pipelineId));
}

export function activeOf(state: State, pipelineId?: string): RunRecord[] {
  return [...state.runs.values()].filter((one) => isActive(one) && (pipelineId === undefined || one.pipelineId === pipelineId));
}

export function stateOf(state: State, { maxActiveRuns: _, overlap: __, pool: ___, ...row }: PipelineRow): PipelineState {
  return { ...row, activeRuns: activeOf(state, row.id).length, waitingTriggers: waitingOf(state, row.id).length };
}

/** @throws HeadgateError `UNKNOWN_PIPELINE` */
export function knownPipeline(state: State, pipelineId: string): PipelineRow {
  const known = state.pipelines.get(pipelineId);
  if (known !== undefined) return known;
  throw new HeadgateError("UNKNOWN_PIPELINE", `pipeline ${pipelineId} is not registered`, { details: { pipelineId } });
}

export function isPaused(state: State, { pause }: PipelineRow): boolean {
  return pause !== null || state.global.pause !== null;
}

export function fire(state: State, request: FireRequest, now: number): FireResult {
  const known = state.pipelines.get(request.pipelineId);
  if (known === undefined) return { outcome: "gone", state: null, triggers: [], superseded: [] };
  const isExpected = known.nextFireAt === request.expectedFireAt && known.scheduleKey === request.scheduleKey;
  if (!isExpected || isPaused(state, known))
    return { outcome: isExpected ? "paused" : "moved", state: stateOf(state, known), triggers: [], superseded: [] };
  if (!rules.keepsSkips(request, known.skips)) return { outcome: "moved", state: stateOf(state, known), triggers: [], superseded: [] };
  const { nextFireAt, lastFireAt } = request;
  const skips = rules.skipsFrom(known.skips, nextFireAt);
  const row = { ...known, nextFireAt, lastFireAt: lastFireAt ?? known.lastFireAt, skips };
  state.pipelines.set(row.id, row);
  for (const decision of request.dropped) state.decisions.set(decision.id, decision);
  const fired: string[] = [];
  const superseded: string[] = [];
  for (const trigger of request.triggers) {
    const isThere = [...state.triggers.values()].some(
      (one) => one.pipelineId === row.id && one.kind === "scheduled" && one.scheduledFor === trigger.scheduledFor,
    );
    if (isThere) continue;
    let supersedes: string | null = null;
    for (const waiting of rules.replacesWaiting(row.overlap) ? waitingOf(state, row.id).filter(rules.isOverlapping) : []) {
      state.triggers.set(waiting.id, rules.supersedeTrigger(waiting, trigger.id, now));
      if (fired.at(-1) !== waiting.id) superseded.push(waiting.id);
      supersedes = waiting.id;
    }
    state.triggers.set(trigger.id, rules.acceptTrigger(trigger, now, supersedes));
    fired.push(trigger.id);
  }
  const records = (ids: readonly string[]) => ids.map((id) => state.triggers.get(id) as TriggerRecord);
  return { outcome: "fired", state: stateOf(state, row), triggers: records(fired), superseded: records(superseded) };
}

export function enqueueAll(state: State, triggers: readonly NewTrigger[], now: number, limits?: QueueLimits): EnqueueResult[] {
  for (const { pipelineId } of triggers) knownPipeline(state, pipelineId);
  const fresh = triggers.filter((one) => sameAs(state, one) === undefined);
  if (limits !== undefined && fresh.length > 0) rules.refuseBeyond(limits, fresh, usageOf(state));
  return triggers.map((one) => {
    const known = sameAs(state, one);
    if (known !== undefined) return { trigger: known, isNew: known.id === one.id };
    const trigger = rules.acceptTrigger(one, now);
    state.triggers.set(trigger.id, trigger);
    return { trigger, isNew: true };
  });
}

/** The trigger that was accepted before for the same id, or the same key of the pipeline. */
function sameAs(state: State, { id, pipelineId, key }: NewTrigger): TriggerRecord | undefined {
  const known = state.triggers.get(id);
  if (known !== undefined || key === null) return known;
  return [...state.triggers.values()].find((one) => one.pipelineId === pipelineId && one.key === key);
}

function usageOf(state: State) {
  const sum = (all: readonly TriggerRecord[]): QueueLimit => ({
    count: all.length,
    bytes: all.reduce((bytes, { size }) => bytes + size, 0),
  });
  const by = (nameOf: (one: TriggerRecord) => string | null) => {
    const groups = new Map<string, TriggerRecord[]>();
    for (const one of waitingOf(state)) {
      const name = nameOf(one);
      if (name !== null) groups.set(name, [...(groups.get(name) ?? []), one]);
    }
    return new Map([...groups].map(([name, all]) => [name, sum(all)]));
  };
  return { total: sum(waitingOf(state)), pipelines: by(({ pipelineId }) => pipelineId), tokens: by(({ requestedBy }) => requestedBy) };
}

/** What may be claimed of a pipeline, in order: due, not expired, and claimed by nobody whose lease goes on. */
function readyOf(state: State, now: number, pipelineId?: string): TriggerRecord[] {
  return waitingOf(state, pipelineId)
    .filter((one) => one.availableAt <= now && !isClaimed(one, now) && (one.expiresAt === null || one.expiresAt > now))
    .sort((a, b) => a.order - b.order || (a.id < b.id ? -1 : 1));
}

function isClaimed({ node, leaseUntil }: TriggerRecord, now: number): boolean {
  return node !== null && (leaseUntil ?? 0) > now;
}

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

export function decide(state: State, request: DecideRequest, now: number): DecideResult {
  const { decision, run, hold } = request;
  const known = state.triggers.get(request.triggerId);
  if (known === undefined || known.status !== "pending" || known.token !== request.token) {
    const isAccepted =
      state.decisions.has(decision.id) || decisionsOf(state, request.triggerId).some(({ repeated }) => repeated?.lastId === decision.id);
    return { isAccepted, trigger: known ?? null, run: isAccepted && run !== null ? (state.runs.get(run.id) ?? null) : null };
  }
  if (run !== null) {
    if (isPaused(state, knownPipeline(state, known.pipelineId)) && !known.isForced) {
      const trigger = rules.releaseTrigger(known);
      state.triggers.set(known.id, trigger);
      return { isAccepted: false, trigger, run: null, refusal: { kind: "paused" } };
    }
    for (const limit of request.limits ?? []) {
      const { from, until } = rules.spanOf(limit, now);
      const opensAt = rules.opensAt(limit, recentStarts(state, known.pipelineId, from, until, limit.count));
      if (opensAt !== null) return { isAccepted: false, trigger: known, run: null, refusal: { kind: "limit", opensAt } };
    }
  }
  const recorded = recordDecision(state, decision);
  const started = run === null ? null : rules.startRun(run.id, known, run.node, run.leaseMs, now);
  if (started !== null) state.runs.set(started.id, started);
  const trigger =
    started !== null
      ? rules.startTrigger(known, started.id)
      : hold !== null
        ? rules.holdTrigger(known, hold.recheckAt, hold.expiresAt)
        : rules.endTrigger(known, "skipped", decision.reason, now);
  state.triggers.set(trigger.id, trigger);
  return { isAccepted: true, trigger, run: started, ...(recorded === decision ? {} : { decision: recorded }) };
}

export function decisionsOf(state: State, triggerId: string) {
  return [...state.decisions.values()].filter((one) => one.triggerId === triggerId);
}

/** A hold that says the same as the one before is folded into it; the first decision on a trigger and the newest are kept. */
function recordDecision(state: State, decision: DecideRequest["decision"]): DecideRequest["decision"] {
  const before = decisionsOf(state, decision.triggerId ?? "");
  const last = before.at(-1);
  const recorded = last !== undefined && rules.isRepeatedHold(last, decision) ? rules.foldHold(last, decision) : decision;
  if (recorded === decision && before.length >= rules.DECISIONS_PER_TRIGGER) state.decisions.delete(before[1]?.id ?? "");
  state.decisions.set(recorded.id, recorded);
  return recorded;
}

export function recentStarts(state: State, pipelineId: string, from: number, until: number, limit: number) {
  const starts = [...state.runs.values()].filter((run) => run.pipelineId === pipelineId && run.startedAt >= from && run.startedAt < until);
  const newest = starts
    .map(({ startedAt }) => startedAt)
    .sort((a, b) => b - a)
    .slice(0, limit);
  return { count: newest.length, oldestAt: newest.at(-1) ?? null };
}

/** Ends held triggers whose time to be held ran out. */
export function expire(state: State, now: number): TriggerRecord[] {
  const overdue = waitingOf(state).filter((one) => one.expiresAt !== null && one.expiresAt <= now && !isClaimed(one, now));
  return overdue.map((one) => {
    const ended = rules.expireTrigger(one, now);
    state.triggers.set(ended.id, ended);
    return ended;
  });
}

export function nextDueAt(state: State, now: number): number | null {
  const instants = [
    ...waitingOf(state).flatMap(({ availableAt, leaseUntil, expiresAt }) => [
      ...[availableAt, leaseUntil].filter((at) => at !== null && at > now),
      ...(expiresAt === null ? [] : [expiresAt]),
    ]),
    ...activeOf(state).flatMap(({ retryAt }) => (retryAt !== null && retryAt > now ? [retryAt] : [])),
  ] as number[];
  return instants.length === 0 ? null : Math.min(...instants);
}
