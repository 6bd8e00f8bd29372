import { EventEmitter } from "eventemitter3";
import { errorOf, HeadgateError } from "../../base/errors.js";
import { nearestName } from "../../base/near-match.js";
import { shown } from "../../base/shown.js";
import type { Logger } from "../../ports/logger.js";
import type { EventName, Listener, SchedulerEvents } from "../../ports/scheduler-api/events.js";
import { type Redact, redactError } from "../../run/redact.js";

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
  "schedule.skipped": true,
  "schedule.unskipped": true,
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

/** The events of one scheduler. Nothing a listener does can harm the emitter. */
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

  /** Emits an event; its payload is only made, from `subject`, if there are listeners. */
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
  return new HeadgateError("INVALID_ARGUMENT", `${shown(name)} is not an event;${hint} available: ${names.join(", ")}`, {
    details: { event: typeof name === "string" ? name.slice(0, 100) : null },
  });
}
