import type { DecisionRecord } from "../gate/finding.js";
import type { RunRecord } from "../run/run.js";
import type { TriggerRecord } from "../trigger/trigger.js";

/** A trigger that has ended with its run and the decisions on it; or a fire time that was dropped, with its decision alone. */
export interface EndedRecord {
  readonly trigger: TriggerRecord | null;
  readonly run: RunRecord | null;
  readonly decisions: readonly DecisionRecord[];
}

/** When it ended, epoch ms. */
export function endedAtOf({ trigger, decisions }: EndedRecord): number {
  return trigger?.endedAt ?? decisions[0]?.at ?? 0;
}

export function idOf({ trigger, decisions }: EndedRecord): string {
  return trigger?.id ?? decisions[0]?.id ?? "";
}

export function pipelineOf({ trigger, decisions }: EndedRecord): string {
  return trigger?.pipelineId ?? decisions[0]?.pipelineId ?? "";
}
