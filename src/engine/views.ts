import { toDate } from "../base/instant.js";
import type { DecisionOutcome, DecisionRecord, Finding, MissedFires, MissedPause } from "../gate/finding.js";
import type { Attempt, CancelRequest, RunError, RunRecord, RunStatus } from "../run/run.js";
import type { TriggerKind } from "../trigger/trigger.js";

export { type Trigger, triggerView } from "../trigger/view.js";

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
  /** Fields left out because they are larger than `valueLimit`; absent when there are none. */
  readonly omitted?: readonly string[];
}

/** Dropped fire times as they are handed out. */
export interface MissedView {
  readonly count: number;
  readonly lastAt: Date;
  /** The pause that covered them: from when to when, why and by whom. Absent when none did. */
  readonly pause?: Omit<MissedPause, "at" | "until"> & { readonly at: Date; readonly until: Date };
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
  /** Of a dropped fire time, or of several in a row that one decision stands for: how many, the last of them, and the pause that covered them. `null` for one that no pause covered. */
  readonly missed: MissedView | null;
  /** `["findings"]` when they are larger than `valueLimit`; absent otherwise. */
  readonly omitted?: readonly string[];
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
    missed: record.missed === null ? null : missedView(record.missed),
  };
}

function missedView({ count, lastAt, pause }: MissedFires): MissedView {
  const shown = pause === undefined ? {} : { pause: { ...pause, at: toDate(pause.at), until: toDate(pause.until) } };
  return { count, lastAt: toDate(lastAt), ...shown };
}

export function findingView(finding: Finding): FindingView {
  const { recheckAt, ...rest } = finding;
  return recheckAt === undefined ? rest : { ...rest, recheckAt: toDate(recheckAt) };
}
