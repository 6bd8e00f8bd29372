import type { ConfigProblem } from "./diagnostic.js";
import type { Tree } from "./tree.js";

const HIDDEN = "•••";
/** Names of values that are secrets, whatever they are. */
const SECRET_NAMES = /(?:^|_)(?:token|secret|password|server)$|^(?:redact|headers|env)$/;
const SHORTEST = 4;
/** How much of a value messages quote. */
const QUOTED = 60;

/** Hides secrets, and what came from variables, in everything that is shown. */
export function maskerOf(
  tree: Tree,
  secrets: Iterable<string>,
): { text(text: string): string; plain(value: unknown, name?: string): unknown } {
  const hidden = new Set<string>();
  for (const one of [...secrets, ...foreignOf(tree)]) {
    if (one.length < SHORTEST) continue;
    for (const form of [one, JSON.stringify(one).slice(1, -1)]) hidden.add(form).add(form.slice(0, QUOTED));
  }
  const words = [...hidden].sort((one, other) => other.length - one.length);
  const text = (given: string) =>
    words.reduce((left, word) => left.replaceAll(word, HIDDEN), given).replaceAll(/(:\/\/[^/\s:@]*:)[^@\s/]+@/g, `$1${HIDDEN}@`);
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

/** Texts that came from variables. */
function foreignOf(tree: Tree): string[] {
  if (tree.kind === "map") return [...tree.entries.values()].flatMap(({ value }) => foreignOf(value));
  if (tree.kind === "list") return tree.items.flatMap(foreignOf);
  return tree.isForeign ? [tree.text] : [];
}
