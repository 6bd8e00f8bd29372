import type { EventName } from "../../src/index.js";

/** Events about what is recorded: triggers, decisions and runs. */
export const RECORD_EVENTS = [
  "trigger.created",
  "trigger.held",
  "trigger.running",
  "trigger.skipped",
  "trigger.expired",
  "trigger.cancelled",
  "trigger.superseded",
  "trigger.succeeded",
  "trigger.failed",
  "decision",
  "run.started",
  "run.attempt",
  "run.retrying",
  "run.succeeded",
  "run.failed",
  "run.timed_out",
  "run.cancelled",
  "run.lost",
] as const satisfies readonly EventName[];
