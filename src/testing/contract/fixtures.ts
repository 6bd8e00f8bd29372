import type { Duration } from "../../base/duration.js";
import { countedId } from "../../base/id.js";
import type { DecisionRecord } from "../../gate/finding.js";
import type {
  Claim,
  ClaimRequest,
  DecideRequest,
  DecideResult,
  FinishRequest,
  FinishResult,
  FireRequest,
  PipelineRegistration,
  Store,
} from "../../ports/store.js";
import type { RunRecord } from "../../run/run.js";
import type { NewTrigger, TriggerRecord } from "../../trigger/trigger.js";

/** One promise of the contract and how it is tried. */
export type Case = readonly [title: string, body: (store: Store) => Promise<void>, retention?: ContractRetention];

/** Retention of a store in the contract. */
export interface ContractRetention {
  readonly count: number;
  /** Default: no limit but `count`. */
  readonly countPerPipeline?: number;
  readonly maxAge: Duration;
}

export const MINUTE = 60_000;

/** Where the contract's time begins, epoch ms. */
export const T0 = Date.parse("2026-03-02T00:00:00Z");

let made = 0;

/** Ids that sort in the order they were made, unique in this process. */
export function nextId(): string {
  return countedId(++made);
}

export function registration(id: string, rest: Partial<PipelineRegistration> = {}): PipelineRegistration {
  return { id, scheduleKey: "every(60000,0)", nextFireAt: T0 + 60_000, maxActiveRuns: 1, overlap: "queue_one", pool: null, ...rest };
}

export function request(pipelineId: string, rest: Partial<NewTrigger> = {}): NewTrigger {
  return {
    id: nextId(),
    pipelineId,
    kind: "manual",
    priority: "normal",
    scheduledFor: null,
    key: null,
    reason: null,
    user: null,
    requestedBy: null,
    parameters: null,
    size: 0,
    notBefore: null,
    isForced: false,
    ...rest,
  };
}

/** A fire of one fire time, a minute after the other. */
export function firing(pipelineId: string, at: number, rest: Partial<FireRequest> = {}): FireRequest {
  return {
    pipelineId,
    scheduleKey: "every(60000,0)",
    expectedFireAt: at,
    nextFireAt: at + 60_000,
    lastFireAt: at,
    triggers: [request(pipelineId, { kind: "scheduled", scheduledFor: at })],
    dropped: [],
    ...rest,
  };
}

function claiming(rest: Partial<ClaimRequest> = {}): ClaimRequest {
  return {
    node: "node-1",
    limit: 100,
    claimLeaseMs: 30_000,
    attemptLeaseMs: 30_000,
    globalLimit: null,
    pools: new Map(),
    canRun: () => true,
    ...rest,
  };
}

export function claim(store: Store, now: number, rest: Partial<ClaimRequest> = {}): Promise<Claim> {
  return store.claim(claiming(rest), () => now);
}

function decision(trigger: TriggerRecord, outcome: DecisionRecord["outcome"], now: number): DecisionRecord {
  const { pipelineId, id: triggerId, kind, scheduledFor } = trigger;
  return { id: nextId(), pipelineId, triggerId, kind, scheduledFor, at: now, outcome, reason: `to ${outcome}`, findings: [], missed: null };
}

export async function decideAll(
  store: Store,
  triggers: readonly TriggerRecord[],
  outcome: "run" | "hold" | "skip",
  now: number,
  isKnown = true,
): Promise<readonly DecideResult[]> {
  const requests = triggers.map((trigger) => ({ ...deciding(trigger, outcome, now), ...(isKnown ? { trigger } : {}) }));
  return store.decide(requests, () => now);
}

export function deciding(trigger: TriggerRecord, outcome: "run" | "hold" | "skip", now: number): DecideRequest {
  return {
    triggerId: trigger.id,
    token: trigger.token,
    decision: decision(trigger, outcome, now),
    run: outcome === "run" ? { id: nextId(), node: "node-1", leaseMs: 30_000 } : null,
    hold: outcome === "hold" ? { recheckAt: now + 60_000, expiresAt: now + 300_000 } : null,
  };
}

/** Claims whatever may run and starts it. */
export async function startAll(store: Store, now: number, rest: Partial<ClaimRequest> = {}): Promise<RunRecord[]> {
  const { triggers } = await claim(store, now, rest);
  const results = await decideAll(store, triggers, "run", now);
  return results.flatMap(({ run }) => (run === null ? [] : [run]));
}

/** Removes all that is beyond the retention; returns how many triggers and dropped fire times that was. */
export async function pruneAll(store: Store, now: number, limit = 100): Promise<number> {
  let all = 0;
  for (;;) {
    const { removed, isDone } = await store.prune(now, { limit });
    all += removed;
    if (isDone) return all;
  }
}

export async function finishOne(store: Store, run: RunRecord, now: number, rest: Partial<FinishRequest> = {}): Promise<FinishResult> {
  const [result] = await store.finish(
    [
      {
        runId: run.id,
        token: run.token,
        end: { outcome: "succeeded", error: null, output: null, retryAt: null },
        follow: [],
        onlyIfExpired: false,
        ...rest,
      },
    ],
    () => now,
  );
  if (result === undefined) throw new Error("finish gave no answer");
  return result;
}
