import { secretsOfNamed, secretsOfUrl } from "../run/secret-forms.js";
import { plainOf, type Tree } from "./ast.js";

/** Sections whose keys are names: a variable that holds one of them is no secret. */
const NAMED = ["pipelines", "patterns", "business_patterns", "calendars", "executors"];
/** Maps whose values may be secrets, whatever they are called. */
const HOLDERS = new Set(["env", "headers"]);

/** Returns what a file holds that may be secret: what came from variables, the values of `env` and `headers`, and passwords, tokens and keys in addresses. */
export function secretsIn(tree: Tree): readonly string[] {
  switch (tree.kind) {
    case "map":
      return [...tree.entries].flatMap(([name, { value }]) => [
        ...(HOLDERS.has(name) && value.kind === "map" ? secretsOfNamed(textsOf(value)) : []),
        ...secretsIn(value),
      ]);
    case "list":
      return tree.items.flatMap(secretsIn);
    case "scalar":
      return [...(tree.variables ?? []), ...(typeof tree.value === "string" ? secretsOfUrl(tree.value) : [])];
  }
}

/** Returns the names that a file gives to its parts, which stand in every record. */
export function namesIn(tree: Tree): readonly string[] {
  if (tree.kind !== "map") return [];
  return NAMED.flatMap((section) => {
    const part = tree.entries.get(section)?.value;
    return part?.kind === "map" ? [...part.entries.keys()] : [];
  });
}

function textsOf(tree: Tree): Readonly<Record<string, string>> {
  const entries = Object.entries(plainOf(tree) as Record<string, unknown>);
  return Object.fromEntries(
    entries.flatMap(([name, value]) => (typeof value === "object" || value === undefined ? [] : [[name, String(value)]])),
  );
}
