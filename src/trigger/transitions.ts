import { orderOf } from "./order.js";
import { REPLACED } from "./overlap.js";
import { isWaiting, type NewTrigger, type TriggerEnd, type TriggerRecord } from "./trigger.js";

/** Nothing ──► pending. */
export function acceptTrigger(request: NewTrigger, now: number, supersedes: string | null = null): TriggerRecord {
  return {
    id: request.id,
    pipelineId: request.pipelineId,
    kind: request.kind,
    status: "pending",
    priority: request.priority,
    order: orderOf(request.kind, request.priority, now),
    scheduledFor: request.scheduledFor,
    intervalStart: request.intervalStart ?? null,
    key: request.key,
    reason: request.reason,
    user: request.user,
    requestedBy: request.requestedBy,
    parameters: request.parameters,
    size: request.size,
    createdAt: now,
    availableAt: request.notBefore === null ? now : Math.max(now, request.notBefore),
    expiresAt: null,
    isForced: request.isForced,
    token: 0,
    node: null,
    leaseUntil: null,
    runId: null,
    endedAt: null,
    endReason: null,
    endedBy: null,
    supersedes,
    supersededBy: null,
    rerunOf: request.rerunOf ?? null,
    catchup: request.catchup ?? null,
  };
}

/** pending | held ──► pending, leased by a node that will decide; a lease that ran out may be taken over. */
export function claimTrigger(trigger: TriggerRecord, node: string, leaseUntil: number): TriggerRecord {
  expectWaiting(trigger);
  return { ...trigger, status: "pending", node, leaseUntil, token: trigger.token + 1 };
}

/** pending, leased by a node ──► pending, for whichever node claims it next. */
export function releaseTrigger(trigger: TriggerRecord): TriggerRecord {
  expectWaiting(trigger);
  return { ...trigger, node: null, leaseUntil: null };
}

/** pending ──► running. */
export function startTrigger(trigger: TriggerRecord, runId: string): TriggerRecord {
  expectWaiting(trigger);
  return { ...trigger, status: "running", runId, node: null, leaseUntil: null };
}

/** pending ──► held, to be looked at again at `recheckAt` and given up at `expiresAt`. */
export function holdTrigger(trigger: TriggerRecord, recheckAt: number, expiresAt: number): TriggerRecord {
  expectWaiting(trigger);
  const giveUpAt = trigger.expiresAt ?? expiresAt;
  return { ...trigger, status: "held", availableAt: Math.min(recheckAt, giveUpAt), expiresAt: giveUpAt, node: null, leaseUntil: null };
}

/** pending | held ──► skipped | expired | cancelled | superseded; running ──► succeeded | failed | cancelled. */
export function endTrigger(
  trigger: TriggerRecord,
  status: TriggerEnd,
  reason: string | null,
  now: number,
  by: { readonly supersededBy?: string; readonly user?: string | null } = {},
): TriggerRecord {
  const mustRun = status === "succeeded" || status === "failed";
  if (mustRun || trigger.status === "running") {
    if (trigger.status !== "running" || (!mustRun && status !== "cancelled")) throw impossible(trigger, status);
  } else expectWaiting(trigger);
  const { supersededBy = null, user: endedBy = null } = by;
  return { ...trigger, status, endedAt: now, endReason: reason, endedBy, supersededBy, node: null, leaseUntil: null };
}

/** pending | held ──► superseded, by the trigger of a newer fire time. */
export function supersedeTrigger(trigger: TriggerRecord, supersededBy: string | undefined, now: number): TriggerRecord {
  return endTrigger(trigger, "superseded", REPLACED, now, supersededBy === undefined ? {} : { supersededBy });
}

/** pending | held ──► expired: it was held until its time to be held ran out. */
export function expireTrigger(trigger: TriggerRecord, now: number): TriggerRecord {
  return endTrigger(trigger, "expired", "held for as long as holdFor allows", now);
}

/** Schedule key of a retired pipeline: no schedule has it, so that registering the pipeline again plans it again. */
export const RETIRED = "retired()";

/** pending | held ──► cancelled, with its pipeline. */
export function retireTrigger(trigger: TriggerRecord, request: { at: number; user: string | null; reason: string | null }): TriggerRecord {
  return endTrigger(trigger, "cancelled", request.reason ?? "its pipeline was retired", request.at, { user: request.user });
}

/** held ──► held, but worth a look now. */
export function recheckTrigger(trigger: TriggerRecord, now: number): TriggerRecord {
  return { ...trigger, availableAt: Math.min(trigger.availableAt, now) };
}

/** A waiting trigger that a clock ahead of time has accepted counts as accepted now; what asked for a later start keeps it. */
export function rebaseTrigger(trigger: TriggerRecord, now: number): TriggerRecord {
  const aheadMs = trigger.createdAt - now;
  if (aheadMs <= 0) return trigger;
  return {
    ...trigger,
    createdAt: now,
    order: orderOf(trigger.kind, trigger.priority, now),
    availableAt: trigger.availableAt === trigger.createdAt ? now : trigger.availableAt,
    expiresAt: trigger.expiresAt === null ? null : trigger.expiresAt - aheadMs,
  };
}

/** A trigger held at an instant that is still to come is looked at as long after `now` as after that. */
export function rebaseHold(trigger: TriggerRecord, heldAt: number, now: number): TriggerRecord {
  if (trigger.status !== "held" || heldAt <= now) return trigger;
  return { ...trigger, availableAt: Math.max(now, trigger.availableAt - (heldAt - now)) };
}

function expectWaiting(trigger: TriggerRecord): void {
  if (!isWaiting(trigger)) throw impossible(trigger, "waiting");
}

function impossible(trigger: TriggerRecord, to: string): Error {
  return new Error(`headgate: trigger ${trigger.id} cannot go from ${trigger.status} to ${to}; this is a bug in the store`);
}
