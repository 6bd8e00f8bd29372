import { type Duration, durationMs } from "../base/duration.js";
import { HeadgateError } from "../base/errors.js";
import { isOptionsObject, type OptionNames, type RefuseOption, unknownOption } from "../base/options.js";
import { shown } from "../base/shown.js";
import { businessDay } from "../gate/conditions/time.js";
import { executionPolicy } from "../run/policy.js";
import type { BusinessDayOptions } from "../schedule/business-days.js";
import { cron } from "../schedule/cron.js";
import { zoneOf } from "../schedule/zone.js";
import type { PatternOptions } from "./pattern-options.js";
import { checkSensorOptions, type SensorOptions } from "./sensor-options.js";
import { SHARED_CHECKS } from "./shared-options.js";
import { adaptiveBy, type TunerOptions } from "./tuner-options.js";

/** Problems of a pattern: `errors`, with which it cannot be used, and `warnings` for likely mistakes. */
export interface PatternProblems {
  readonly isValid: boolean;
  readonly errors: string[];
  readonly warnings: string[];
}

const OPTIONS: OptionNames<PatternOptions> = {
  description: true,
  cron: true,
  timeZone: true,
  interval: true,
  schedule: true,
  businessDaysOnly: true,
  conditions: true,
  execution: true,
  sla: true,
  tags: true,
  alertOn: true,
  sensor: true,
  tuner: true,
  context: true,
};
const MINUTE_MS = 60_000;
const WEEK_MS = 7 * 24 * 60 * MINUTE_MS;
const MANY_RETRIES = 10;

/**
 * Checks what a pattern is made of. Never throws, whatever it is handed; what it finds valid is accepted by `definePattern` and `pipeline`, and what it does not is refused by them with the
 * same text.
 *
 * @example
 * validatePattern({ description: "Too often", interval: "10s" }).warnings; // ["interval 10s is under 1 minute"]
 * validatePattern({ description: "Typo", interval: "1h", execution: { retires: 3 } }).errors; // ['execution.retires: unknown option; did you mean "retries"? …']
 */
export function validatePattern(options: Partial<PatternOptions>): PatternProblems {
  const { errors, warnings } = examined(options);
  return { isValid: errors.length === 0, errors, warnings };
}

/** {@link validatePattern} with the options as they were read, each once; `null` when they cannot be. */
export function examined(given: unknown): { errors: string[]; warnings: string[]; options: PatternOptions | null } {
  const found = new Set<string>();
  const attempt: Attempt = (work) => {
    try {
      return work();
    } catch (error) {
      found.add(messageOf(error));
      return null;
    }
  };
  const read = attempt(() => copyOf(given, "pattern"));
  if (read === null) return { errors: [...found], warnings: [], options: null };
  if (read.execution !== undefined) read.execution = attempt(() => copyOf(read.execution, "execution")) ?? undefined;
  const options = read as Partial<PatternOptions>;
  for (const name of Object.keys(read))
    if (!Object.hasOwn(OPTIONS, name)) found.add(`${name}: ${unknownOption(name, Object.keys(OPTIONS))}`);
  const said = [options.cron, options.interval, options.schedule].filter((one) => one !== undefined).length;
  if (said === 0 && !options.sensor && !options.tuner) found.add("a schedule is required: set cron, interval, schedule, sensor or tuner");
  if (said > 1) found.add("set only one of cron, interval and schedule");
  if (typeof options.description !== "string" || options.description.trim() === "") found.add("a description is required");
  for (const [name, check] of Object.entries(CHECKS)) {
    const value = read[name];
    if (value !== undefined) attempt(() => check(value as never, refuse));
  }
  for (const [name, value] of Object.entries(options.execution ?? {})) attempt(() => executionPolicy({ [name]: value }, "execution"));
  return { errors: [...found], warnings: warningsOf(options, attempt), options: read as unknown as PatternOptions };
}

type Attempt = <T>(work: () => T) => T | null;

/** Checks of single options; that of `description` stands above, where it is required. */
const { description: _, ...SHARED } = SHARED_CHECKS;
const CHECKS: Readonly<Record<string, (value: never, refuse: RefuseOption) => void>> = {
  ...SHARED,
  cron: (value: string) => cron(value),
  timeZone: (value: string) => zoneOf(value),
  interval: (value: Duration) => {
    if (durationMs(value, "interval") === 0) throw refuse("interval", "must be longer than 0");
  },
  businessDaysOnly: (value: boolean | BusinessDayOptions) => {
    if (typeof value !== "boolean") businessDay(value);
  },
  sensor: (value: SensorOptions | null) => {
    if (value !== null) checkSensorOptions(value, refuse);
  },
  tuner: (value: TunerOptions | null) => {
    if (value !== null) adaptiveBy(value);
  },
  context: (value: unknown) => {
    if (!isOptionsObject(value)) throw refuse("context", `must be an object (got ${shown(value)})`);
  },
};

function refuse(name: string | null, problem: string): HeadgateError {
  return new HeadgateError("INVALID_PATTERN", name === null ? problem : `${name}: ${problem}`);
}

/** Reads every property once: getters may throw, and change their minds. */
function copyOf(value: unknown, what: string): Record<string, unknown> {
  if (!isOptionsObject(value)) throw refuse(what === "pattern" ? null : what, `must be an object of options (got ${shown(value)})`);
  return { ...value };
}

function warningsOf({ interval, execution = {} }: Partial<PatternOptions>, attempt: Attempt): string[] {
  const warnings: string[] = [];
  const lengthOf = (value: Duration | undefined, name: string) => (value === undefined ? null : attempt(() => durationMs(value, name)));
  const intervalMs = lengthOf(interval, "interval");
  const timeoutMs = lengthOf(execution.timeout, "execution.timeout");
  const retryDelayMs = lengthOf(execution.retryDelay, "execution.retryDelay");
  if (intervalMs !== null && intervalMs > 0 && intervalMs < MINUTE_MS) warnings.push(`interval ${interval} is under 1 minute`);
  if (intervalMs !== null && intervalMs > WEEK_MS) warnings.push(`interval ${interval} is over 1 week`);
  if (timeoutMs !== null && retryDelayMs !== null && timeoutMs < retryDelayMs)
    warnings.push(`timeout ${execution.timeout} is shorter than the retry delay ${execution.retryDelay}`);
  if (typeof execution.retries === "number" && execution.retries > MANY_RETRIES)
    warnings.push(`${execution.retries} retries are more than ${MANY_RETRIES}`);
  return warnings;
}

/** Returns the message of anything thrown, even of a revoked proxy. */
function messageOf(error: unknown): string {
  try {
    return error instanceof Error ? error.message : `cannot be read (${shown(error)} was thrown)`;
  } catch {
    return "cannot be read";
  }
}
