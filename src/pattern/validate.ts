import { type Duration, durationMs } from "../base/duration.js";
import { cron } from "../schedule/cron.js";
import type { PatternOptions } from "./pattern.js";

/** What is wrong with a pattern (`errors`: it cannot be used) and what looks like a mistake (`warnings`). */
export interface PatternProblems {
  readonly isValid: boolean;
  readonly errors: string[];
  readonly warnings: string[];
}

const MINUTE_MS = 60_000;
const WEEK_MS = 7 * 24 * 60 * MINUTE_MS;
const MANY_RETRIES = 10;

/**
 * Checks what a pattern is made of. Never throws; takes anything.
 *
 * @example
 * validatePattern({ description: "Too often", interval: "10s" }).warnings; // ["interval 10s is under 1 minute"]
 */
export function validatePattern(options: Partial<PatternOptions>): PatternProblems {
  const errors: string[] = [];
  const warnings: string[] = [];
  const { cron: expression, interval, execution = {} } = options;
  const said = [expression, interval, options.schedule].filter((one) => one !== undefined).length;
  if (said === 0 && !options.sensor && !options.tuner) {
    errors.push("a schedule is required: give cron, interval, schedule, sensor or tuner");
  }
  if (said > 1) errors.push("give only one of cron, interval and schedule");
  if (typeof options.description !== "string" || options.description.trim() === "") errors.push("a description is required");
  if (expression !== undefined) {
    attempt(errors, () => cron(expression, options.timeZone === undefined ? {} : { timeZone: options.timeZone }));
  }
  if (execution.retries !== undefined && execution.retries < 0) errors.push("retries must not be negative");
  const lengthOf = (value: Duration | null | undefined, name: string) =>
    value === undefined || value === null ? null : attempt(errors, () => durationMs(value, name));
  const intervalMs = lengthOf(interval, "interval");
  const timeoutMs = lengthOf(execution.timeout, "timeout");
  const retryDelayMs = lengthOf(execution.retryDelay, "retryDelay");
  lengthOf(options.sla, "sla");
  if (intervalMs === 0) errors.push("interval must be longer than 0");
  else if (intervalMs !== null && intervalMs < MINUTE_MS) warnings.push(`interval ${interval} is under 1 minute`);
  if (intervalMs !== null && intervalMs > WEEK_MS) warnings.push(`interval ${interval} is over 1 week`);
  if (timeoutMs !== null && retryDelayMs !== null && timeoutMs < retryDelayMs) {
    warnings.push(`timeout ${execution.timeout} is shorter than the retry delay ${execution.retryDelay}`);
  }
  if (execution.retries !== undefined && execution.retries > MANY_RETRIES) {
    warnings.push(`${execution.retries} retries are more than ${MANY_RETRIES}`);
  }
  return { isValid: errors.length === 0, errors, warnings };
}

function attempt<T>(errors: string[], work: () => T): T | null {
  try {
    return work();
  } catch (error) {
    errors.push(error instanceof Error ? error.message : String(error));
    return null;
  }
}
