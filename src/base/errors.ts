/** The stable codes of {@link HeadgateError}; new ones may be added, none change their meaning. */
export type ErrorCode =
  | "INVALID_ARGUMENT"
  | "INVALID_CONFIG"
  | "INVALID_CRON"
  | "INVALID_DURATION"
  | "INVALID_INSTANT"
  | "INVALID_TIME_ZONE"
  | "INVALID_PATTERN"
  | "INVALID_PIPELINE"
  | "INVALID_PARAMETERS"
  | "DUPLICATE_PIPELINE"
  | "UNKNOWN_PATTERN"
  | "UNKNOWN_PIPELINE"
  | "UNKNOWN_POOL"
  | "NOT_FOUND"
  | "NOT_FINISHED"
  | "NOT_RETRYING"
  | "NOT_SETTLED"
  | "NODE_ACTIVE"
  | "PAUSED"
  | "IDEMPOTENCY_CONFLICT"
  | "PRECONDITION_FAILED"
  | "ALREADY_FINISHED"
  | "TOO_MANY"
  | "QUEUE_FULL"
  | "SCHEDULER_STOPPED"
  | "NO_SCHEDULER"
  | "CONDITION_TIMED_OUT"
  | "EXECUTOR_UNAVAILABLE"
  | "REMOTE_RUN_FAILED"
  | "COMMAND_FAILED"
  | "CHANNEL_FAILED"
  | "CHANNEL_TIMED_OUT"
  | "PROBE_FAILED"
  | "PROBE_TIMED_OUT"
  | "SENSOR_FAILED"
  | "SENSOR_TIMED_OUT"
  | "SENSOR_STOPPED"
  | "ADDRESS_REFUSED"
  | "BAD_TRIGGER_FILE"
  | "UNSAFE_DIRECTORY"
  | "RUN_TIMED_OUT"
  | "RUN_CANCELLED"
  | "RUN_LOST"
  | "RUN_UNRESPONSIVE"
  | "STORE_UNAVAILABLE"
  | "STORE_FULL"
  | "STORE_READ_ONLY"
  | "STORE_REJECTED"
  | "STORE_INCOMPATIBLE"
  | "STORE_CORRUPT"
  | "AUDIT_KEY_UNKNOWN"
  | "AUDIT_CHANGED"
  | "PORT_UNAVAILABLE"
  | "MISSING_PEER";

/**
 * The one error headgate throws. `message` says what is wrong, where, and what to do; `code` is for programs.
 *
 * @example
 * try {
 *   cron("61 * * * *");
 * } catch (error) {
 *   if (error instanceof HeadgateError && error.code === "INVALID_CRON") console.error(error.details);
 * }
 */
export class HeadgateError extends Error {
  override readonly name = "HeadgateError";
  readonly code: ErrorCode;
  /** Facts for programs, by name; never a secret. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, options: { details?: Readonly<Record<string, unknown>>; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
  }
}

/** Throw it from a run to fail at once, whatever attempts are left: the input is bad, not the day. */
export class NonRetryableError extends Error {
  override readonly name = "NonRetryableError";
}

/** Returns true for errors, those of another realm included: Node's own are such in a sandbox of `node:vm`, as Jest's. */
export function isError(thrown: unknown): thrown is Error {
  try {
    return thrown instanceof Error || Object.prototype.toString.call(thrown) === "[object Error]";
  } catch {
    return false; // a revoked proxy
  }
}

/** Returns what was thrown as an error, whatever it is: an object without a prototype has no text, a getter may throw. */
export function errorOf(thrown: unknown): Error {
  try {
    if (isError(thrown)) return typeof thrown.message === "string" ? thrown : new Error(String(thrown.message), { cause: thrown });
    return new Error(String(thrown));
  } catch {
    return new Error("the thrown value has no text");
  }
}

/** Returns the message of what was thrown. */
export function messageOf(thrown: unknown): string {
  return errorOf(thrown).message;
}

/** Shortens foreign text for a message: control characters made visible, at most `limit` characters. */
export function quote(value: unknown, limit = 60): string {
  const text = typeof value === "string" ? value : textOf(value);
  const head = text.length > limit ? `${text.slice(0, limit)}… (${text.length} characters)` : text;
  return JSON.stringify(head);
}

/** Not every value becomes a text: objects without a prototype and revoked proxies do not. */
function textOf(value: unknown): string {
  try {
    return String(value);
  } catch {
    return `(${typeof value})`;
  }
}
