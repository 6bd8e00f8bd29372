import type { DecisionRecord } from "../../gate/finding.js";
import { decisionView } from "../../gate/view.js";
import type { FinishResult } from "../../ports/store.js";
import type { AttemptOutcome, RunRecord } from "../../run/run.js";
import { runView } from "../../run/view.js";
import type { TriggerRecord } from "../../trigger/trigger.js";
import { triggerView } from "../../trigger/view.js";
import { logAttemptEnd } from "./attempt-log.js";
import type { Core } from "./core.js";

/** Payloads of events, made from records; functions, so that events without listeners cost nothing. */
export const ofTrigger = (trigger: TriggerRecord) => ({ trigger: triggerView(trigger) });
export const ofRun = (run: RunRecord) => ({ run: runView(run) });
export const ofDecision = (decision: DecisionRecord) => ({ decision: decisionView(decision) });

/** Emits and logs the end of an attempt, the status of its run and trigger, and the triggers that followed. */
export function emitAttemptEnd(
  core: Pick<Core, "events" | "logger">,
  outcome: AttemptOutcome,
  { run, trigger, followed }: FinishResult,
): void {
  const { events } = core;
  if (run === null) return;
  logAttemptEnd(core.logger, outcome, run);
  if (outcome === "lost") events.emit("run.lost", ofRun, run);
  emitRunEnd(core, run, trigger);
  for (const next of followed) events.emit("trigger.created", ofTrigger, next);
}

/** Emits a run's new status, and its trigger's if that has ended with it. */
export function emitRunEnd({ events }: Pick<Core, "events">, run: RunRecord, trigger: TriggerRecord | null): void {
  const { status } = run;
  if (status !== "running") events.emit(`run.${status}`, ofRun, run);
  if (trigger === null) return;
  if (trigger.status === "succeeded") events.emit("trigger.succeeded", ofTrigger, trigger);
  else if (trigger.status === "failed") events.emit("trigger.failed", ofTrigger, trigger);
  else if (trigger.status === "cancelled") events.emit("trigger.cancelled", ofTrigger, trigger);
}
