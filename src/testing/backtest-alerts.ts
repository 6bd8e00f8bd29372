import type { AlertRule, AlertState, PipelineSnapshot } from "../monitor/alert.js";
import { evaluateAlerts } from "../monitor/evaluate-alerts.js";
import type { FinishedFacts } from "../monitor/finished-record.js";
import { RunWindow } from "../monitor/statistics.js";
import type { Pipeline } from "../pipeline/pipeline.js";
import type { PlayedRun } from "./played-run.js";

const WINDOW_MS = 24 * 3_600_000;

/** Returns how often the alerts of rules would have fired over runs, evaluated as in production. */
export function alertsOver(
  runs: readonly PlayedRun[],
  pipeline: Pipeline,
  rules: readonly AlertRule[],
  from: number,
  to: number,
  everyMs: number,
): Readonly<Record<string, number>> {
  const fired: Record<string, number> = {};
  const byStart = runs.toSorted((a, b) => a.startedAt - b.startedAt);
  const byEnd = runs.toSorted((a, b) => a.endedAt - b.endedAt);
  const byFireTime = runs.filter(({ scheduledFor }) => scheduledFor !== null).sort((a, b) => (a.scheduledFor ?? 0) - (b.scheduledFor ?? 0));
  const window = new RunWindow({ lengthMs: WINDOW_MS, timings: 50 });
  const [waiting, active] = [new Set<PlayedRun>(), new Set<PlayedRun>()];
  let [fires, starts, ends] = [0, 0, 0];
  let lastSuccessAt: number | null = null;
  let alerts: readonly AlertState[] = [];
  for (let now = from + everyMs; now <= to; now += everyMs) {
    for (let run = byFireTime[fires]; run !== undefined && (run.scheduledFor ?? 0) <= now; run = byFireTime[++fires]) waiting.add(run);
    for (let run = byStart[starts]; run !== undefined && run.startedAt <= now; run = byStart[++starts]) {
      waiting.delete(run);
      active.add(run);
    }
    for (let run = byEnd[ends]; run !== undefined && run.endedAt <= now; run = byEnd[++ends]) {
      active.delete(run);
      window.add(endedOf(run));
      if (run.status === "succeeded") lastSuccessAt = run.endedAt;
    }
    const oldest = waiting.values().next().value?.scheduledFor ?? null;
    const snapshot: PipelineSnapshot = {
      id: pipeline.id,
      tags: pipeline.tags,
      alertOn: pipeline.alertOn,
      slaMs: pipeline.slaMs,
      isPaused: false,
      isInMaintenance: pipeline.gate.conditions.some((one) => one.isMaintenanceAt?.(now) === true),
      nextFireAt: null,
      lastSuccessAt,
      activeRuns: [...active].map(({ startedAt, scheduledFor }) => ({ id: "", startedAt, scheduledFor })),
      waiting: waiting.size,
      oldestWaitingAt: oldest,
      oldestFireTimeAt: oldest,
      oldestPendingFireTimeAt: oldest,
      statistics: window.at(now),
    };
    const seen = { now, pipelines: [snapshot], nodes: [], queue: { length: waiting.size, oldestAt: oldest }, silences: [] };
    const result = evaluateAlerts(rules, seen, alerts, now);
    alerts = result.alerts;
    for (const { kind, alert } of result.transitions) if (kind === "fired") fired[alert.rule] = (fired[alert.rule] ?? 0) + 1;
    for (const { error } of result.problems) throw error;
  }
  return fired;
}

function endedOf({ status, scheduledFor, startedAt, endedAt, attempt }: PlayedRun): FinishedFacts {
  const triggerStatus = status === "succeeded" || status === "cancelled" ? status : "failed";
  return {
    trigger: { status: triggerStatus, endedAt },
    run: { status, scheduledFor, startedAt, endedAt, attempt, attempts: [] },
    decisions: [],
  };
}
