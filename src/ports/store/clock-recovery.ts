/**
 * Recovery from a clock that was ahead and was set back. Called by `engine/firing/clock-recovery`.
 *
 * Invariants: nothing that has a trigger fires twice; what waits or runs goes on as long after the step as it would have without it.
 */
import type { DecisionRecord } from "../../gate/finding.js";
import type { SkippedFire } from "../../schedule/skips.js";
import type { PipelineState } from "./pipelines.js";

/** Where a schedule goes on, and what becomes of the fire times that a clock ahead of time has dropped. */
export interface Replan {
  readonly nextFireAt: number | null;
  /** Ids of decisions that are deleted: their fire times get another outcome. */
  readonly withdrawn: readonly string[];
  /** Decisions on several fire times, cut to those that keep their outcome. */
  readonly amended: readonly DecisionRecord[];
  /** Skips of fire times that are open again: they are kept beside those that are there. */
  readonly skips: readonly SkippedFire[];
}

/** One schedule that a wrong clock has advanced too far. Instants are epoch ms. */
export interface ReplanRequest {
  readonly pipelineId: string;
  readonly scheduleKey: string;
  /** Nothing happens unless this is still the stored `nextFireAt`. */
  readonly expectedFireAt: number | null;
  /** Dropped fire times after this instant are open again. */
  readonly since: number;
  /** Pure, called within the transaction with the decisions on dropped fire times that reach beyond `since` and were recorded after `now`. Called again when the transaction is tried again. */
  readonly plan: (dropped: readonly DecisionRecord[]) => Replan;
}

export interface ReplanResult {
  /** `moved`: another `nextFireAt` or schedule is stored; `gone`: never registered. */
  readonly outcome: "replanned" | "moved" | "gone";
  readonly state: PipelineState | null;
}

/**
 * Recovery of a store from a clock that was ahead and was set back. What was recorded at an instant that is still to come was recorded by such a clock: no query reads more than that.
 *
 * Stores without a clock of their own (`serverTime()` is `null`) are only for nodes that share one clock.
 */
export interface ClockRecovery {
  /** Puts schedules back, each atomically with the decisions on fire times that are open again; paused ones too. `lastFireAt` is never later than `now` afterwards. */
  replan(requests: readonly ReplanRequest[], now: number): Promise<readonly ReplanResult[]>;
  /**
   * Moves what is due too late to where it would be: triggers accepted after `now` are accepted now (those with a `notBefore` keep it), triggers held and attempts ended after `now` are due as long after
   * `now` as they were after that, pauses made after `now` begin now, and leases end at `leaseUntil` at the latest. Idempotent.
   */
  rebase(leaseUntil: number, now: number): Promise<void>;
  /** Returns, per pipeline, the fire times from its stored `nextFireAt` to `until` that have a trigger already. There are some only after {@link replan}. */
  firesMade(pipelineIds: readonly string[], until: number): Promise<readonly (readonly number[])[]>;
}
