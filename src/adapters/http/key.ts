import { Problem } from "./problem.js";
import type { Call } from "./route.js";

/**
 * The key by which a caller makes a retry safe, from the first of these headers that is there, kept apart from the keys of other callers. One that is too long is
 * refused and not cut: two keys must never become one.
 *
 * @throws Problem `INVALID_REQUEST`
 */
export function keyOf({ header, caller }: Pick<Call, "header" | "caller">, ...names: readonly string[]): string | undefined {
  for (const name of names) {
    const key = header(name);
    if (key === null) continue;
    if (/^[\x21-\x7e]{1,128}$/.test(key)) return `${caller.id}:${key}`;
    throw new Problem(400, "INVALID_REQUEST", `the header ${name} must have 1 to 128 visible ASCII characters`);
  }
  return undefined;
}
