import { formatDuration } from "../../base/duration.js";
import { errorFacts, errorOfFacts } from "../../base/error-facts.js";
import { errorOf, HeadgateError, messageOf } from "../../base/errors.js";
import type { HeapEntry } from "../../base/heap.js";
import { lazyModule } from "../../base/lazy-module.js";
import { withTimeout } from "../../base/with-timeout.js";
import type { Pipeline } from "../../pipeline/pipeline.js";
import { triggerRequest } from "../../pipeline/requests.js";
import type { Sensor, SensorEvent, SensorPollResult } from "../../ports/sensor.js";
import type { CursorRecord } from "../../ports/store.js";
import { jsonCopy } from "../../run/json-copy.js";
import { redactError } from "../../run/redact.js";
import type { NewTrigger } from "../../trigger/trigger.js";
import type { Core } from "../context/core.js";
import { ofTrigger } from "../context/event-payloads.js";

const CURSOR_LIMIT = 5_000_000;
const EVENTS_LIMIT = 10_000;
const KEY_LIMIT = 255;
/** Events that are checked between two turns of the event loop. */
const CHECKED_AT_ONCE = 250;

type SensorPollerCore = Pick<Core, "clock" | "events" | "fireQueue" | "logger" | "newId" | "random" | "redact" | "store">;

/** One sensor of one pipeline on this node: whether it may look, when it looks next, and how it goes. In a heap by when it looks. */
export class SensorPoller implements HeapEntry {
  heapIndex = -1;
  heapKey = 0;
  sensor: Sensor;
  readonly pipelineId: string;
  /** Name under which its cursor is stored. */
  readonly cursorName: string;
  /** The cursor, while this node has it. */
  cursor: CursorRecord | null = null;
  failures = 0;
  error: string | null = null;
  lastLookAt: number | null = null;
  lastEventAt: number | null = null;
  isOverdue = false;
  readonly #core: SensorPollerCore;
  #looking: AbortController | null = null;

  constructor(core: SensorPollerCore, pipelineId: string, sensor: Sensor) {
    this.#core = core;
    this.pipelineId = pipelineId;
    this.sensor = sensor;
    this.cursorName = `sensor:${pipelineId}:${sensor.name}`;
  }

  get isLooking(): boolean {
    return this.#looking !== null;
  }

  abort(reason: HeadgateError): void {
    this.#looking?.abort(reason);
  }

  /** Looks once; gives how long to wait before the next look, ms. Never two looks at once: one that does not heed its signal holds up its own sensor only. */
  async look(): Promise<number> {
    const { clock, events, logger, random, redact } = this.#core;
    const { sensor, pipelineId } = this;
    this.lastLookAt = clock.now();
    const about = { pipelineId, sensor: sensor.name };
    try {
      const hasMore = await this.#once();
      if (this.failures > 0) {
        const failures = this.failures;
        events.emit("sensor.recovered", () => ({ ...about, failures }));
      }
      this.failures = 0;
      this.error = null;
      this.#tellSilence();
      return hasMore ? 0 : sensor.everyMs * (1 + sensor.jitter * (2 * random() - 1));
    } catch (error) {
      if (error instanceof HeadgateError && error.code === "SENSOR_STOPPED") return sensor.everyMs;
      const known = redactError(errorOf(error), redact);
      this.failures++;
      this.error = known.message.slice(0, 1_000);
      const waitMs = Math.min(sensor.everyMs * 2 ** Math.min(this.failures, 20), Math.max(sensor.everyMs, sensor.maxBackoffMs));
      logger.log("warn", `sensor ${sensor.name} of ${pipelineId}: ${this.error}`, {
        ...about,
        failures: this.failures,
        error: errorOfFacts(errorFacts(known)),
      });
      const failures = this.failures;
      events.emit("sensor.failed", () => ({ ...about, error: known, failures, nextLookAt: new Date(clock.now() + waitMs) }));
      this.#tellSilence();
      return waitMs * (1 - sensor.jitter * random());
    }
  }

  async #once(): Promise<boolean> {
    const { clock, store, fireQueue } = this.#core;
    const { cursor, sensor, pipelineId } = this;
    const pipeline = fireQueue.get(pipelineId)?.pipeline;
    if (cursor === null || pipeline === undefined) return false;
    const answer = await this.#answer(cursor);
    const { events: found, hasMore = false } = checked(answer, sensor);
    const value = jsonCopy(answer.cursor, CURSOR_LIMIT, `the cursor of sensor ${sensor.name}`);
    const now = clock.now();
    const triggers = await this.#triggersOf(pipeline, found, now);
    if (triggers.length === 0 && JSON.stringify(value) === JSON.stringify(cursor.value)) return hasMore;
    const accepted = await store.moveCursor(cursor.name, cursor.token, value, triggers, now);
    if (accepted === null) {
      this.cursor = null; // another node has it now, and finds the same
      return false;
    }
    this.cursor = { ...(this.cursor ?? cursor), value, updatedAt: now };
    for (const { trigger, isNew } of accepted) if (isNew) this.#core.events.emit("trigger.created", ofTrigger, trigger);
    if (found.length > 0) {
      this.lastEventAt = now;
      this.isOverdue = false;
    }
    return hasMore;
  }

  /** Calls the sensor within its timeout. */
  #answer({ value }: CursorRecord): Promise<SensorPollResult> {
    const { clock, store } = this.#core;
    const { sensor, pipelineId } = this;
    const stopping = new AbortController();
    this.#looking = stopping;
    const { timeoutMs } = sensor;
    const error = () => new HeadgateError("SENSOR_TIMED_OUT", `no response within ${formatDuration(timeoutMs)}`);
    return withTimeout({ clock, timeoutMs, error, signal: stopping.signal }, async (signal) => {
      try {
        return await sensor.poll({ cursor: value, signal, now: clock.now(), pipelineId, runs: store.listRuns.bind(store) });
      } finally {
        this.#looking = null; // not when it is given up: it is not polled again before it has answered
      }
    });
  }

  /** Reports and skips an event that its pipeline cannot accept: it must hold up neither the others nor the sensor. */
  async #triggersOf(pipeline: Pipeline, found: readonly SensorEvent[], now: number): Promise<NewTrigger[]> {
    const { newId, events, logger, redact, store } = this.#core;
    const isIdleWanted = found.some(({ onlyIfIdle }) => onlyIfIdle);
    const [state] = isIdleWanted ? await store.states([pipeline.id]) : [null];
    const isBusy = (state?.activeRuns ?? 0) + (state?.waitingTriggers ?? 0) > 0;
    const triggers: NewTrigger[] = [];
    for (const [index, event] of found.entries()) {
      if (index % CHECKED_AT_ONCE === CHECKED_AT_ONCE - 1) await this.#core.clock.yield?.();
      if (event.onlyIfIdle && (isBusy || triggers.length > 0)) continue;
      try {
        triggers.push(await triggerRequest(pipeline, optionsOf(event, this.sensor.name), newId(now)));
      } catch (error) {
        const about = { pipelineId: pipeline.id, sensor: this.sensor.name };
        logger.log("error", `an event of sensor ${this.sensor.name} was rejected: ${messageOf(error)}`, { ...about, error });
        events.emit("sensor.rejected", () => ({ ...about, event, error: redactError(errorOf(error), redact) }));
      }
    }
    return triggers;
  }

  #tellSilence(): void {
    const { expectWithinMs, name } = this.sensor;
    const { clock, events } = this.#core;
    if (expectWithinMs === null || this.isOverdue || this.lastEventAt === null || clock.now() - this.lastEventAt <= expectWithinMs) return;
    this.isOverdue = true;
    const since = new Date(this.lastEventAt);
    events.emit("sensor.overdue", () => ({ pipelineId: this.pipelineId, sensor: name, since, expectWithinMs }));
  }
}

function checked(answer: SensorPollResult, sensor: Sensor): SensorPollResult {
  const bad = (problem: string) => new HeadgateError("INVALID_ARGUMENT", `sensor ${sensor.name}: it returned ${problem}`);
  if (typeof answer !== "object" || answer === null || !Array.isArray(answer.events))
    throw bad(`${JSON.stringify(answer) ?? "nothing"} instead of { events, cursor }`.slice(0, 200));
  if (answer.events.length > EVENTS_LIMIT)
    throw bad(`${answer.events.length} events, over the limit of ${EVENTS_LIMIT}; return them in parts, with hasMore: true`);
  return answer;
}

function optionsOf({ key, reason, parameters, priority }: SensorEvent, name: string): Parameters<typeof triggerRequest>[1] {
  const whole = `${name}:${key}`;
  return {
    kind: "sensor",
    user: `sensor ${name}`,
    reason: (reason ?? `sensor ${name}`).slice(0, 1_000),
    ...(parameters === undefined ? {} : { parameters }),
    ...(priority === undefined ? {} : { priority }),
    ...(key === undefined ? {} : { idempotencyKey: whole.length > KEY_LIMIT ? lazyModule("node:crypto").hash("sha256", whole) : whole }),
  };
}
