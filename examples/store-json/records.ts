import { HeadgateError, type PipelineState, type RunRecord, type TriggerRecord } from "headgate";
import type { PipelineRow, State } from "./state.js";

export const isWaiting = ({ status }: TriggerRecord) => status === "pending" || status === "held";
export const isActive = ({ status }: RunRecord) => status === "running" || status === "retrying";

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

/** True while a node has it under a lease that goes on. */
export function isClaimed({ node, leaseUntil }: TriggerRecord, now: number): boolean {
  return node !== null && (leaseUntil ?? 0) > now;
}

export function decisionsOf(state: State, triggerId: string) {
  return [...state.decisions.values()].filter((one) => one.triggerId === triggerId);
}
