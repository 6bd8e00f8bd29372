import type { Entry, Tree } from "./ast.js";

/**
 * Lays one tree over another: maps are merged key by key, everything else (lists too) is replaced, and `null` takes away what is below.
 */
export function mergeTrees(below: Tree, above: Tree): Tree {
  if (below.kind !== "map" || above.kind !== "map") return above;
  const entries = new Map<string, Entry>(below.entries);
  for (const [name, entry] of above.entries) {
    const known = entries.get(name);
    if (entry.value.kind === "scalar" && entry.value.value === null) entries.delete(name);
    else entries.set(name, known === undefined ? entry : { place: entry.place, value: mergeTrees(known.value, entry.value) });
  }
  return { kind: "map", place: above.place, entries };
}

/** A tree without some of its keys. */
export function without(tree: Tree, ...names: readonly string[]): Tree {
  if (tree.kind !== "map") return tree;
  return { ...tree, entries: new Map([...tree.entries].filter(([name]) => !names.includes(name))) };
}
