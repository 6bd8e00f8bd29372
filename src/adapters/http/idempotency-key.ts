import { createHash } from "node:crypto";
import { Problem } from "./problem.js";
import type { Call } from "./route.js";

/** Characters of a key that is kept as it is. Backfills allow 200, triggers 255, an index row of PostgreSQL 2,704 bytes. */
const LONGEST = 200;

/**
 * One key of several parts. Different parts never make the same key: `:` and `%` in them are escaped, and a key that would be too long is replaced by its SHA-256, which has no `:`.
 */
export function composedKey(...parts: readonly string[]): string {
  const key = parts.map((part) => part.replaceAll("%", "%25").replaceAll(":", "%3A")).join(":");
  return key.length <= LONGEST ? key : `sha256=${createHash("sha256").update(key).digest("base64url")}`;
}

/**
 * The key by which a caller makes a retry safe, from the first of these headers that is there, kept apart from the keys of other callers. One that is too long is
 * refused and not cut: two keys must never become one.
 *
 * @throws Problem `INVALID_REQUEST`
 */
export function keyOf({ header, caller }: Pick<Call, "header" | "caller">, ...names: readonly string[]): string | undefined {
  if (caller.deliveryKey !== undefined) return caller.deliveryKey;
  for (const name of names) {
    const key = header(name);
    if (key === null) continue;
    if (/^[\x21-\x7e]{1,128}$/.test(key)) return composedKey(caller.id, key);
    throw new Problem(400, "INVALID_REQUEST", `the header ${name} must have 1 to 128 visible ASCII characters`);
  }
  return undefined;
}
