import type { DecisionRecord, Finding } from "../../gate/finding.js";
import type { ExplanationOutcome, OpenMatter } from "../../ports/scheduler-api/explanation.js";
import type { RunRecord } from "../../run/run.js";
import type { TriggerRecord } from "../../trigger/trigger.js";

/** An answer of `explain` in the terms of the store. */
export interface Story {
  readonly answer: ExplanationOutcome;
  readonly text: string;
  /** Possible remedies, as sentences. */
  readonly advice?: string | null;
  readonly trigger?: TriggerRecord;
  readonly decisions?: readonly DecisionRecord[];
  readonly run?: RunRecord | null;
  readonly findings?: readonly Finding[];
  readonly dependsOn?: readonly OpenMatter[];
}

/** People say 02:00 when a schedule says 02:00:30: a fire time within this after the instant is the one that is meant. */
export const MEANT_MS = 60_000;

/** Records that are only looked through are read without parameters, outputs and findings. */
export const LIGHT = { valueLimit: 2 };
