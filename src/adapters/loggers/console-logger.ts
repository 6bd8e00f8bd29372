import { checkOneOf, checkOptions, invalidArgument } from "../../base/options.js";
import type { Clock } from "../../ports/clock.js";
import type { Logger, LogLevel } from "../../ports/logger.js";

const LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/** Options of {@link consoleLogger}. */
export interface ConsoleLoggerOptions {
  /** Default `"warn"`. */
  level?: LogLevel;
  /** Where lines go, all of them. Default: `console.error`, which is standard error, so that the order of events can be seen in one stream. */
  write?: (line: string) => void;
  /** The time of lines. Default: that of this machine. */
  clock?: Pick<Clock, "now">;
}

/**
 * Logs to the console, a line each: time, level, message, fields as JSON. The default logger is this with `level: "warn"`.
 *
 * @example
 * createScheduler({ pipelines, logger: consoleLogger({ level: "info" }) });
 */
export function consoleLogger(options: ConsoleLoggerOptions = {}): Logger {
  checkOptions(options, { level: true, write: true, clock: true }, "consoleLogger");
  const { write = (line) => console.error(line), clock = Date } = options; // like `systemClock()`
  if (options.level !== undefined) checkOneOf(options.level, LEVELS, "level", invalidArgument("consoleLogger"));
  const least = LEVELS.indexOf(options.level ?? "warn");
  return {
    log: (level, message, fields) => {
      if (LEVELS.indexOf(level) < least) return;
      const extra = Object.keys(fields).length === 0 ? "" : ` ${json(fields)}`;
      write(`${new Date(clock.now()).toISOString()} [headgate] ${level}: ${message}${extra}`);
    },
  };
}

function json(fields: Readonly<Record<string, unknown>>): string {
  try {
    return JSON.stringify(fields, (_, value: unknown) => (value instanceof Error ? { message: value.message } : value));
  } catch {
    return "(fields that are not JSON)";
  }
}
