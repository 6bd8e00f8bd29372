import { type ErrorFacts, errorFacts, stackText } from "../../base/error-facts.js";
import { isError } from "../../base/errors.js";
import { checkOneOf, checkOptions, invalidArgument } from "../../base/options.js";
import type { Clock } from "../../ports/clock.js";
import type { Logger, LogLevel } from "../../ports/logger.js";
import { LEVELS, loggedValue } from "./log-line.js";

/** Options of {@link consoleLogger}. */
export interface ConsoleLoggerOptions {
  /** The least important level that is shown. Default `"info"`. */
  level?: LogLevel;
  /** Where lines go, all of them. Default: `console.error`, which is standard error, so that the order of events can be seen in one stream. */
  write?: (line: string) => void;
  /** The time of lines. Default: that of this machine. */
  clock?: Pick<Clock, "now">;
}

/**
 * Logs to the console, a line each: time, level, message, fields as JSON. Below it stand the stacks of errors among the fields, with their causes. The default logger of schedulers and of BullMQ workers.
 *
 * @throws HeadgateError `INVALID_ARGUMENT` for a level that does not exist
 * @example
 * createScheduler({ pipelines, logger: consoleLogger({ level: "warn" }) });
 */
export function consoleLogger(options: ConsoleLoggerOptions = {}): Logger {
  checkOptions(options, { level: true, write: true, clock: true }, "consoleLogger");
  const { write = (line) => console.error(line), clock = Date } = options; // like `systemClock()`
  if (options.level !== undefined) checkOneOf(options.level, LEVELS, "level", invalidArgument("consoleLogger"));
  const least = LEVELS.indexOf(options.level ?? "info");
  return {
    log: (level, message, fields) => {
      if (LEVELS.indexOf(level) < least) return;
      const others = Object.entries(fields).filter(([, value]) => !isError(value));
      const extra = others.length === 0 ? "" : ` ${json(Object.fromEntries(others))}`;
      const stacks = Object.values(fields).map((value) => (isError(value) ? below(errorFacts(value), message) : ""));
      write(`${new Date(clock.now()).toISOString()} [headgate] ${level}: ${message}${extra}${stacks.join("")}`);
    },
  };
}

/** The stack of an error as lines to follow; nothing for an error that the message says all of. */
function below(facts: ErrorFacts, message: string): string {
  if (facts.stack === undefined && facts.cause === undefined && message.includes(facts.message)) return "";
  return `\n${stackText(facts)}`.replaceAll("\n", "\n  ");
}

function json(fields: Readonly<Record<string, unknown>>): string {
  try {
    return JSON.stringify(fields, loggedValue);
  } catch {
    return "(fields that are not JSON)";
  }
}
