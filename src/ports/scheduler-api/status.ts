import type { AttemptOutcome } from "../../run/run.js";
import type { SkippedFireTime } from "./skips.js";

/** The end of an attempt that the store has not taken yet. */
export interface UnrecordedEnd {
  readonly pipelineId: string;
  readonly runId: string;
  readonly attempt: number;
  readonly outcome: AttemptOutcome;
  /** When the attempt ended. */
  readonly endedAt: Date;
  /** The store's last error. */
  readonly error: string;
}

/** The ends of attempts that the store has not taken yet: all of them are counted, the oldest 20 listed. */
export interface UnrecordedEnds {
  readonly count: number;
  readonly items: readonly UnrecordedEnd[];
}

/** Status of a sensor on this node. */
export interface SensorStatus {
  readonly pipelineId: string;
  readonly name: string;
  /** True if this node is the one that looks. */
  readonly isHeldHere: boolean;
  readonly lastLookAt: Date | null;
  readonly lastEventAt: Date | null;
  readonly nextLookAt: Date | null;
  /** Looks that failed in a row, and the last one's error. */
  readonly failures: number;
  readonly error: string | null;
  /** It has found nothing for longer than expected. */
  readonly isOverdue: boolean;
}

/** Status of a scheduler. */
export interface SchedulerStatus {
  readonly phase: "created" | "starting" | "running" | "stopping" | "stopped";
  /** True if this node does its work: it runs, its last round succeeded, and that is no longer ago than `maxTimerDelay` + 15 s. What `/ready` answers. */
  readonly isReady: boolean;
  /** Reason why it is not ready, without anything confidential; `null` when it is. */
  readonly notReadyReason: string | null;
  readonly node: string;
  readonly now: Date;
  readonly pipelines: number;
  /** Active runs on this node. */
  readonly activeRuns: number;
  /** Runs that ended on this node and are not yet recorded in the store, because it is away or for another reason. */
  readonly unrecordedEnds: UnrecordedEnds;
  /** When this node fires next. */
  readonly nextFireAt: Date | null;
  /** When a whole round of the loop last succeeded, at most `maxTimerDelay` (30 s) ago on a healthy node; `null` before the first. A dead scheduler differs from an idle one. */
  readonly lastRoundAt: Date | null;
  /** Since when rounds fail, and what the last one failed of, errors of the store included; `null` when the last one succeeded. */
  readonly roundFailure: { readonly since: Date; readonly error: string } | null;
  /** The pause of everything. */
  readonly pause: { readonly at: Date; readonly until: Date | null; readonly reason: string | null; readonly user: string | null } | null;
  /** Offset of this node's clock ahead of the store's server, ms; `null` while unknown, or without a server. */
  readonly clockAheadMs: number | null;
  /** Correction added to this node's clock so that it follows the store's, ms; 0 while it is trusted. */
  readonly clockCorrectionMs: number;
  /** The sensors of this node's pipelines. */
  readonly sensors: readonly SensorStatus[];
  readonly store: {
    readonly name: string;
    readonly isAvailable: boolean;
    readonly unavailableSince: Date | null;
    readonly error: string | null;
  };
}

/** Status of a pipeline. */
export interface PipelineStatus {
  readonly pipelineId: string;
  readonly description: string | null;
  readonly tags: readonly string[];
  /** The person or team that answers for it. */
  readonly owner: string | null;
  /** Its schedule in words. */
  readonly schedule: string;
  readonly nextFireAt: Date | null;
  readonly lastFireAt: Date | null;
  readonly lastSuccessAt: Date | null;
  readonly activeRuns: number;
  readonly maxActiveRuns: number;
  readonly conditions: readonly string[];
  /** Its own pause, or the pause of everything. */
  readonly pause: SchedulerStatus["pause"];
  /** Fire times that will be left out, in order. */
  readonly skips: readonly SkippedFireTime[];
}
