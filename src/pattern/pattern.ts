import { durationMs } from "../base/duration.js";
import { HeadgateError } from "../base/errors.js";
import { shown } from "../base/shown.js";
import type { Condition } from "../gate/condition.js";
import { businessDay } from "../gate/conditions/time.js";
import type { AlertReason } from "../monitor/alert.js";
import type { ExecutionOptions } from "../run/policy.js";
import { cron } from "../schedule/cron.js";
import type { Schedule } from "../schedule/schedule.js";
import { every, manual } from "../schedule/simple.js";
import type { PatternOptions } from "./pattern-options.js";
import type { SensorOptions } from "./sensor-options.js";
import { adaptiveBy, type TunerOptions } from "./tuner-options.js";
import { examined } from "./validate.js";

export type PatternGroup = "standard" | "event_driven" | "business" | "adaptive" | "custom";

/** A named preset: schedule, execution policy and alert defaults. */
export interface Pattern {
  readonly name: string;
  readonly group: PatternGroup;
  readonly options: PatternOptions;
  readonly description: string;
  readonly schedule: Schedule;
  readonly conditions: readonly Condition[];
  readonly execution: ExecutionOptions;
  readonly slaMs: number | null;
  readonly tags: readonly string[];
  readonly alertOn: readonly AlertReason[];
  readonly sensor: SensorOptions | null;
  readonly tuner: TunerOptions | null;
  readonly context: Readonly<Record<string, unknown>>;
}

/** Defaults of a pattern. */
const DEFAULTS = {
  execution: { maxActiveRuns: 1, catchup: "latest", retries: 3, retryDelay: "5m", timeout: "2h" },
  tags: ["custom"],
  alertOn: ["failure", "sla_miss"],
} as const satisfies Partial<PatternOptions>;

/**
 * Defines a custom pattern, a plain value for `pipeline({ pattern })`.
 *
 * @throws HeadgateError `INVALID_PATTERN` with every error of {@link validatePattern} in its details
 * @example
 * const nightly = definePattern("nightly", { description: "After the shops close", cron: "30 23 * * *", timeZone: "Europe/Paris" });
 */
export function definePattern(name: string, options: PatternOptions): Pattern {
  return patternOf("custom", name, options);
}

export function patternOf(group: PatternGroup, name: string, given: PatternOptions): Pattern {
  const { errors, options } = examined(given);
  if (typeof name !== "string" || !/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name))
    errors.unshift("name must be 1 to 64 letters, digits, dots, dashes or underscores");
  if (errors.length > 0 || options === null) {
    throw new HeadgateError("INVALID_PATTERN", `pattern ${shown(name)}: ${errors.join("; ")}`, { details: { name, errors } });
  }
  const sla = options.sla ?? null;
  return Object.freeze({
    name,
    group,
    options,
    description: options.description,
    schedule: scheduleOf(options),
    conditions: [...businessDayOf(options), ...(options.conditions ?? [])],
    execution: { ...DEFAULTS.execution, ...options.execution },
    slaMs: sla === null ? null : durationMs(sla, "sla"),
    tags: options.tags ?? DEFAULTS.tags,
    alertOn: options.alertOn ?? DEFAULTS.alertOn,
    sensor: options.sensor ?? null,
    tuner: options.tuner ?? null,
    context: options.context ?? {},
  });
}

function scheduleOf(options: PatternOptions): Schedule {
  if (options.schedule !== undefined) return options.schedule;
  if (options.cron !== undefined) return cron(options.cron, options.timeZone === undefined ? {} : { timeZone: options.timeZone });
  if (options.interval !== undefined) return every(options.interval);
  if (options.tuner) return adaptiveBy(options.tuner);
  return manual();
}

function businessDayOf({ businessDaysOnly, timeZone }: PatternOptions): readonly Condition[] {
  if (businessDaysOnly === undefined || businessDaysOnly === false) return [];
  const zone = timeZone === undefined ? {} : { timeZone };
  return [businessDay({ ...zone, ...(businessDaysOnly === true ? {} : businessDaysOnly) })];
}
