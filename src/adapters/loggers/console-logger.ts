import { checkOneOf, checkOptions, invalidArgument } from "../../base/options.js";
import type { Logger, LogLevel } from "../../ports/logger.js";

const LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/**
 * Logs to the console, a line each: level, message, fields as JSON. The default logger is this with `level: "warn"`.
 *
 * @example
 * createScheduler({ pipelines, logger: consoleLogger({ level: "info" }) });
 */
export function consoleLogger(options: { level?: LogLevel } = {}): Logger {
  checkOptions(options, { level: true }, "consoleLogger");
  if (options.level !== undefined) checkOneOf(options.level, LEVELS, "level", invalidArgument("consoleLogger"));
  const least = LEVELS.indexOf(options.level ?? "warn");
  return {
    log: (level, message, fields) => {
      if (LEVELS.indexOf(level) < least) return;
      const extra = Object.keys(fields).length === 0 ? "" : ` ${json(fields)}`;
      console[level](`[headgate] ${level}: ${message}${extra}`);
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
