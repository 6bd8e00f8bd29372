import { HIDDEN, redactor } from "../run/redact.js";
import type { Tree } from "./ast.js";
import type { ConfigProblem } from "./diagnostic.js";

/** Names of values that are secrets, whatever they are. */
const SECRET_NAMES = /(?:^|_)(?:token|secret|password|server)$|^(?:redact|headers|env)$/;
/** Maximum length of a quoted value in messages. */
const QUOTED = 60;

/** Hides secrets, and what came from variables, in everything that is shown. */
export function maskerOf(
  tree: Tree,
  secrets: Iterable<string>,
): { text(text: string): string; plain(value: unknown, name?: string): unknown } {
  const words = [...secrets, ...variablesOf(tree)];
  const text = redactor([...words, ...words.map((one) => one.slice(0, QUOTED))]);
  const plain = (value: unknown, name = ""): unknown => {
    if (SECRET_NAMES.test(name) && value !== null && typeof value !== "boolean") return HIDDEN;
    if (typeof value === "string") return text(value);
    if (Array.isArray(value)) return value.map((one) => plain(one, name));
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plain(one, key)]));
  };
  return { text, plain };
}

export function masked(problems: readonly ConfigProblem[], tree: Tree, secrets: Iterable<string>): readonly ConfigProblem[] {
  const { text } = maskerOf(tree, secrets);
  return problems.map((one) => ({ ...one, message: text(one.message) }));
}

/** Returns the text inserted from variables; defaults are in the file anyway. */
function variablesOf(tree: Tree): readonly string[] {
  if (tree.kind === "map") return [...tree.entries.values()].flatMap(({ value }) => variablesOf(value));
  if (tree.kind === "list") return tree.items.flatMap(variablesOf);
  return tree.variables ?? [];
}
