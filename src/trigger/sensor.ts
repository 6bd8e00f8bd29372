import { type Duration, durationMs } from "../base/duration.js";
import { HeadgateError, quote } from "../base/errors.js";
import { checkOptions, type OptionNames, type RefuseOption } from "../base/options.js";
import type { Priority } from "./trigger.js";

/** Something that a sensor found: it asks for a run. */
export interface SensorEvent {
  /** Stands for what was found, for good: a run is asked for once per key. Default: none; the cursor alone keeps it from being found again. */
  readonly key?: string;
  /** Reason, in words; at most 1,000 characters. */
  readonly reason?: string;
  /** Checked by the pipeline's schema. */
  readonly parameters?: unknown;
  /** Default: the pipeline's. */
  readonly priority?: Priority;
  /** Triggers only while nothing of the pipeline waits or runs, as a condition that stays true does. Default false. */
  readonly onlyIfIdle?: boolean;
}

/** A run as a sensor sees it. */
export interface RunSummary {
  readonly id: string;
  readonly status: string;
  readonly endedAt: number | null;
  readonly output: unknown;
}

/** Argument of a poll. */
export interface SensorPollContext {
  /** Cursor that the last successful poll returned; `null` at first. */
  readonly cursor: unknown;
  /** Aborts when the look takes longer than its timeout, or the scheduler stops. */
  readonly signal: AbortSignal;
  /** Epoch ms. */
  readonly now: number;
  readonly pipelineId: string;
  /** Runs that the scheduler's own store keeps, newest first: by pipeline, older than the one with the id `before`. */
  runs(query: { pipelineId: string; before?: string; limit: number }): Promise<readonly RunSummary[]>;
}

/** Result of a poll. */
export interface SensorPollResult {
  /** Oldest first; at most 10,000. */
  readonly events: readonly SensorEvent[];
  /** Where to go on: JSON of at most 5,000,000 characters. Kept in one transaction with the triggers of the events. */
  readonly cursor: unknown;
  /** There is more to be found at once. Default false. */
  readonly hasMore?: boolean;
}

/**
 * The port that polls the outside and raises triggers. One node polls it at a time. What it found is accepted, and its cursor moved, in one transaction: nothing is
 * found twice, nothing is lost; a look that fails or is cut off is as if it had not been. Lengths in ms.
 */
export interface Sensor {
  readonly kind: "poll";
  /** Unique within its pipeline: its cursor is kept under both. */
  readonly name: string;
  readonly everyMs: number;
  /** Time a look may take. */
  readonly timeoutMs: number;
  /** The part of `everyMs` by which looks are spread at random, 0 to 1. */
  readonly jitter: number;
  /** The longest wait after looks that failed; each failure doubles it. */
  readonly maxBackoffMs: number;
  /** Silence for longer than this is reported as `sensor.overdue`; `null`: never. */
  readonly expectWithinMs: number | null;
  poll(look: SensorPollContext): Promise<SensorPollResult>;
}

/** Nothing is polled: the HTTP API takes webhooks for the pipeline from these sources only. */
export interface WebhookSource {
  readonly kind: "webhook";
  readonly name: string;
  readonly sources: readonly string[];
}

/** Any sensor of a pipeline. */
export type AnySensor = Sensor | WebhookSource;

/** Timing of a sensor. */
export interface SensorTiming {
  /** Default `"1m"`. */
  every?: Duration;
  /** Time a look may take. Default `"30s"`. */
  timeout?: Duration;
  /** The part of `every` by which looks are spread at random, 0 to 1. Default 0.1. */
  jitter?: number;
  /** The longest wait after looks that failed; each failure doubles it, from `every` on. Default `"15m"`. */
  maxBackoff?: Duration;
  /** Silence for longer than this is reported by the event `sensor.overdue`. Default: never. */
  expectWithin?: Duration | null;
}

export const SENSOR_TIMING: OptionNames<SensorTiming> = { every: true, timeout: true, jitter: true, maxBackoff: true, expectWithin: true };

/** When something that is true or false raises a trigger: each time it becomes true, or as long as it is, one run after the other. */
export type SensorMode = "edge" | "level";

/**
 * Creates a custom sensor: a function that polls, and returns what it found and where to continue. It may return `true` or `false` instead: then `mode` says when that
 * raises a trigger.
 *
 * @param name - 1 to 100 characters, unique within its pipeline: it identifies the sensor's cursor
 * @throws HeadgateError `INVALID_ARGUMENT`, `INVALID_DURATION`
 * @example
 * const orders = sensor("new orders", async ({ cursor, signal }) => {
 *   const response = await fetch(`https://shop.example/orders?after=${cursor ?? 0}`, { signal });
 *   const found = (await response.json()) as { id: number }[];
 *   return { events: found.map((order) => ({ key: String(order.id), parameters: { order } })), cursor: found.at(-1)?.id ?? cursor };
 * }, { every: "5m" });
 */
export function sensor(
  name: string,
  poll: (look: SensorPollContext) => SensorPollResult | boolean | Promise<SensorPollResult | boolean>,
  options: SensorTiming & { mode?: SensorMode } = {},
): Sensor {
  checkOptions(options, { ...SENSOR_TIMING, mode: true }, "sensor", refuseOf(name));
  const mode = options.mode ?? "edge";
  if (mode !== "edge" && mode !== "level") throw bad(name, "mode", `${quote(mode)} is unknown; allowed: edge, level`);
  if (typeof poll !== "function") throw bad(name, "poll", "must be a function");
  return {
    ...timingOf(name, options),
    poll: async (look) => {
      const answer = await poll(look);
      return typeof answer === "boolean" ? truthOf(mode, answer, look.cursor, { reason: `${name}: it is true` }) : answer;
    },
  };
}

/** Returns the result of a truth value: an event when it becomes true (`edge`), or while it is, whenever nothing waits or runs (`level`). The cursor is the last truth. */
export function truthOf(mode: SensorMode, isTrue: boolean, cursor: unknown, event: SensorEvent): SensorPollResult {
  const isRaised = isTrue && (mode === "level" || cursor !== true);
  return { events: isRaised ? [mode === "level" ? { ...event, onlyIfIdle: true } : event] : [], cursor: isTrue };
}

/** A sensor's name and timing, checked. */
export function timingOf(name: string, options: SensorTiming): Omit<Sensor, "poll"> {
  if (typeof name !== "string" || name.length === 0 || name.length > 100)
    throw bad(String(name), "name", "must have 1 to 100 characters; it identifies the sensor's cursor");
  const ms = (option: "every" | "timeout" | "maxBackoff", fallback: Duration) =>
    durationMs(options[option] ?? fallback, `sensor ${name}: ${option}`);
  const everyMs = ms("every", "1m");
  if (everyMs < 100) throw bad(name, "every", "must be at least 100 ms");
  const jitter = options.jitter ?? 0.1;
  if (!(jitter >= 0 && jitter <= 1)) throw bad(name, "jitter", `${jitter} must be from 0 to 1`);
  const expectWithin = options.expectWithin ?? null;
  return {
    kind: "poll",
    name,
    everyMs,
    timeoutMs: ms("timeout", "30s"),
    jitter,
    maxBackoffMs: ms("maxBackoff", "15m"),
    expectWithinMs: expectWithin === null ? null : durationMs(expectWithin, `sensor ${name}: expectWithin`),
  };
}

/**
 * Restricts a pipeline to webhooks of these sources: `createTriggerApi` enforces it.
 *
 * @throws HeadgateError `INVALID_ARGUMENT`
 * @example
 * pipeline({ id: "import", sensors: [webhookSensor({ sources: ["data_provider"] })], run: () => {} });
 */
export function webhookSensor(options: { sources: readonly string[] }): WebhookSource {
  checkOptions(options, { sources: true }, "webhookSensor");
  const { sources } = options;
  if (!Array.isArray(sources) || sources.length === 0 || sources.some((one) => typeof one !== "string" || one === ""))
    throw bad("webhook", "sources", "must be an array of at least one name");
  return { kind: "webhook", name: "webhook", sources: [...sources] };
}

function refuseOf(name: string): RefuseOption {
  return (option, problem) => bad(String(name), option ?? "options", problem);
}

function bad(name: string, option: string, problem: string): HeadgateError {
  return new HeadgateError("INVALID_ARGUMENT", `sensor ${quote(name)}: ${option}: ${problem}`, { details: { sensor: name, option } });
}
