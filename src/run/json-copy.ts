import { HeadgateError } from "../base/errors.js";
import { HIDDEN, type Redact, redactJson } from "./redact.js";

/**
 * A copy of a value as JSON keeps it, so that nobody can change what is kept; `undefined` becomes `null`.
 *
 * @param redact - takes secrets out of every text in it
 * @throws HeadgateError `INVALID_ARGUMENT` when it is not JSON or longer than `limit` characters
 */
export function jsonCopy(value: unknown, limit: number, where: string, redact: Redact | null = null): unknown {
  return measuredJsonCopy(value, limit, where, redact).copy;
}

/** The same, with the bytes of the JSON in UTF-8; nothing has none. */
export function measuredJsonCopy(
  value: unknown,
  limit: number,
  where: string,
  redact: Redact | null = null,
): { readonly copy: unknown; readonly size: number } {
  if (value === undefined || value === null) return { copy: null, size: 0 };
  if (typeof value === "boolean") return { copy: value, size: String(value).length };
  if (typeof value === "number" && Number.isFinite(value))
    return { copy: redact?.(String(value)) === HIDDEN ? HIDDEN : value, size: String(value).length };
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (cause) {
    throw new HeadgateError("INVALID_ARGUMENT", `${where}: cannot be represented as JSON`, { cause, details: { where } });
  }
  if (text === undefined)
    throw new HeadgateError("INVALID_ARGUMENT", `${where}: a ${typeof value} cannot be represented as JSON`, { details: { where } });
  if (text.length > limit) {
    throw new HeadgateError("INVALID_ARGUMENT", `${where}: ${text.length} characters of JSON are over the limit of ${limit}`, {
      details: { where, limit },
    });
  }
  const size = Buffer.byteLength(text);
  const clean = redact === null ? text : redact(text);
  if (redact !== null && clean !== text)
    return { copy: parsed(clean) ?? redactJson(JSON.parse(text), redact, Number.POSITIVE_INFINITY), size };
  return { copy: typeof value === "string" ? value : JSON.parse(text), size };
}

/** Returns the value of a JSON text after its secrets were removed; `undefined` when it is no longer JSON, because one of them stood there as a number, say. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
