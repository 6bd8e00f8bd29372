import type { DecisionRecord } from "../gate/finding.js";
import type { RunRecord } from "../run/run.js";
import type { TriggerRecord } from "../trigger/trigger.js";

/** A trigger that has ended with its run and the decisions on it; or a fire time that was dropped, with its decision alone. */
export interface FinishedRecord {
  readonly trigger: TriggerRecord | null;
  readonly run: RunRecord | null;
  readonly decisions: readonly DecisionRecord[];
}

/** The part of it that statistics look at. */
export interface FinishedFacts {
  readonly trigger: Pick<TriggerRecord, "status" | "endedAt"> | null;
  readonly run: Pick<RunRecord, "status" | "scheduledFor" | "startedAt" | "endedAt" | "attempt" | "attempts"> | null;
  readonly decisions: readonly Pick<DecisionRecord, "at" | "outcome" | "reason" | "findings" | "missed" | "repeated">[];
}

/** The facts of what has ended, with its ids: what a store reads for statistics, without parameters and outputs. */
export interface FinishedSummary extends FinishedFacts {
  readonly trigger: Pick<TriggerRecord, "id" | "pipelineId" | "status" | "endedAt"> | null;
  readonly decisions: readonly Pick<
    DecisionRecord,
    "id" | "pipelineId" | "at" | "outcome" | "reason" | "findings" | "missed" | "repeated"
  >[];
}

/** When it ended, epoch ms. */
export function endedAtOf({ trigger, decisions }: FinishedFacts): number {
  return trigger?.endedAt ?? decisions[0]?.at ?? 0;
}

export function idOf({ trigger, decisions }: FinishedSummary): string {
  return trigger?.id ?? decisions[0]?.id ?? "";
}

export function pipelineOf({ trigger, decisions }: FinishedSummary): string {
  return trigger?.pipelineId ?? decisions[0]?.pipelineId ?? "";
}
