import { HeadgateError } from "../../base/errors.js";
import { shown } from "../../base/shown.js";
import type { Logger } from "../../ports/logger.js";

/** The part of a pino logger that is used. */
export interface PinoLike {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/**
 * Logs through `pino`: messages with the ids of pipeline, trigger and run as fields, errors as `err`, where pino's own serializer takes them.
 *
 * @example
 * createScheduler({ pipelines, logger: pinoLogger(pino({ name: "pipelines" })) });
 */
export function pinoLogger(pino: PinoLike): Logger {
  if (typeof pino?.info !== "function" || typeof pino.error !== "function")
    throw new HeadgateError("INVALID_ARGUMENT", `pinoLogger: must be a logger of pino, as in pinoLogger(pino()) (got ${shown(pino)})`);
  return {
    log: (level, message, fields) => {
      const { error, ...rest } = fields;
      pino[level](error === undefined ? rest : { ...rest, err: error }, message);
    },
  };
}
