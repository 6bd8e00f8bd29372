import type { Logger } from "../../ports/logger.js";
import { type Redact, redactJson } from "../../run/redact.js";

/** Objects in the fields of one line: fields may be anything, and refer to themselves. */
const MOST_PARTS = 500;

/** Returns a logger that gets messages and fields without secrets. */
export function redactingLogger(logger: Logger, redact: Redact): Logger {
  return {
    log: (level, message, fields) =>
      logger.log(
        level,
        redact(message),
        fields === undefined ? fields : (redactJson(fields, redact, MOST_PARTS) as Readonly<Record<string, unknown>>),
      ),
  };
}
