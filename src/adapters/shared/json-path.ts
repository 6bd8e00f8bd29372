import { HeadgateError } from "../../base/errors.js";
import { jsonProblemOf } from "./json-syntax.js";

/**
 * Returns the value at a path such as `data.items[0].updated_at`; `undefined` where there is nothing.
 */
export function valueAt(value: unknown, path: string): unknown {
  let at: unknown = value;
  for (const part of partsOf(path)) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, part)) return undefined;
    at = (at as Readonly<Record<string, unknown>>)[part];
  }
  return at;
}

/** @throws HeadgateError `INVALID_ARGUMENT` */
export function checkPath(path: string, where: string): string {
  if (typeof path === "string" && partsOf(path).every((part) => part !== "") && path !== "") return path;
  throw new HeadgateError("INVALID_ARGUMENT", `${where}: ${JSON.stringify(path)} is not a path such as data.items[0].updated_at`);
}

function partsOf(path: string): string[] {
  return path
    .replaceAll(/\[(\d+)\]/g, ".$1")
    .replace(/^\$?\./, "")
    .split(".");
}

/** Text as JSON, or an error that says whose it is. @throws HeadgateError `PROBE_FAILED` */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new HeadgateError("PROBE_FAILED", `returned a response that is not JSON: ${jsonProblemOf(text)}`);
  }
}
