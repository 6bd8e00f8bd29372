import type { Decision, FindingView } from "../../gate/view.js";
import type { Run } from "../../run/view.js";
import type { Trigger } from "../../trigger/view.js";

/**
 * Outcome of a pipeline at an instant:
 * `ran` (its run succeeded), `running`, `retrying`, `failed`, `timed_out`, `cancelled` (its run, or its trigger before it ran), `waiting` (a trigger waits), `skipped` (a condition, overlap, or a user who left the fire time out),
 * `missed` (a fire time was dropped), `superseded` (a newer fire time replaced it while it waited), `expired` (it was held for longer than `holdFor`), `not_scheduled` (no run was due),
 * `unknown` (nothing is kept of it).
 *
 * Of an instant to come, see {@link FutureAnswer}.
 */
export type ExplanationOutcome =
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
  | FutureAnswer;

/**
 * Outcome of a trigger at a future instant, as long as the scheduler runs and nobody intervenes (a trigger, a cancel, a pause, a change of settings). `will_*` is certain; `may_*` depends on what
 * {@link OpenMatter} lists name.
 *
 * - `will_run`: its run starts then.
 * - `may_run`: its run starts then, or it waits, is held or is skipped.
 * - `will_retry`: the next attempt of its run starts then.
 * - `will_wait`: it does not start then, and is not dropped either: held, behind a run, or behind a pause.
 * - `will_skip`: a user leaves the fire time out; or a condition, or its overlap policy (`skip`, or `cancel_running` for newer fire times), ends it.
 * - `may_skip`: it does not start then; it is skipped, held or waits.
 * - `will_miss`: a pause lasts beyond the fire time, and catchup drops it.
 * - `will_expire`: it is held, and given up before it is looked at again.
 * - `may_expire`: it is given up then unless it has run before.
 */
export type FutureAnswer =
  | "will_run"
  | "may_run"
  | "will_retry"
  | "will_wait"
  | "will_skip"
  | "may_skip"
  | "will_miss"
  | "will_expire"
  | "may_expire";

/**
 * Something that is not known before, and that an answer about the future depends on:
 * `condition` (its finding), `slot` (whether one of the pipeline's run slots is free), `pool` (whether the pool has a free slot), `limit` (the scheduler's `maxActiveRuns`), `executor` (whether it has
 * room), `interval` (an adaptive interval that may change before), `retry` (whether an attempt is retried or cancelled before), `pause` (when a pause without an end is resumed).
 */
export interface OpenMatter {
  readonly kind: "condition" | "slot" | "pool" | "limit" | "executor" | "interval" | "retry" | "pause";
  /** Name of the condition or of the pool; `null` for the others. */
  readonly name: string | null;
  /** A clause: what it depends on. */
  readonly reason: string;
}

/** Explanation of why a pipeline ran, did not run, or is waiting. */
export interface Explanation {
  readonly pipelineId: string;
  readonly at: Date;
  readonly answer: ExplanationOutcome;
  /** The whole answer in words. */
  readonly text: string;
  readonly trigger: Trigger | null;
  /** Oldest first. */
  readonly decisions: readonly Decision[];
  readonly run: Run | null;
  /** Expected findings for a future instant; those that cannot be known are `not_evaluated`. */
  readonly findings: readonly FindingView[];
  /** Matters that an answer `may_…` depends on; empty for others, except for a pause without an end. */
  readonly dependsOn: readonly OpenMatter[];
  /** The first fire time after the instant; one to come is where the store has the schedule. */
  readonly nextFireAt: Date | null;
}
