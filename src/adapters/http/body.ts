import { isUtf8 } from "node:buffer";
import type { z } from "zod";
import { jsonProblemOf } from "../shared/json-syntax.js";
import { DEEPEST, escaped, type FieldProblem, isTooDeep, mischiefIn } from "../shared/safe-json.js";
import type { HttpRequest } from "./http-request.js";
import { Problem } from "./problem.js";

/**
 * Parses a JSON body: UTF-8, limited in depth; rejects prototype-polluting keys and unsafe numbers.
 *
 * @see https://www.rfc-editor.org/rfc/rfc8259
 */
export function parseJson(bytes: Uint8Array, contentType: string | null): unknown {
  if (contentType === null || !/^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i.test(contentType)) {
    throw new Problem(415, "UNSUPPORTED_MEDIA_TYPE", "send the body as application/json");
  }
  if (!isUtf8(bytes)) throw new Problem(400, "BAD_JSON", "the body is not UTF-8");
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
  if (isTooDeep(text)) throw new Problem(400, "BAD_JSON", `the body is nested deeper than ${DEEPEST} levels`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Problem(400, "BAD_JSON", `the body is not JSON: ${jsonProblemOf(text)}`);
  }
  const problems = mischiefIn(value);
  if (problems.length > 0) throw invalid(problems);
  return value;
}

/** A query, checked by its schema. */
export function queryOf({ url }: Pick<HttpRequest, "url">, schema: z.ZodObject): Record<string, unknown> {
  const at = url.indexOf("?");
  const given = at === -1 ? {} : Object.fromEntries(new URLSearchParams(url.slice(at)));
  const bad = Object.keys(given).filter((name) => given[name]?.includes("\0"));
  if (bad.length > 0)
    throw invalid(bad.map((name) => ({ pointer: `?${name.slice(0, 100)}`, detail: "must not contain the character NUL" })));
  return checked(schema, given, "query");
}

/** Validates by a schema; all wrong fields are reported at once. */
export function checked<S extends z.ZodType>(schema: S, value: unknown, place: "body" | "query"): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const pointerOf = (path: readonly PropertyKey[]) =>
    place === "query" ? `?${path.join(".")}` : path.map((part) => `/${escaped(String(part))}`).join("");
  throw invalid(
    result.error.issues
      .flatMap((issue) => withinUnion(issue))
      .slice(0, 50)
      .flatMap((issue): FieldProblem[] => {
        if (issue.code !== "unrecognized_keys") return [{ pointer: pointerOf(issue.path), detail: issue.message }];
        const detail = /^Unrecognized key/.test(issue.message) ? "unknown field" : issue.message; // some say what to do instead
        return issue.keys.map((key) => ({ pointer: pointerOf([...issue.path, key]), detail }));
      }),
  );
}

type Issue = z.core.$ZodIssue;

/** Of a value that has one of several forms: what is wrong with the form that it is nearest to. */
function withinUnion(issue: Issue): readonly Issue[] {
  if (issue.code !== "invalid_union") return [issue];
  const size = (issues: readonly Issue[]) => issues.reduce((sum, one) => sum + (one.code === "unrecognized_keys" ? one.keys.length : 1), 0);
  const [nearest] = issue.errors.toSorted((one, other) => size(one) - size(other));
  if (nearest === undefined) return [issue];
  return nearest.flatMap((one) => withinUnion({ ...one, path: [...issue.path, ...one.path] }));
}

function invalid(errors: readonly FieldProblem[]): Problem {
  const detail = errors
    .slice(0, 3)
    .map(({ pointer, detail: what }) => `${pointer.slice(0, 100) || "the body"} ${what}`)
    .join("; ");
  return new Problem(422, "INVALID_REQUEST", detail, { errors });
}
