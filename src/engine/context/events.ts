import { EventEmitter } from "eventemitter3";
import { errorOf, HeadgateError } from "../../base/errors.js";
import { nearestName } from "../../base/near-match.js";
import { shown } from "../../base/shown.js";
import type { Decision } from "../../gate/view.js";
import type { AlertState } from "../../monitor/alert.js";
import type { Logger } from "../../ports/logger.js";
import type { PerformanceNumbers } from "../../ports/scheduler-api/adaptive-schedules.js";
import type { SensorEvent } from "../../ports/sensor.js";
import { type Redact, redactError } from "../../run/redact.js";
import type { AttemptOutcome } from "../../run/run.js";
import type { Run } from "../../run/view.js";
import type { Trigger } from "../../trigger/view.js";

/** What such an event carries. */
export interface TriggerEvent {
  readonly trigger: Trigger;
}
/** What such an event carries. */
export interface RunEvent {
  readonly run: Run;
}
/** Payload of events of an attempt whose run is not at hand. */
export interface AttemptEvent {
  readonly pipelineId: string;
  readonly runId: string;
  readonly attempt: number;
}
/** What such an event carries. */
export interface PauseEvent {
  /** `null`: the whole scheduler. */
  readonly pipelineId: string | null;
  readonly reason: string | null;
  readonly user: string | null;
}

/** What such an event is of. */
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
  /** This node goes on watching an attempt that is carried out elsewhere. */
  "run.adopted": RunEvent;
  /** An attempt was closed because its node died or stopped under it. */
  "run.lost": RunEvent;
  /** A run went on after its signal and its grace: given up, its slot is free again. */
  "run.unresponsive": AttemptEvent;
  /** A result came after its attempt was closed, and was refused; `outcome` says how the attempt had ended. */
  "run.late_result": AttemptEvent & { readonly outcome: AttemptOutcome; readonly error: string | null };
  /**
   * An attempt has ended, and the store does not take it for a reason nobody foresaw. It is tried again, and nobody repeats the run meanwhile, until this node stops (`isGivenUp`). Emitted
   * once for each.
   */
  "run.unrecorded": AttemptEvent & { readonly outcome: AttemptOutcome; readonly error: Error; readonly isGivenUp: boolean };
  "schedule.fired": { readonly pipelineId: string; readonly fireTimes: readonly Date[]; readonly nextFireAt: Date | null };
  "schedule.dropped": { readonly pipelineId: string; readonly decisions: readonly Decision[] };
  /** A look of a sensor failed; it looks again at `nextLookAt`. */
  "sensor.failed": SensorRef & { readonly error: Error; readonly failures: number; readonly nextLookAt: Date };
  /** A look succeeded after so many that had failed. */
  "sensor.recovered": SensorRef & { readonly failures: number };
  /** The pipeline could not take what a sensor found (its parameters, say); it was passed over. */
  "sensor.rejected": SensorRef & { readonly event: SensorEvent; readonly error: Error };
  /** A sensor has found nothing for longer than expected. Told once until it finds something. */
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
  /** An adaptive schedule has another interval; ms. `user`: whoever reset it, `null`: the tuner, by these numbers. */
  "interval.changed": {
    readonly pipelineId: string;
    readonly fromMs: number;
    readonly toMs: number;
    readonly reason: string;
    readonly user: string | null;
    readonly performance: PerformanceNumbers | null;
  };
  /** An alert is told for the first time, again, or that it is over. */
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
  /** The wall clock moved on its own (`stepped`), or nothing could run for a while (`stalled`). */
  "clock.jumped": { readonly kind: "stepped" | "stalled"; readonly byMs: number };
  /** This node's clock differs from the clock of the store's server, which is used instead: `correctionMs` is added to it. Emitted once until they agree again. */
  "clock.skewed": { readonly aheadMs: number; readonly correctionMs: number };
  /** The store cannot be reached; the scheduler keeps trying. */
  "store.unavailable": { readonly error: Error };
  "store.recovered": { readonly downMs: number };
  /** What could be thrown to nobody, such as a listener's own error. */
  error: { readonly error: Error; readonly where: string };
}

export type EventName = keyof SchedulerEvents;
export type Listener<E extends EventName> = (event: SchedulerEvents[E]) => unknown;

/** Every event by name: the compiler refuses a list that lacks one. */
const EVENTS: Readonly<Record<EventName, true>> = {
  "trigger.created": true,
  "run.unrecorded": true,
  "schedule.replanned": true,
  "trigger.held": true,
  "trigger.running": true,
  "trigger.skipped": true,
  "trigger.expired": true,
  "trigger.cancelled": true,
  "trigger.superseded": true,
  "trigger.succeeded": true,
  "trigger.failed": true,
  decision: true,
  "run.started": true,
  "run.attempt": true,
  "run.progress": true,
  "run.retrying": true,
  "run.succeeded": true,
  "run.failed": true,
  "run.timed_out": true,
  "run.cancelled": true,
  "run.adopted": true,
  "run.lost": true,
  "run.unresponsive": true,
  "run.late_result": true,
  "schedule.fired": true,
  "schedule.dropped": true,
  "sensor.failed": true,
  "sensor.recovered": true,
  "sensor.rejected": true,
  "sensor.overdue": true,
  "file.accepted": true,
  "file.rejected": true,
  paused: true,
  resumed: true,
  "pipeline.added": true,
  "pipeline.removed": true,
  "settings.changed": true,
  "interval.changed": true,
  "alert.fired": true,
  "alert.repeated": true,
  "alert.resolved": true,
  "channel.failed": true,
  "channel.recovered": true,
  "alert.undelivered": true,
  "audit.head": true,
  started: true,
  stopped: true,
  "clock.jumped": true,
  "clock.skewed": true,
  "store.unavailable": true,
  "store.recovered": true,
  error: true,
};

/** The events of one scheduler. Nothing a listener does can harm the one that tells. */
export class Events {
  readonly #emitter = new EventEmitter();
  readonly #listeners = new Map<EventName, number>();
  readonly #logger: Logger;
  readonly #redact: Redact;

  constructor(logger: Logger, redact: Redact = (text) => text) {
    this.#logger = logger;
    this.#redact = redact;
  }

  /**
   * Adds a listener; the function returned removes it.
   *
   * @throws HeadgateError `INVALID_ARGUMENT` for an event that does not exist
   */
  on<E extends EventName>(name: E, listener: Listener<E>, once = false): () => void {
    if (typeof name !== "string" || !Object.hasOwn(EVENTS, name)) throw unknownEvent(name);
    if (typeof listener !== "function")
      throw new HeadgateError("INVALID_ARGUMENT", `on ${name}: the listener must be a function (got ${shown(listener)})`);
    const guarded = (event: SchedulerEvents[E]) => {
      if (once) remove();
      try {
        const result = listener(event);
        if (isThenable(result)) Promise.resolve(result).catch((error: unknown) => this.#failed(name, error));
      } catch (error) {
        this.#failed(name, error);
      }
    };
    const count = (by: 1 | -1) => this.#listeners.set(name, (this.#listeners.get(name) ?? 0) + by);
    let isListening = true;
    const remove = () => {
      if (!isListening) return;
      isListening = false;
      this.#emitter.off(name, guarded);
      count(-1);
    };
    this.#emitter.on(name, guarded);
    count(1);
    return remove;
  }

  /** Tells an event; what it carries is only made, from `subject`, if somebody listens. */
  emit<E extends EventName>(name: E, make: () => SchedulerEvents[E]): void;
  emit<E extends EventName, S>(name: E, make: (subject: S) => SchedulerEvents[E], subject: S): void;
  emit<E extends EventName, S>(name: E, make: (subject: S) => SchedulerEvents[E], subject?: S): void {
    const count = this.#listeners.get(name);
    if (count !== undefined && count > 0) this.#emitter.emit(name, make(subject as S));
  }

  /** Reports what can be thrown to nobody. */
  report(error: unknown, where: string): void {
    const known = redactError(errorOf(error), this.#redact);
    this.#logger.log("error", `${where}: ${known.message}`, { error: known });
    this.emit("error", () => ({ error: known, where }));
  }

  removeAll(): void {
    this.#emitter.removeAllListeners();
    this.#listeners.clear();
  }

  #failed(name: EventName, error: unknown): void {
    const where = `a listener of "${name}"`;
    if (name !== "error") this.report(error, where);
    else this.#logger.log("error", `${where} failed`, { error });
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

function unknownEvent(name: unknown): HeadgateError {
  const names = Object.keys(EVENTS);
  const meant = typeof name === "string" ? nearestName(name, names) : null;
  const hint = meant === null ? "" : ` did you mean ${JSON.stringify(meant)}?`;
  return new HeadgateError("INVALID_ARGUMENT", `${shown(name)} is not an event;${hint} there are: ${names.join(", ")}`, {
    details: { event: typeof name === "string" ? name.slice(0, 100) : null },
  });
}
