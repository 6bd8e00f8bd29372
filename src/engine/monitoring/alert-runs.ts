import { toDate } from "../../base/instant.js";
import type { AlertRun, AlertState, Concern } from "../../monitor/alert.js";
import type { Evaluation } from "../../monitor/evaluate-alerts.js";
import type { AlertRunView } from "../../ports/scheduler-api/alert-run.js";
import type { Store } from "../../ports/store.js";
import type { RunRecord } from "../../run/run.js";
import type { TriggerRecord } from "../../trigger/trigger.js";

/** JSON values of runs that are larger are not read: an alert needs none of them. */
const VALUE_LIMIT = 8_000;
/** Runs that are read for one evaluation; more alerts than that at once are about the same outage. */
const MOST_RUNS = 50;

/** Characters of an error's message. */
const MOST_TEXT = 1_000;

type Found = Pick<Evaluation, "alerts" | "transitions">;

export function alertRunView({ trigger, ...run }: AlertRun): AlertRunView {
  return {
    ...run,
    startedAt: toDate(run.startedAt),
    endedAt: toDate(run.endedAt),
    trigger: trigger === null ? null : { ...trigger, scheduledFor: toDate(trigger.scheduledFor) },
  };
}

/** Adds the runs that alerts are about, read once for each alert that is about to be sent. */
export async function withRuns(
  store: Pick<Store, "listRuns" | "run" | "trigger">,
  { alerts, transitions, concerns }: Pick<Evaluation, "alerts" | "transitions" | "concerns">,
): Promise<Found> {
  if (concerns.size === 0) return { alerts, transitions };
  const byId = new Map<string, AlertRun>();
  for (const { alert } of transitions.filter(({ alert: { id } }) => concerns.has(id)).slice(0, MOST_RUNS)) {
    const run = await runOf(store, alert.pipelineId, concerns.get(alert.id) as Concern);
    if (run !== null) byId.set(alert.id, alertRunOf(run, await store.trigger(run.triggerId)));
  }
  const described = (alert: AlertState) => {
    const run = byId.get(alert.id);
    return run === undefined ? alert : { ...alert, run };
  };
  return { alerts: alerts.map(described), transitions: transitions.map((one) => ({ ...one, alert: described(one.alert) })) };
}

async function runOf(store: Pick<Store, "listRuns" | "run">, pipelineId: string | null, concern: Concern): Promise<RunRecord | null> {
  if (typeof concern === "object") return store.run(concern.runId);
  if (pipelineId === null) return null;
  const [last] = await store.listRuns({ pipelineId, statuses: ["failed", "timed_out"], limit: 1, valueLimit: VALUE_LIMIT });
  return last ?? null;
}

function alertRunOf({ id, status, attempt, startedAt, endedAt, error }: RunRecord, trigger: TriggerRecord | null): AlertRun {
  return {
    id,
    status,
    attempt,
    startedAt,
    endedAt,
    error: error === null ? null : { message: error.message.slice(0, MOST_TEXT), code: error.code },
    trigger:
      trigger === null
        ? null
        : {
            id: trigger.id,
            kind: trigger.kind,
            scheduledFor: trigger.scheduledFor,
            user: trigger.user,
            reason: trigger.reason,
          },
  };
}
