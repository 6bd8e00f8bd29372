import type { AlertRun } from "../../monitor/alert.js";

/** The run of an alert with instants as dates. */
export interface AlertRunView extends Omit<AlertRun, "startedAt" | "endedAt" | "trigger"> {
  readonly startedAt: Date;
  readonly endedAt: Date | null;
  readonly trigger: (Omit<NonNullable<AlertRun["trigger"]>, "scheduledFor"> & { readonly scheduledFor: Date | null }) | null;
}
