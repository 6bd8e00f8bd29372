import { HeadgateError, isError } from "./errors.js";

/** Stored and logged facts of an error: small, and JSON. */
export interface ErrorFacts {
  /** At most 2,000 characters. */
  readonly message: string;
  /** The error's `code`, or its name; `null` for a plain `Error`. */
  readonly code: string | null;
  /**
   * Where it was thrown, as JavaScript shows it, cut to 3,000 characters. Absent when there is no such place: a timeout, a cancelled run, a command that failed, a value that is not an error. Also absent in
   * records of 0.1.0.
   */
  readonly stack?: string;
  /** The causing error: its `cause`, else the first of the `errors` of an `AggregateError`. At most 4 errors deep. */
  readonly cause?: ErrorFacts;
}

const MAX_MESSAGE = 2_000;
const MAX_STACK = 3_000;
/** Characters of the first lines of a stack, which repeat the message. */
const MAX_HEAD = 300;
/** Errors of one chain. */
const MAX_DEPTH = 5;
/** Characters of a chain beyond its first message. */
const MAX_CHAIN = 5_000;
const FRAME = "\n    at ";
/** Where headgate calls the function of a pipeline: what follows it in a stack is headgate's own. */
const CALLER = /\n {4}at (?:async )?ActiveAttempt\.call \(/;

/** Lines of Node's own, which also differ with how often the event loop has turned. */
const INTERNAL = /\n {4}at [^\n]*\bnode:internal\/[^\n]*/g;

/** Errors of headgate about something that has no line of code: their stack would show headgate's own. */
const WITHOUT_PLACE =
  /^(?:RUN_\w+|COMMAND_FAILED|REMOTE_RUN_FAILED|EXECUTOR_UNAVAILABLE|CONDITION_TIMED_OUT|PROBE_\w+|SENSOR_\w+|CHANNEL_\w+|ADDRESS_REFUSED)$/;

/** Returns what is kept of whatever was thrown: message, code, stack and causes, each cut to its length. Never throws. */
export function errorFacts(thrown: unknown): ErrorFacts {
  return facts(thrown, 1, { left: MAX_CHAIN });
}

/**
 * Returns an error with the message, code, stack and causes of facts, to be thrown or logged.
 *
 * @param error - gets them; default a new `Error`, by the name that the stack begins with
 */
export function errorOfFacts({ message, code, stack, cause }: ErrorFacts, error: Error = named(message, stack)): Error {
  define(error, "stack", stack ?? `${error.name}: ${message}`);
  if (cause !== undefined) define(error, "cause", errorOfFacts(cause));
  return code === null || code === error.name ? error : Object.assign(error, { code });
}

function named(message: string, stack: string | undefined): Error {
  const error = new Error(message);
  const name = /^[A-Za-z_$][\w$]*(?=:|\n)/.exec(stack ?? "")?.[0];
  if (name !== undefined && name !== "Error") define(error, "name", name);
  return error;
}

/** As the constructor of errors does it: not among what is enumerated. */
function define(error: Error, name: "name" | "stack" | "cause", value: unknown): void {
  Object.defineProperty(error, name, { value, writable: true, configurable: true });
}

/** Returns facts with each text changed by a function, such as one that takes secrets out. */
export function mapFacts({ message, code, stack, cause }: ErrorFacts, change: (text: string, cut: "end") => string): ErrorFacts {
  return {
    message: change(message, "end"),
    code,
    ...(stack === undefined ? {} : { stack: change(stack, "end") }),
    ...(cause === undefined ? {} : { cause: mapFacts(cause, change) }),
  };
}

/** Returns facts as JSON for a log line: without what is empty. */
export function loggedFacts({ code, cause, ...rest }: ErrorFacts): object {
  return { ...rest, ...(code === null ? {} : { code }), ...(cause === undefined ? {} : { cause: loggedFacts(cause) }) };
}

/** Returns the stack of an error and of its causes as text, a line each; the message where there is no stack. */
export function stackText({ message, stack, cause }: ErrorFacts): string {
  return `${stack ?? message}${cause === undefined ? "" : `\ncaused by ${stackText(cause)}`}`;
}

/** @param budget - characters that are left to the chain */
function facts(thrown: unknown, depth: number, budget: { left: number }): ErrorFacts {
  const message = messageOf(thrown).slice(0, depth === 1 ? MAX_MESSAGE : Math.min(MAX_MESSAGE, Math.max(100, budget.left)));
  if (depth > 1) budget.left -= message.length;
  const code = codeOf(thrown);
  const stack = stackOf(thrown, Math.min(MAX_STACK, budget.left));
  budget.left -= stack?.length ?? 0;
  const cause = depth < MAX_DEPTH && budget.left > 0 ? causeOf(thrown) : undefined;
  return {
    message,
    code,
    ...(stack === null ? {} : { stack }),
    ...(cause === undefined || cause === null ? {} : { cause: facts(cause, depth + 1, budget) }),
  };
}

/** Its properties may be getters that throw. */
function property(thrown: unknown, name: "message" | "name" | "code" | "stack" | "cause" | "errors"): unknown {
  try {
    return (thrown as Record<string, unknown>)[name];
  } catch {
    return undefined;
  }
}

function messageOf(thrown: unknown): string {
  if (typeof thrown === "string") return thrown;
  if (!isError(thrown)) return described(thrown);
  const message = property(thrown, "message");
  if (typeof message === "string" && message !== "") return message;
  const name = property(thrown, "name");
  return typeof name === "string" ? name : "Error";
}

function described(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return Object.prototype.toString.call(value);
  }
}

function codeOf(thrown: unknown): string | null {
  if (thrown instanceof HeadgateError) return thrown.code;
  if (!isError(thrown)) return null;
  const [code, name] = [property(thrown, "code"), property(thrown, "name")];
  if (typeof code === "string") return code.slice(0, 100);
  return typeof name === "string" && name !== "Error" ? name : null;
}

function stackOf(thrown: unknown, limit: number): string | null {
  if (!isError(thrown) || (thrown instanceof HeadgateError && WITHOUT_PLACE.test(thrown.code))) return null;
  const stack = property(thrown, "stack");
  if (typeof stack !== "string") return null;
  const start = stack.indexOf(FRAME);
  if (start === -1) return null;
  const head = start <= MAX_HEAD ? stack.slice(0, start) : `${stack.slice(0, MAX_HEAD)}…`;
  const called = stack.search(CALLER);
  const frames = stack.slice(start, called > start ? called : undefined).replaceAll(INTERNAL, "");
  if (frames === "") return null;
  const text = head + frames;
  if (text.length <= limit) return text;
  const end = text.lastIndexOf(FRAME, limit); // whole lines
  return end > head.length ? text.slice(0, end) : null;
}

function causeOf(thrown: unknown): unknown {
  if (!isError(thrown)) return undefined;
  const [cause, errors] = [property(thrown, "cause"), property(thrown, "errors")];
  return cause ?? (Array.isArray(errors) ? errors[0] : undefined);
}
