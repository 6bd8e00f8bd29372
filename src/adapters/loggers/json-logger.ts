import { checkOneOf, checkOptions, invalidArgument } from "../../base/options.js";
import type { Clock } from "../../ports/clock.js";
import type { Logger, LogLevel } from "../../ports/logger.js";
import { LEVELS, loggedValue } from "./log-line.js";

/** Options of {@link jsonLogger}. */
export interface JsonLoggerOptions {
  /** Default `"info"`. */
  level?: LogLevel;
  /** Where lines go. Default: standard output. */
  write?: (line: string) => void;
  /** Clock of the time in a line: `systemClock()`, or that of the scheduler. */
  clock: Pick<Clock, "now">;
}

/**
 * Logs a JSON object a line: `time`, `level`, `message`, and the fields. Errors are objects with `message`, `code`, `stack` and `cause`.
 *
 * @example
 * createScheduler({ pipelines, logger: jsonLogger({ clock: systemClock(), level: "debug" }) });
 */
export function jsonLogger(options: JsonLoggerOptions): Logger {
  checkOptions(options, { level: true, write: true, clock: true }, "jsonLogger");
  const { level = "info", write = (line: string) => process.stdout.write(`${line}\n`), clock } = options;
  checkOneOf(level, LEVELS, "level", invalidArgument("jsonLogger"));
  if (typeof clock?.now !== "function") throw invalidArgument("jsonLogger")("clock", "must be a clock such as systemClock()");
  const least = LEVELS.indexOf(level);
  return {
    log: (one, message, fields) => {
      if (LEVELS.indexOf(one) < least) return;
      const head = { time: new Date(clock.now()).toISOString(), level: one, message };
      write(lineOf({ ...fields, ...head }, head));
    },
  };
}

function lineOf(record: object, head: object): string {
  try {
    return JSON.stringify({ ...head, ...record }, loggedValue);
  } catch {
    return JSON.stringify({ ...head, fields: "cannot be written as JSON" });
  }
}
