import { errorFacts, loggedFacts } from "../../base/error-facts.js";
import { isError } from "../../base/errors.js";
import type { LogLevel } from "../../ports/logger.js";

/** From the least to the most important. */
export const LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/** Replacer for `JSON.stringify` of a log line: errors with message, code, stack and causes, big integers as text. */
export function loggedValue(this: Readonly<Record<string, unknown>>, name: string, value: unknown): unknown {
  const original = this[name]; // an error may have a toJSON() of its own, without its stack
  if (isError(original)) return loggedFacts(errorFacts(original));
  return typeof value === "bigint" ? String(value) : value;
}
