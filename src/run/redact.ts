import { isError } from "../base/errors.js";
import { formsOf, isLikelySecret } from "./secret-forms.js";

/** Where a text was cut, perhaps within a secret. */
type Cut = "start" | "end";

/** Takes secrets out of text that is kept or shown. With `cut`, also the part of a secret that is left there. */
export type Redact = (text: string, cut?: Cut) => string;

/** Stands in place of a secret. */
export const HIDDEN = "[redacted]";

/** Names of query parameters that are secrets, whatever they are. */
const QUERY =
  /([?&;](?:[\w.-]{0,40}(?:token|secret|passw(?:or)?d|api[_-]?key|access[_-]?key|signature|credentials?)|key|sig|auth|pwd)=)[^\s&;#"'<>\\]+/gi;
/**
 * Passwords and tokens in addresses, and credentials as HTTP has them.
 *
 * @see https://www.rfc-editor.org/rfc/rfc3986#section-3.2.1
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-11.6.2
 */
const USUAL: readonly (readonly [RegExp, string])[] = [
  [/(\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@"']*):[^\s/@"']+@/gi, `$1:${HIDDEN}@`],
  [/(\b[a-z][a-z0-9+.-]*:\/\/)[^\s/:@"'?#]{16,}@/gi, `$1${HIDDEN}@`],
  [/\b(Bearer|Basic)\s+[\w.~+/=-]{8,}/gi, `$1 ${HIDDEN}`],
  [QUERY, `$1${HIDDEN}`],
];
/** Shorter ones would be found everywhere. */
const SHORTEST = 4;
const DEEPEST = 64;
/** Causes of an error that are kept. */
const CAUSES = 5;

/** Hides what is given, word for word and encoded (JSON, base64, percent-encoding), and what looks like credentials. */
export function redactor(secrets: readonly string[]): Redact {
  const words = formsOf(secrets.filter((one) => one.length >= SHORTEST)).toSorted((a, b) => b.length - a.length);
  return (text, cut) => {
    let clean = cut === undefined ? text : withoutPart(text, words, cut);
    for (const word of words) if (clean.includes(word)) clean = clean.replaceAll(word, HIDDEN);
    for (const [pattern, by] of USUAL) clean = clean.replace(pattern, by);
    return clean;
  };
}

/** Hides the longest part of a word that a cut has left. */
function withoutPart(text: string, words: readonly string[], cut: Cut): string {
  let longest = 0;
  for (const word of words) {
    for (let length = Math.min(word.length - 1, text.length); length > longest && length >= SHORTEST; length--) {
      const isLeft = cut === "start" ? text.startsWith(word.slice(-length)) : text.endsWith(word.slice(0, length));
      if (isLeft) longest = length;
    }
  }
  if (longest === 0) return text;
  return cut === "start" ? HIDDEN + text.slice(longest) : text.slice(0, -longest) + HIDDEN;
}

/** Objects and lists within one value that are looked at; what comes after them is hidden. */
const MOST_PARTS = 10_000;

/** Returns a value of JSON, or fields for a log, without secrets in its texts, numbers and names; the same object when there are none. */
export function redactJson(value: unknown, redact: Redact, most = MOST_PARTS): unknown {
  let count = 0;
  const clean = (one: unknown, depth: number): unknown => {
    if (typeof one === "string") return redact(one);
    if (typeof one === "number" || typeof one === "bigint") return redact(String(one)) === HIDDEN ? HIDDEN : one;
    if (typeof one !== "object" || one === null || one instanceof Date) return one;
    if (depth > DEEPEST || ++count > most) return HIDDEN;
    if (isError(one)) return redactError(one, redact, depth);
    if ("toJSON" in one && typeof one.toJSON === "function") return clean(one.toJSON(), depth + 1);
    if (Array.isArray(one)) {
      const items = one.map((item) => clean(item, depth + 1));
      return items.every((item, index) => item === one[index]) ? one : items;
    }
    const entries = Object.entries(one);
    const cleaned = entries.map(([name, item]) => [redact(name), clean(item, depth + 1)] as const);
    return cleaned.every(([name, item], index) => name === entries[index]?.[0] && item === entries[index]?.[1])
      ? one
      : Object.fromEntries(cleaned);
  };
  return clean(value, 0);
}

/** Returns an error without secrets in its message, stack, other texts and causes; the same one when there are none. */
export function redactError(error: Error, redact: Redact, depth = 0): Error {
  const { cause } = error;
  const hidden: Record<string, unknown> = { message: redact(error.message, "end") };
  if (error.stack !== undefined) hidden.stack = redact(error.stack);
  if (isError(cause)) hidden.cause = depth < CAUSES ? redactError(cause, redact, depth + 1) : undefined;
  else if (cause !== undefined) hidden.cause = redactJson(cause, redact);
  if ("errors" in error) hidden.errors = redactErrors(error.errors, redact, depth);
  const own = Object.fromEntries(Object.entries(error).filter(([name]) => !(name in hidden)));
  const others = redactJson(own, redact) as Record<string, unknown>;
  if (others === own && Object.entries(hidden).every(([name, one]) => one === error[name as "message"])) return error;
  const isForeign = !((error as unknown) instanceof Error);
  if (isForeign) hidden.name = error.name;
  const clean = Object.create(isForeign ? Error.prototype : Object.getPrototypeOf(error)) as Error;
  for (const [name, value] of Object.entries(hidden)) Object.defineProperty(clean, name, { value, writable: true, configurable: true });
  return Object.assign(clean, others);
}

/** Those of an `AggregateError`, which are not among its enumerable properties; the same list when there are no secrets in it. */
function redactErrors(errors: unknown, redact: Redact, depth: number): unknown {
  if (!Array.isArray(errors)) return redactJson(errors, redact);
  const clean =
    depth < CAUSES
      ? errors.slice(0, CAUSES).map((one) => (isError(one) ? redactError(one, redact, depth + 1) : redactJson(one, redact)))
      : [];
  return clean.length === errors.length && clean.every((one, index) => one === errors[index]) ? errors : clean;
}

/** The secrets of one scheduler: those that it was given, and those that its executors hold. */
export class Secrets {
  #given: readonly string[];
  #except: ReadonlySet<string>;
  readonly #held = new Set<string>();
  #redact: Redact | null = null;

  /**
   * @param given - hidden whatever they are, if they have 4 characters
   * @param except - values that are not hidden when they are merely held
   */
  constructor(given: readonly string[] = [], except: readonly string[] = []) {
    this.#given = given;
    this.#except = new Set(except);
  }

  /** Replaces those that were given. Held ones stay: runs that hold them may still be running. */
  replace(given: readonly string[], except: readonly string[] = []): void {
    this.#given = given;
    this.#except = new Set(except);
    this.#redact = null;
  }

  /** Adds values that something holds, such as an executor. */
  hold(values: Iterable<string>): void {
    for (const one of values) this.#held.add(one);
    this.#redact = null;
  }

  readonly redact: Redact = (text, cut) => {
    this.#redact ??= redactor([...this.#given, ...[...this.#held].filter((one) => isLikelySecret(one, this.#except))]);
    return this.#redact(text, cut);
  };
}
