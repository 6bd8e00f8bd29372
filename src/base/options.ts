import { HeadgateError } from "./errors.js";
import { nearestName } from "./near-match.js";
import { shown } from "./shown.js";

/** Every option of `T` by name. The compiler refuses a list that lacks one, or that has one too many. */
export type OptionNames<T> = Readonly<Record<T extends unknown ? keyof T : never, true>>;

/** Makes the error of an option; the option's name is `null` when the object itself is wrong. */
export type RefuseOption = (name: string | null, problem: string) => HeadgateError;

/**
 * Refuses what is no object of options, and options that do not exist: what a caller writes is either understood or refused.
 *
 * @param options - what the caller passed; `undefined` is for the caller of this to refuse, if options are needed
 * @param where - name of the function, for the message
 * @param refuse - makes the error; default `INVALID_ARGUMENT`
 * @throws HeadgateError
 */
export function checkOptions<T>(
  options: T,
  names: OptionNames<NoInfer<T>>,
  where: string,
  refuse: RefuseOption = invalidArgument(where),
): void {
  if (!isOptionsObject(options)) throw refuse(null, `must be an object of options (got ${shown(options)})`);
  for (const name of Object.keys(options)) if (!Object.hasOwn(names, name)) throw refuse(name, unknownOption(name, Object.keys(names)));
}

/** Returns the problem of an option that does not exist: what may have been meant, and what is allowed. */
export function unknownOption(name: string, allowed: readonly string[]): string {
  const meant = nearestName(name, allowed);
  const list = allowed.length === 0 ? "there are none" : `allowed: ${allowed.join(", ")}`;
  return meant === null ? `unknown option; ${list}` : `unknown option; did you mean ${JSON.stringify(meant)}? (${list})`;
}

/** Returns what makes `INVALID_ARGUMENT` errors that name a function and its option. */
export function invalidArgument(where: string): RefuseOption {
  return (name, problem) =>
    new HeadgateError("INVALID_ARGUMENT", name === null ? `${where}: ${problem}` : `${where}: ${name}: ${problem}`, {
      details: name === null ? {} : { option: name },
    });
}

/** True for objects that can hold options: no arrays, dates, maps, promises or functions. */
export function isOptionsObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && Object.prototype.toString.call(value) === "[object Object]";
}

/**
 * Refuses a value that is not one of those allowed.
 *
 * @throws HeadgateError
 */
export function checkOneOf<T>(value: unknown, allowed: readonly T[], name: string, refuse: RefuseOption): asserts value is T {
  if (!allowed.some((one) => one === value)) throw refuse(name, `${shown(value)} is unknown; allowed: ${allowed.join(", ")}`);
}

/** Bounds of an integer, both inclusive. */
export interface IntegerBounds {
  readonly least: number;
  /** Default: none. */
  readonly most?: number;
}

/**
 * Refuses a value that is no integer within bounds.
 *
 * @param name - name of the option, for the message
 * @throws HeadgateError
 */
export function checkInteger(value: unknown, bounds: IntegerBounds, name: string, refuse: RefuseOption): asserts value is number {
  if (!isInteger(value, bounds)) throw refuse(name, `${integerBetween(bounds)} (got ${shown(value)})`);
}

export function isInteger(value: unknown, { least, most = Number.POSITIVE_INFINITY }: IntegerBounds): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= least && value <= most;
}

/** Says what an integer within bounds must be, for messages. */
export function integerBetween({ least, most }: IntegerBounds): string {
  return most === undefined ? `must be an integer ≥ ${least}` : `must be an integer from ${least} to ${most.toLocaleString("en-US")}`;
}
