import { quote } from "./errors.js";

/** Returns a value as a message shows it: text in quotes, numbers as they are, of objects only the kind. Never throws. */
export function shown(value: unknown): string {
  if (typeof value === "string") return quote(value);
  if (typeof value === "function") return "a function";
  if (typeof value === "symbol" || typeof value === "bigint") return `a ${typeof value}`;
  if (typeof value !== "object" || value === null) return String(value);
  try {
    if (Array.isArray(value)) return "an array";
    const kind = Object.prototype.toString.call(value).slice(8, -1);
    return kind === "Object" ? "an object" : `${/^[AEIOU]/.test(kind) ? "an" : "a"} ${kind}`;
  } catch {
    return "an object that cannot be read"; // a revoked proxy
  }
}
