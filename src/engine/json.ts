import { HeadgateError } from "../base/errors.js";
import type { Redact } from "../run/redact.js";

/**
 * A copy of a value as JSON keeps it, so that nobody can change what is kept; `undefined` becomes `null`.
 *
 * @param redact - takes secrets out of every text in it
 * @throws HeadgateError `INVALID_ARGUMENT` when it is not JSON or longer than `limit` characters
 */
export function jsonCopy(value: unknown, limit: number, where: string, redact: Redact | null = null): unknown {
  if (value === undefined || value === null || typeof value === "boolean") return value ?? null;
  if (typeof value === "number" && Number.isFinite(value)) return value;
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (cause) {
    throw new HeadgateError("INVALID_ARGUMENT", `${where}: cannot be kept as JSON`, { cause, details: { where } });
  }
  if (text === undefined)
    throw new HeadgateError("INVALID_ARGUMENT", `${where}: a ${typeof value} cannot be kept as JSON`, { details: { where } });
  if (text.length > limit) {
    throw new HeadgateError("INVALID_ARGUMENT", `${where}: ${text.length} characters of JSON are over the limit of ${limit}`, {
      details: { where, limit },
    });
  }
  if (redact !== null && redact(text) !== text) return JSON.parse(text, (_, one: unknown) => (typeof one === "string" ? redact(one) : one));
  return typeof value === "string" ? value : JSON.parse(text);
}
