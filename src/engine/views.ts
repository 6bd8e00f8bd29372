import { toDate } from "../base/instant.js";
import type { DecisionOutcome, DecisionRecord, Finding } from "../gate/finding.js";
import type { Attempt, CancelRequest, RunError, RunRecord, RunStatus } from "../run/run.js";
import type { Priority, TriggerKind, TriggerRecord, TriggerStatus } from "../trigger/trigger.js";

/** A trigger as it is handed out. */
export interface Trigger {
  readonly id: string;
  readonly pipelineId: string;
  readonly kind: TriggerKind;
  readonly status: TriggerStatus;
  readonly priority: Priority;
  /** The fire time it stands for. */
  readonly scheduledFor: Date | null;
  readonly idempotencyKey: string | null;
  readonly reason: string | null;
  readonly user: string | null;
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
  /** The waiting trigger that it replaced, and the one that replaced it. */
  readonly supersedes: string | null;
  readonly supersededBy: string | null;
}

/** A run as it is handed out. */
export interface Run {
  readonly id: string;
  readonly pipelineId: string;
  readonly triggerId: string;
  readonly status: RunStatus;
  readonly scheduledFor: Date | null;
  readonly attempt: number;
  readonly node: string;
  readonly startedAt: Date;
  readonly attemptStartedAt: Date;
  readonly endedAt: Date | null;
  readonly retryAt: Date | null;
  readonly output: unknown;
  readonly error: RunError | null;
  readonly progress: unknown;
  readonly cancelRequest: (Omit<CancelRequest, "at"> & { readonly at: Date }) | null;
  /** Earlier attempts, and the last one if it was lost. */
  readonly attempts: readonly (Omit<Attempt, "startedAt" | "endedAt"> & { readonly startedAt: Date; readonly endedAt: Date })[];
}

/** A decision as it is handed out. */
export interface Decision {
  readonly id: string;
  readonly pipelineId: string;
  /** `null` when a fire time was dropped before it became a trigger. */
  readonly triggerId: string | null;
  readonly kind: TriggerKind;
  readonly scheduledFor: Date | null;
  readonly at: Date;
  readonly outcome: DecisionOutcome;
  readonly reason: string;
  readonly findings: readonly FindingView[];
  /** Fire times dropped in a row, told as one: how many, and the last of them. */
  readonly missed: { readonly count: number; readonly lastAt: Date } | null;
}

/** A finding as it is handed out. */
export type FindingView = Omit<Finding, "recheckAt"> & { readonly recheckAt?: Date };

export function triggerView(record: TriggerRecord): Trigger {
  return {
    id: record.id,
    pipelineId: record.pipelineId,
    kind: record.kind,
    status: record.status,
    priority: record.priority,
    scheduledFor: toDate(record.scheduledFor),
    idempotencyKey: record.key,
    reason: record.reason,
    user: record.user,
    parameters: record.parameters,
    createdAt: toDate(record.createdAt),
    availableAt: toDate(record.availableAt),
    expiresAt: toDate(record.expiresAt),
    isForced: record.isForced,
    runId: record.runId,
    endedAt: toDate(record.endedAt),
    endReason: record.endReason,
    supersedes: record.supersedes,
    supersededBy: record.supersededBy,
  };
}

export function runView(record: RunRecord): Run {
  return {
    id: record.id,
    pipelineId: record.pipelineId,
    triggerId: record.triggerId,
    status: record.status,
    scheduledFor: toDate(record.scheduledFor),
    attempt: record.attempt,
    node: record.node,
    startedAt: toDate(record.startedAt),
    attemptStartedAt: toDate(record.attemptStartedAt),
    endedAt: toDate(record.endedAt),
    retryAt: toDate(record.retryAt),
    output: record.output,
    error: record.error,
    progress: record.progress,
    cancelRequest: record.cancelRequest === null ? null : { ...record.cancelRequest, at: toDate(record.cancelRequest.at) },
    attempts: record.attempts.map((one) => ({ ...one, startedAt: toDate(one.startedAt), endedAt: toDate(one.endedAt) })),
  };
}

export function decisionView(record: DecisionRecord): Decision {
  return {
    ...record,
    scheduledFor: toDate(record.scheduledFor),
    at: toDate(record.at),
    findings: record.findings.map(findingView),
    missed: record.missed === null ? null : { count: record.missed.count, lastAt: toDate(record.missed.lastAt) },
  };
}

export function findingView(finding: Finding): FindingView {
  const { recheckAt, ...rest } = finding;
  return recheckAt === undefined ? rest : { ...rest, recheckAt: toDate(recheckAt) };
}
