/**
 * Pipelines: where each schedule stands, its limits and its pause. Called by `engine/pipelines` (register, pause, retire) and `engine/firing` (fire).
 *
 * ```
 *            register                 pause                         retire
 *  unknown ───────────► registered ◄────────► paused     any ──────────────► retired ── register ──► registered
 *                        │      ▲    resume
 *                        └──────┘ fire: the next fire time
 * ```
 *
 * Invariants: a fire time becomes at most one trigger on any number of nodes, since `fire` does nothing unless the stored `nextFireAt` is the expected one; a paused pipeline does not fire; a fire time that was skipped
 * before it fired has no trigger, since `fire` does nothing unless the request was planned by the stored skips (`keepsSkips`); the limits that a claim goes
 * by are those that were registered last.
 */
import type { DecisionRecord } from "../../gate/finding.js";
import type { CancelRequest } from "../../run/run.js";
import type { EndedPause } from "../../schedule/ended-pauses.js";
import type { SkippedFire } from "../../schedule/skips.js";
import type { Overlap } from "../../trigger/overlap.js";
import type { NewTrigger, TriggerRecord } from "../../trigger/trigger.js";
import type { AuditedWrite, NotedResult } from "./audit.js";

/** Facts about a pipeline that a store needs for planning and limits. */
export interface PipelineRegistration {
  readonly id: string;
  /** The schedule's identity: when it differs from the stored one, `nextFireAt` replaces the stored one. */
  readonly scheduleKey: string;
  /** The first fire time, if the pipeline is new or its schedule has changed. */
  readonly nextFireAt: number | null;
  readonly maxActiveRuns: number;
  readonly overlap: Overlap;
  readonly pool: string | null;
}

/** A pause: since when, until when (`null`: until resumed), why and by whom. */
export interface Pause {
  readonly at: number;
  readonly until: number | null;
  readonly reason: string | null;
  readonly user: string | null;
}

/** A pause to be kept. */
export interface PauseRequest {
  /** `null`: everything. */
  readonly pipelineId: string | null;
  readonly pause: Pause;
  /** Given the pause that was there. */
  readonly noted?: AuditedWrite;
}

/** A pause to be ended. */
export interface ResumeRequest {
  /** `null`: that of everything. */
  readonly pipelineId: string | null;
  /** Given the pause that ends. */
  readonly noted?: AuditedWrite;
}

/** The pause of everything, and those that have ended and may cover fire times that are not decided on, oldest first. */
export interface GlobalPause {
  readonly pause: Pause | null;
  readonly endedPauses: readonly EndedPause[];
}

/** State of a pipeline in a store. Instants are epoch ms. */
export interface PipelineState {
  readonly id: string;
  readonly scheduleKey: string;
  readonly nextFireAt: number | null;
  readonly lastFireAt: number | null;
  readonly lastSuccessAt: number | null;
  readonly pause: Pause | null;
  /** Pauses that have ended and cover fire times that are not decided on, oldest first; at most 100. */
  readonly endedPauses: readonly EndedPause[];
  /** Fire times to come that are to be left out, in order; at most 100. */
  readonly skips: readonly SkippedFire[];
  readonly activeRuns: number;
  readonly waitingTriggers: number;
}

/** One pipeline's fire times made and dropped, and where its schedule goes on. */
export interface FireRequest {
  readonly pipelineId: string;
  readonly scheduleKey: string;
  /** Nothing happens unless this is still the stored `nextFireAt`: another node was faster, or the schedule changed. */
  readonly expectedFireAt: number | null;
  readonly nextFireAt: number | null;
  readonly lastFireAt: number | null;
  readonly triggers: readonly NewTrigger[];
  readonly dropped: readonly DecisionRecord[];
}

export interface FireResult {
  /** `moved`: not the stored `nextFireAt`, schedule or skips any more; `paused`: nothing fires now; `gone`: never registered. */
  readonly outcome: "fired" | "moved" | "paused" | "gone";
  readonly state: PipelineState | null;
  readonly triggers: readonly TriggerRecord[];
  /** Waiting triggers that the new ones replaced. */
  readonly superseded: readonly TriggerRecord[];
}

/** The pipelines of a store. */
export interface PipelineStore {
  /** Adds or updates pipelines, each atomically; a new schedule key re-plans once. Idempotent: what is as it is stored is read and not written. A call that was interrupted is completed by the next one. */
  register(pipelines: readonly PipelineRegistration[], now: number): Promise<readonly PipelineState[]>;
  /** Returns the states of pipelines, in the order of the ids; `null` for one that was never registered. */
  states(pipelineIds: readonly string[]): Promise<readonly (PipelineState | null)[]>;
  /** Advances schedules and enqueues their triggers, each pipeline atomically, answered in order; a paused pipeline does not fire. Sent again, a request answers `moved`. */
  fire(requests: readonly FireRequest[], now: number): Promise<readonly FireResult[]>;
  /**
   * Pauses pipelines, or everything, all or none, atomically with their audit entries.
   *
   * @throws HeadgateError `UNKNOWN_PIPELINE`
   */
  pause(requests: readonly PauseRequest[]): Promise<void>;
  /**
   * Ends pauses, each at its own end if that has passed, all or none, atomically with their audit entries. Returns the pauses that ended, in the order of the requests; `null`, and nothing noted, where there was none.
   * Idempotent.
   *
   * @throws HeadgateError `UNKNOWN_PIPELINE`
   */
  resume(requests: readonly ResumeRequest[], now: number): Promise<readonly (Pause | null)[]>;
  /**
   * Adds fire times that are to be left out, all or none, as the pure function `withSkips` says, atomically with the audit entry (given the skips of before). Returns all of the pipeline.
   *
   * @throws HeadgateError `UNKNOWN_PIPELINE`, `ALREADY_FINISHED`, `TOO_MANY`
   */
  skip(pipelineId: string, skips: readonly SkippedFire[], noted?: AuditedWrite): Promise<readonly SkippedFire[]>;
  /**
   * Removes skips of these fire times, or of all (`null`), atomically with the audit entry. Returns those that were removed; for none, nothing is noted. Idempotent.
   *
   * @throws HeadgateError `UNKNOWN_PIPELINE`
   */
  unskip(pipelineId: string, fireTimes: readonly number[] | null, noted?: AuditedWrite): Promise<readonly SkippedFire[]>;
  /** Returns the pause of everything. */
  globalPause(): Promise<GlobalPause>;
  /** Returns the ids of pipelines that are paused by themselves, also those whose pause has run out and was not ended yet. */
  pausedPipelines(): Promise<readonly string[]>;
  /** Takes a pipeline out of use on all nodes, atomically: it fires no more, what waits is cancelled; registering it again brings it back. Returns the cancelled triggers, `null` if unknown. Idempotent. */
  retire(
    pipelineId: string,
    request: CancelRequest,
    noted?: NotedResult<readonly TriggerRecord[]>,
  ): Promise<readonly TriggerRecord[] | null>;
}
