import { toDate } from "../base/instant.js";
import type { Attempt, CancelRequest, RunError, RunRecord, RunStatus } from "./run.js";

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
