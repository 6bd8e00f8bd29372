import type { FinishResult } from "../ports/store.js";
import type { AttemptOutcome, RunRecord } from "../run/run.js";
import type { TriggerRecord } from "../trigger/trigger.js";
import type { Core } from "./core.js";
import { runView, triggerView } from "./views.js";

/** Tells how an attempt ended, what became of its run and of its trigger, and which triggers followed. */
export function tellAttemptEnd(core: Core, outcome: AttemptOutcome, { run, trigger, followed }: FinishResult): void {
  const { events } = core;
  if (run === null) return;
  if (outcome === "lost") events.tell("run.lost", () => ({ run: runView(run) }));
  tellRunEnd(core, run, trigger);
  for (const next of followed) events.tell("trigger.created", () => ({ trigger: triggerView(next) }));
}

/** Tells a run's new status, and its trigger's if that has ended with it. */
export function tellRunEnd({ events }: Core, run: RunRecord, trigger: TriggerRecord | null): void {
  if (run.status !== "running") events.tell(`run.${run.status}`, () => ({ run: runView(run) }));
  if (trigger === null) return;
  const { status } = trigger;
  if (status === "succeeded" || status === "failed" || status === "cancelled") {
    events.tell(`trigger.${status}`, () => ({ trigger: triggerView(trigger) }));
  }
}
