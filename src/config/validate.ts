import { z } from "zod";
import { partAt, placeOf, plainOf, type Tree } from "./ast.js";
import { type ConfigProblem, nearMatch, type Path, pathText } from "./diagnostic.js";
import { readScalar } from "./interpolate.js";
import { type SettledConfig, settledConfig } from "./schema/config.js";

/** The valid parts of a configuration, and all problems. */
export interface Validated {
  readonly config: Partial<SettledConfig>;
  readonly problems: readonly ConfigProblem[];
}

type Issue = z.core.$ZodIssue;
/** A map or a list, part of which may be replaced. */
type Holder = Record<string | number, unknown>;

/** Sections whose entries are looked at one by one, so that one that is wrong does not hide what is wrong with the others. */
const BY_NAME = ["pipelines", "patterns", "business_patterns", "calendars", "executors"] as const;

/** Nobody reads more. */
const PROBLEMS = 100;

export function validated(tree: Tree): Validated {
  const problems: ConfigProblem[] = [];
  const config: Record<string, unknown> = {};
  const shape = settledConfig.shape as Record<string, z.ZodType>;
  if (tree.kind !== "map")
    return { config, problems: [{ ...tree.place, path: "", message: "must be a map of sections, such as pipelines" }] };
  for (const [section, { value: part }] of tree.entries) {
    if (problems.length > PROBLEMS) break;
    const schema = Object.hasOwn(shape, section) ? shape[section] : undefined;
    if (schema === undefined) {
      problems.push(unknownKey(tree, [section], Object.keys(shape)));
    } else if ((BY_NAME as readonly string[]).includes(section) && part.kind === "map") {
      const record = (schema instanceof z.ZodOptional ? schema.unwrap() : schema) as z.ZodRecord;
      const entries: Record<string, unknown> = {};
      for (const key of part.entries.keys()) {
        const isKey = checkInto(problems, tree, [section, key], record.keyType as z.ZodType, key, true) !== undefined;
        const value = checkInto(
          problems,
          tree,
          [section, key],
          record.valueType as z.ZodType,
          plainOf(part.entries.get(key)?.value as Tree),
        );
        if (isKey && value !== undefined) entries[key] = value;
      }
      config[section] = entries;
    } else {
      const value = checkInto(problems, tree, [section], schema, plainOf(part));
      if (value !== undefined) config[section] = value;
    }
  }
  if (!tree.entries.has("pipelines"))
    problems.push({ ...tree.place, path: "pipelines", message: "is missing: define at least one pipeline" });
  return { config: config as Partial<SettledConfig>, problems };
}

function checkInto(problems: ConfigProblem[], tree: Tree, path: Path, schema: z.ZodType, given: unknown, isKey = false): unknown {
  const holder: Holder = { value: given };
  for (let isFirst = true; ; isFirst = false) {
    const result = schema.safeParse(holder.value, { error: withAllowed });
    if (result.success) return result.data;
    const issues = result.error.issues.flatMap((one) => flat(one, []));
    if (isFirst && issues.map((one) => retype(tree, path, one, holder)).some(Boolean)) continue;
    for (const issue of issues) problems.push(...problemsOf(tree, path, issue, isKey));
    return undefined;
  }
}

/** Hands the keys of an object on with the issue of an unknown one. */
function withAllowed(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code !== "unrecognized_keys") return undefined;
  const shape = (issue.inst as { _zod?: { def?: { shape?: object } } } | undefined)?._zod?.def?.shape;
  return shape === undefined ? undefined : JSON.stringify(Object.keys(shape));
}

/** Converts a variable's text to the type expected at its position: text, a number or a boolean. */
function retype(tree: Tree, base: Path, issue: Issue, holder: Holder): boolean {
  if (issue.code !== "invalid_type") return false;
  const path = issue.path as Path;
  const scalar = partAt(tree, [...base, ...path]);
  if (scalar?.kind !== "scalar" || scalar.variables === null) return false;
  const wanted = issue.expected === "string" ? scalar.text : readScalar(scalar.text);
  const whole: Path = ["value", ...path];
  let at: Holder = holder;
  for (const part of whole.slice(0, -1)) at = at[part] as Holder;
  const name = whole.at(-1) as string;
  const isNew = typeof wanted !== typeof at[name];
  at[name] = wanted;
  return isNew;
}

/** Of the forms that something may have, the one that was meant: whose kind is right. */
function flat(issue: Issue, around: Path): Issue[] {
  const path = [...around, ...(issue.path as Path)];
  if (issue.code !== "invalid_union" || issue.errors.length === 0) return [{ ...issue, path } as Issue];
  const isOtherKind = (one: Issue) => one.path.length === 0 && (one.code === "invalid_type" || one.code === "invalid_value");
  const meant = issue.errors.filter((branch) => !branch.some(isOtherKind)).sort((one, other) => one.length - other.length);
  const [best] = meant;
  if (best !== undefined) return best.flatMap((one) => flat(one, path));
  const kinds = issue.errors.flatMap((branch) =>
    branch
      .flatMap((one) => flat(one, []))
      .filter(isOtherKind)
      .map(wanted),
  );
  return [{ code: "custom", path, message: `must be ${[...new Set(kinds)].join(", or ")}`, input: issue.input } as Issue];
}

function wanted(issue: Issue): string {
  if (issue.code === "invalid_type") return KINDS[issue.expected] ?? issue.expected;
  return issue.code === "invalid_value" ? issue.values.map(String).join(", ") : issue.message;
}

const KINDS: Readonly<Record<string, string>> = {
  string: "text",
  number: "a number",
  int: "an integer",
  boolean: "true or false",
  array: "a list",
  object: "a map",
  record: "a map",
};

function problemsOf(tree: Tree, base: Path, issue: Issue, isKey: boolean): ConfigProblem[] {
  const path: Path = [...base, ...(issue.path as Path)];
  if (issue.code === "unrecognized_keys") {
    const allowed = allowedOf(issue.message);
    return issue.keys.map((key) => unknownKey(tree, [...path, key], allowed));
  }
  const part = partAt(tree, path);
  const place = placeOf(tree, path, isKey);
  const said = (message: string) => [{ ...place, path: pathText(path), message }];
  if (part === null) return said("is missing");
  const value = part.kind === "scalar" && part.variables === null ? part.value : null;
  switch (issue.code) {
    case "invalid_type":
      return said(`must be ${wanted(issue)}, not ${kindOf(part)}`);
    case "invalid_value": {
      const values = issue.values.map(String);
      return said(`must be one of ${values.join(", ")}${typeof value === "string" ? nearMatch(value, values) : ""}`);
    }
    case "invalid_key":
      return said(issue.issues.map(({ message }) => message).join("; "));
    case "too_small":
      return said(
        issue.origin === "array" || (issue.origin === "string" && issue.minimum === 1)
          ? "must not be empty"
          : `must be ${issue.inclusive === false ? "greater than" : "at least"} ${issue.minimum}${lengthOf(issue.origin)}`,
      );
    case "too_big":
      return said(`must be ${issue.inclusive === false ? "less than" : "at most"} ${issue.maximum}${lengthOf(issue.origin)}`);
    default:
      return said(issue.message);
  }
}

function lengthOf(origin: string): string {
  return origin === "string" ? " characters long" : "";
}

function allowedOf(message: string): readonly string[] {
  try {
    return JSON.parse(message) as string[];
  } catch {
    return []; // the message of a schema that does not name its keys
  }
}

function unknownKey(tree: Tree, path: Path, allowed: readonly string[]): ConfigProblem {
  const near = nearMatch(String(path.at(-1)), allowed);
  return {
    ...placeOf(tree, path, true),
    path: pathText(path),
    message: `unknown key${near}${near === "" ? "; " : " "}allowed: ${allowed.join(", ")}`,
  };
}

function kindOf(part: Tree): string {
  if (part.kind !== "scalar") return part.kind === "map" ? "a map" : "a list";
  if (part.value === null) return "empty";
  if (typeof part.value === "string") return "text";
  return typeof part.value === "number" ? "a number" : "true or false";
}
