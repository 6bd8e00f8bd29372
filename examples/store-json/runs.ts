import {
  type CancelRequest,
  type FinishRequest,
  type FinishResult,
  type HeartbeatRequest,
  type RunRecord,
  storeRules as rules,
  type TriggerRecord,
} from "headgate";
import { enqueueAll } from "./queue.js";
import type { State } from "./state.js";

/** Closes an attempt and what follows from it: the run's trigger, its pipeline's last success, the triggers of pipelines that follow. */
export function finish(state: State, request: FinishRequest, now: number): FinishResult {
  const run = state.runs.get(request.runId);
  const isCurrent = run?.status === "running" && run.token === request.token;
  if (run === undefined || !isCurrent || (request.onlyIfExpired && run.leaseUntil > now)) {
    const isAccepted = request.isRepeated === true && !request.onlyIfExpired && run !== undefined && rules.isRecordedEnd(run, request);
    const followed = isAccepted ? request.follow.flatMap(({ id }) => state.triggers.get(id) ?? []) : [];
    return { isAccepted, run: run ?? null, trigger: triggerOf(state, run), followed };
  }
  const ended = rules.endAttempt(run, request.end, now);
  state.runs.set(ended.id, ended);
  if (ended.status === "retrying") return { isAccepted: true, run: ended, trigger: triggerOf(state, ended), followed: [] };
  closeRun(state, ended, now);
  const follow = request.follow.filter(({ pipelineId }) => state.pipelines.has(pipelineId));
  const followed = enqueueAll(state, follow, now).flatMap(({ trigger, isNew }) => (isNew ? [trigger] : []));
  return { isAccepted: true, run: ended, trigger: triggerOf(state, ended), followed };
}

function triggerOf(state: State, run: RunRecord | undefined): TriggerRecord | null {
  return state.triggers.get(run?.triggerId ?? "") ?? null;
}

function closeRun(state: State, run: RunRecord, now: number): void {
  const trigger = state.triggers.get(run.triggerId);
  if (trigger === undefined) return;
  const row = state.pipelines.get(run.pipelineId);
  if (row !== undefined && run.status === "succeeded") state.pipelines.set(row.id, { ...row, lastSuccessAt: run.endedAt ?? now });
  state.triggers.set(trigger.id, rules.endTriggerOf(trigger, run, now));
}

/** Requests a run to end; one between two attempts ends at once. */
export function cancelRunOf(state: State, runId: string, request: CancelRequest): RunRecord | null {
  const run = state.runs.get(runId);
  if (run === undefined) return null;
  const asked = rules.requestCancel(run, request);
  const next = asked.status === "retrying" ? rules.cancelRetry(asked, request.at) : asked;
  state.runs.set(runId, next);
  if (next.status !== asked.status) closeRun(state, next, request.at);
  return next;
}

export function heartbeat(
  state: State,
  { runId, token, progress, reference, error }: HeartbeatRequest,
  leaseUntil: number,
): RunRecord | null {
  const run = state.runs.get(runId);
  if (run === undefined || run.status !== "running" || run.token !== token) return null;
  const next = {
    ...run,
    leaseUntil,
    ...(progress === undefined ? {} : { progress }),
    ...(reference === undefined ? {} : { reference }),
    ...(error === undefined ? {} : { error }),
  };
  state.runs.set(runId, next);
  return next;
}
