import type { Decision } from "../../gate/view.js";
import type { AlertState } from "../../monitor/alert.js";
import type { AttemptOutcome } from "../../run/run.js";
import type { Run } from "../../run/view.js";
import type { Trigger } from "../../trigger/view.js";
import type { SensorEvent } from "../sensor.js";
import type { PerformanceNumbers } from "./adaptive-schedules.js";

/** Payload of `trigger.*` events. */
export interface TriggerEvent {
  readonly trigger: Trigger;
}

/** Payload of `run.*` events. */
export interface RunEvent {
  readonly run: Run;
}

/** Payload of events of an attempt whose run is not at hand. */
export interface AttemptEvent {
  readonly pipelineId: string;
  readonly runId: string;
  readonly attempt: number;
}

/** Payload of `pause.*` events. */
export interface PauseEvent {
  /** `null`: the whole scheduler. */
  readonly pipelineId: string | null;
  readonly reason: string | null;
  readonly user: string | null;
}

/** Payload of `schedule.skipped` and `schedule.unskipped`. */
export interface SkipEvent {
  readonly pipelineId: string;
  readonly fireTimes: readonly Date[];
  readonly reason: string | null;
  readonly user: string | null;
}

/** Sensor that an event is about. */
export interface SensorRef {
  readonly pipelineId: string;
  readonly sensor: string;
}

/** Every event and what it carries. One for each arrow of the state machines, and for what happens to the scheduler itself. */
export interface SchedulerEvents {
  "trigger.created": TriggerEvent;
  "trigger.held": TriggerEvent & { readonly decision: Decision };
  "trigger.running": TriggerEvent;
  "trigger.skipped": TriggerEvent & { readonly decision: Decision };
  "trigger.expired": TriggerEvent;
  "trigger.cancelled": TriggerEvent;
  "trigger.superseded": TriggerEvent;
  "trigger.succeeded": TriggerEvent;
  "trigger.failed": TriggerEvent;
  /** A gate has decided, or a fire time was dropped. */
  decision: { readonly decision: Decision };
  "run.started": RunEvent;
  /** An attempt after the first begins. */
  "run.attempt": RunEvent;
  "run.progress": { readonly pipelineId: string; readonly runId: string; readonly progress: unknown };
  /** An attempt ended badly and another is due at `run.retryAt`. */
  "run.retrying": RunEvent;
  "run.succeeded": RunEvent;
  "run.failed": RunEvent;
  "run.timed_out": RunEvent;
  "run.cancelled": RunEvent;
  /** This node has taken over watching a remote attempt. */
  "run.adopted": RunEvent;
  /** An attempt was closed because its node died or stopped under it. */
  "run.lost": RunEvent;
  /** A run went on after its signal and its grace: given up, its slot is free again. */
  "run.unresponsive": AttemptEvent;
  /** A result arrived after its attempt was closed, and was rejected; `outcome` says how the attempt had ended. */
  "run.late_result": AttemptEvent & { readonly outcome: AttemptOutcome; readonly error: string | null };
  /**
   * An attempt has ended, and the store does not take it for a reason nobody foresaw. It is tried again, and nobody repeats the run meanwhile, until this node stops (`isGivenUp`). Emitted
   * once for each.
   */
  "run.unrecorded": AttemptEvent & { readonly outcome: AttemptOutcome; readonly error: Error; readonly isGivenUp: boolean };
  "schedule.fired": { readonly pipelineId: string; readonly fireTimes: readonly Date[]; readonly nextFireAt: Date | null };
  /** Fire times were dropped: missed, or skipped by a user. */
  "schedule.dropped": { readonly pipelineId: string; readonly decisions: readonly Decision[] };
  /** Fire times to come will be left out, or no longer. */
  "schedule.skipped": SkipEvent;
  "schedule.unskipped": SkipEvent;
  /** A look of a sensor failed; it looks again at `nextLookAt`. */
  "sensor.failed": SensorRef & { readonly error: Error; readonly failures: number; readonly nextLookAt: Date };
  /** A look succeeded after so many that had failed. */
  "sensor.recovered": SensorRef & { readonly failures: number };
  /** The pipeline could not take what a sensor found (its parameters, say); it was passed over. */
  "sensor.rejected": SensorRef & { readonly event: SensorEvent; readonly error: Error };
  /** A sensor has found nothing for longer than expected. Emitted once until it finds something. */
  "sensor.overdue": SensorRef & { readonly since: Date; readonly expectWithinMs: number };
  /** A trigger file was accepted and removed. */
  "file.accepted": { readonly file: string; readonly pipelineId: string; readonly triggerId: string };
  /** A trigger file was set aside, with the reason beside it. */
  "file.rejected": { readonly file: string; readonly movedTo: string; readonly error: Error };
  /** A clock that was ahead had advanced a schedule, which goes on from now; so many decisions on fire times that had been dropped too early were withdrawn or cut. */
  "schedule.replanned": { readonly pipelineId: string; readonly nextFireAt: Date | null; readonly withdrawn: number };
  paused: PauseEvent & { readonly until: Date | null };
  resumed: PauseEvent & { readonly isAutomatic: boolean };
  "pipeline.added": { readonly pipelineId: string };
  "pipeline.removed": { readonly pipelineId: string };
  /** Settings changed at run time, here or on another node, are in force. */
  "settings.changed": { readonly pipelineId: string };
  /** An adaptive schedule has another interval; ms. `user`: who reset it, `null`: the tuner, by these numbers. */
  "interval.changed": {
    readonly pipelineId: string;
    readonly fromMs: number;
    readonly toMs: number;
    readonly reason: string;
    readonly user: string | null;
    readonly performance: PerformanceNumbers | null;
  };
  /** An alert is notified for the first time, repeated, or resolved. */
  "alert.fired": { readonly alert: AlertState };
  "alert.repeated": { readonly alert: AlertState };
  "alert.resolved": { readonly alert: AlertState };
  /** A channel did not take an alert, which is tried again; so many failures in a row. */
  "channel.failed": { readonly channel: string; readonly error: Error; readonly failures: number };
  "channel.recovered": { readonly channel: string; readonly failures: number };
  /** Alerts could not be delivered for a day, and were given up. */
  "alert.undelivered": { readonly channel: string; readonly alerts: readonly AlertState[]; readonly error: Error };
  /** The newest record of the audit log: at most every 10 minutes (`audit.headInterval`), when there are new ones, and at the stop. */
  "audit.head": { readonly seq: number; readonly hash: string };
  started: { readonly node: string };
  stopped: { readonly node: string };
  /** The wall clock moved on its own (`stepped`), or the process was suspended or blocked (`stalled`). */
  "clock.jumped": { readonly kind: "stepped" | "stalled"; readonly byMs: number };
  /** This node's clock differs from the clock of the store's server, which is used instead: `correctionMs` is added to it. Emitted once until they agree again. */
  "clock.skewed": { readonly aheadMs: number; readonly correctionMs: number };
  /** The store cannot be reached; the scheduler keeps trying. */
  "store.unavailable": { readonly error: Error };
  "store.recovered": { readonly downMs: number };
  /** An error in the background with no caller to receive it, such as one thrown by a listener. */
  error: { readonly error: Error; readonly where: string };
}

export type EventName = keyof SchedulerEvents;

export type Listener<E extends EventName> = (event: SchedulerEvents[E]) => unknown;
