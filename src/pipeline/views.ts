import { toDate } from "../base/instant.js";
import type { DecisionOutcome, DecisionRecord, Finding, MissedFires } from "../gate/finding.js";
import type { Attempt, CancelRequest, RunError, RunRecord, RunStatus } from "../run/run.js";
import type { PauseFacts, TriggerKind } from "../trigger/trigger.js";

import { catchupView, type LateCause } from "../trigger/view.js";

export { type LateCause, type Trigger, triggerView } from "../trigger/view.js";

/** A run as it is handed out. */
export interface Run<Output = unknown> {
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
  /** `null` until it has succeeded. */
  readonly output: Output | null;
  readonly error: RunError | null;
  readonly progress: unknown;
  readonly cancelRequest: (Omit<CancelRequest, "at"> & { readonly at: Date }) | null;
  /** Earlier attempts, and the last one if it was lost. */
  readonly attempts: readonly (Omit<Attempt, "startedAt" | "endedAt"> & { readonly startedAt: Date; readonly endedAt: Date })[];
  /** Fields left out because they are larger than `valueLimit`; absent when there are none. */
  readonly omitted?: readonly string[];
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
  /** Holds in a row that said the same, kept as one: how many looks, and when the last one was. Reason and findings are those of the last one. `null`: there was one look. */
  readonly repeated: { readonly count: number; readonly lastAt: Date } | null;
  /** Fire times dropped in a row that it stands for: how many, the last of them, and what kept them from being made on time. */
  readonly missed: MissedFiresView | null;
  /** `["findings"]` when they are larger than `valueLimit`; absent otherwise. */
  readonly omitted?: readonly string[];
}

/** What is known of dropped fire times, as it is handed out. */
export interface MissedFiresView {
  readonly count: number;
  readonly lastAt: Date;
  readonly cause?: LateCause;
  /** The pause that covered them. */
  readonly pause?: PauseFacts & { readonly at: Date; readonly until: Date };
}

/** A finding as it is handed out. */
export type FindingView = Omit<Finding, "recheckAt"> & { readonly recheckAt?: Date };

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
    ...(record.omitted === undefined ? {} : { omitted: record.omitted }),
  };
}

export function decisionView(record: DecisionRecord): Decision {
  return {
    ...record,
    scheduledFor: toDate(record.scheduledFor),
    at: toDate(record.at),
    findings: record.findings.map(findingView),
    repeated: record.repeated ? { count: record.repeated.count, lastAt: toDate(record.repeated.lastAt) } : null,
    missed: record.missed === null ? null : missedView(record.missed),
  };
}

function missedView({ count, lastAt, cause, pause }: MissedFires): MissedFiresView {
  const late = cause === undefined ? null : catchupView(cause);
  return {
    count,
    lastAt: toDate(lastAt),
    ...(late === null ? {} : { cause: late }),
    ...(pause === undefined ? {} : { pause: { ...pause, at: toDate(pause.at), until: toDate(pause.until) } }),
  };
}

export function findingView(finding: Finding): FindingView {
  const { recheckAt, ...rest } = finding;
  return recheckAt === undefined ? rest : { ...rest, recheckAt: toDate(recheckAt) };
}
