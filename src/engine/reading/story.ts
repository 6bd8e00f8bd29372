import type { DecisionRecord, Finding } from "../../gate/finding.js";
import type { RunRecord } from "../../run/run.js";
import type { TriggerRecord } from "../../trigger/trigger.js";

/**
 * What became, or becomes, of a pipeline at an instant:
 * `ran` (its run succeeded), `running`, `retrying`, `failed`, `timed_out`, `cancelled` (its run, or its trigger before it ran), `waiting` (a trigger waits), `skipped` (a condition or overlap),
 * `missed` (a fire time was dropped), `superseded` (a newer fire time replaced it while it waited), `expired` (it was held for longer than `holdFor`), `not_scheduled` (no run was due),
 * `unknown` (nothing is kept of it), `will_run`, `will_wait`, `will_skip`.
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
  | "failed"
  | "timed_out"
  | "not_scheduled"
  | "unknown"
  | "will_run"
  | "will_wait"
  | "will_skip";

/** An answer of `explain` in the terms of the store. */
export interface Story {
  readonly answer: Answer;
  readonly text: string;
  /** What can be done about it, as sentences. */
  readonly advice?: string | null;
  readonly trigger?: TriggerRecord;
  readonly decisions?: readonly DecisionRecord[];
  readonly run?: RunRecord | null;
  readonly findings?: readonly Finding[];
}

/** People say 02:00 when a schedule says 02:00:30: a fire time within this after the instant is the one that is meant. */
export const MEANT_MS = 60_000;

/** Records that are only looked through are read without parameters, outputs and findings. */
export const LIGHT = { valueLimit: 2 };
