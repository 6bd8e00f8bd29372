import { toDate } from "../base/instant.js";
import type { CatchupCause, CatchupRecord, PauseFacts, Priority, TriggerKind, TriggerRecord, TriggerStatus } from "./trigger.js";

/** Reason why a fire time was made, or dropped, late: see the causes of `CatchupCause`. */
export interface LateCause {
  readonly cause: CatchupCause;
  /** For `downtime` and `stalled`: the last sign of life before it. `null` when nothing is known of it. */
  readonly from: Date | null;
  readonly until: Date;
  /** Of `paused`: why, by whom, and whether the whole scheduler was. */
  readonly pause?: PauseFacts;
}

/** A trigger as it is handed out. `Output`: of the run that it starts. */
export interface Trigger<Output = unknown> {
  readonly id: string;
  readonly pipelineId: string;
  readonly kind: TriggerKind;
  readonly status: TriggerStatus;
  readonly priority: Priority;
  /** The fire time it stands for. */
  readonly scheduledFor: Date | null;
  /** The span of time that its run is for: from the fire time before to `scheduledFor`. `null` when nothing was scheduled, or no earlier fire time was known. */
  readonly interval: { readonly start: Date; readonly end: Date } | null;
  readonly idempotencyKey: string | null;
  readonly reason: string | null;
  readonly user: string | null;
  /** The id of the token, or of the webhook's signer, that requested it; `null` when it was requested in code, by a schedule or by another pipeline. */
  readonly requestedBy: string | null;
  readonly parameters: unknown;
  readonly createdAt: Date;
  /** Not looked at before this. */
  readonly availableAt: Date;
  /** When, held, it is given up. */
  readonly expiresAt: Date | null;
  readonly isForced: boolean;
  readonly runId: string | null;
  readonly endedAt: Date | null;
  readonly endReason: string | null;
  /** User who cancelled it, or the run that it started. */
  readonly endedBy: string | null;
  /** The waiting trigger that it replaced, and the one that replaced it. */
  readonly supersedes: string | null;
  readonly supersededBy: string | null;
  /** The id of the run that it repeats, for one that a user has run again. */
  readonly rerunOf: string | null;
  /** Reason why its fire time was made late, for one that catchup made; else `null`. */
  readonly catchup: LateCause | null;
  /** Fields left out because they are larger than `valueLimit`; absent when there are none. */
  readonly omitted?: readonly string[];
  /** Never there at run time: it carries the type. */
  readonly "~output"?: Output;
}

export function triggerView(record: TriggerRecord): Trigger {
  return {
    id: record.id,
    pipelineId: record.pipelineId,
    kind: record.kind,
    status: record.status,
    priority: record.priority,
    scheduledFor: toDate(record.scheduledFor),
    interval: intervalOf(record),
    idempotencyKey: record.key,
    reason: record.reason,
    user: record.user,
    requestedBy: record.requestedBy,
    parameters: record.parameters,
    createdAt: toDate(record.createdAt),
    availableAt: toDate(record.availableAt),
    expiresAt: toDate(record.expiresAt),
    isForced: record.isForced,
    runId: record.runId,
    endedAt: toDate(record.endedAt),
    endReason: record.endReason,
    endedBy: record.endedBy,
    supersedes: record.supersedes,
    supersededBy: record.supersededBy,
    rerunOf: record.rerunOf,
    catchup: catchupView(record.catchup),
    ...(record.omitted === undefined ? {} : { omitted: record.omitted }),
  };
}

function intervalOf({ intervalStart, scheduledFor }: TriggerRecord): Trigger["interval"] {
  return intervalStart === null || scheduledFor === null ? null : { start: toDate(intervalStart), end: toDate(scheduledFor) };
}

export function catchupView(record: CatchupRecord | null): LateCause | null {
  if (record === null) return null;
  const { cause, from, until, pause } = record;
  return { cause, from: toDate(from), until: toDate(until), ...(pause === undefined ? {} : { pause }) };
}
