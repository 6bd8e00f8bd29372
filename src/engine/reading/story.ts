import type { DecisionRecord, Finding } from "../../gate/finding.js";
import type { RunRecord } from "../../run/run.js";
import type { TriggerRecord } from "../../trigger/trigger.js";

/**
 * What became, or becomes, of a pipeline at an instant:
 * `ran`, `running`, `retrying`, `waiting` (a trigger waits), `skipped` (a condition or overlap), `missed` (a fire time was dropped), `superseded`, `expired`, `cancelled`,
 * `not_scheduled` (nothing asked for a run), `unknown` (nothing is kept of it), `will_run`, `will_wait`, `will_skip`.
 */
export type Answer =
  | "ran"
  | "running"
  | "retrying"
  | "waiting"
  | "skipped"
  | "missed"
  | "superseded"
  | "expired"
  | "cancelled"
  | "not_scheduled"
  | "unknown"
  | "will_run"
  | "will_wait"
  | "will_skip";

/** An answer of `explain` in the terms of the store. */
export interface Story {
  readonly answer: Answer;
  readonly text: string;
  readonly trigger?: TriggerRecord;
  readonly decisions?: readonly DecisionRecord[];
  readonly run?: RunRecord | null;
  readonly findings?: readonly Finding[];
}

/** People say 02:00 when a schedule says 02:00:30: a fire time within this after the instant is the one that is meant. */
export const MEANT_MS = 60_000;
