import type { Path, Place } from "./diagnostic.js";

/** Content of a YAML file, each part with its position, so that every problem can be shown where it is. */
export type Tree =
  | { readonly kind: "map"; readonly place: Place; readonly entries: ReadonlyMap<string, Entry> }
  | { readonly kind: "list"; readonly place: Place; readonly items: readonly Tree[] }
  | Scalar;

export interface Entry {
  /** Where the key stands. */
  readonly place: Place;
  readonly value: Tree;
}

export interface Scalar {
  readonly kind: "scalar";
  readonly place: Place;
  readonly value: string | number | boolean | null;
  /** As it was written, or came from a variable, before it was read as a number or a boolean. */
  readonly text: string;
  /** Written without quotes, so that `${PORT}` may become a number. */
  readonly isPlain: boolean;
  /** Text inserted from variables, which is never shown; `null` when it has no variables. */
  readonly variables: readonly string[] | null;
}

/** Plain data of a tree. */
export function plainOf(tree: Tree): unknown {
  switch (tree.kind) {
    case "scalar":
      return tree.value;
    case "list":
      return tree.items.map(plainOf);
    case "map": // not by assignment: a key may be called __proto__
      return Object.fromEntries([...tree.entries].map(([key, { value }]) => [key, plainOf(value)]));
  }
}

/** Returns the part at a path; `null` when there is none. */
export function partAt(tree: Tree, path: Path): Tree | null {
  let at: Tree | undefined = tree;
  for (const part of path) {
    if (at?.kind === "map") at = at.entries.get(String(part))?.value;
    else if (at?.kind === "list") at = at.items[Number(part)];
    else return null;
  }
  return at ?? null;
}

/** Where a path stands, or the nearest part around it that is there. `isKey` wants the key and not its value. */
export function placeOf(tree: Tree, path: Path, isKey = false): Place {
  let at = tree;
  for (const [index, part] of path.entries()) {
    const entry = at.kind === "map" ? at.entries.get(String(part)) : undefined;
    const next = entry?.value ?? (at.kind === "list" ? at.items[Number(part)] : undefined);
    if (next === undefined) return at.place;
    if (entry !== undefined && index === path.length - 1 && (isKey || next.kind !== "scalar")) return entry.place;
    at = next;
  }
  return at.place;
}
