import type { StorageType } from "../../../base/fields.js";

/** The types and storage parameters of a database, and the statements of migrations that differ between databases. */
export interface SchemaTypes extends Readonly<Record<Exclude<StorageType, "json">, string>> {
  /** Text compared byte by byte. */
  readonly text: string;
  /** Storage parameters of a table whose rows change soon after they are added. */
  readonly busy: string;
  /** The elements of an array or the members of an object in a JSON text, as a table `e` with the columns `key` (of members only) and `value`, both text. */
  readonly each: (json: string, path: string | null, of: "array" | "object") => string;
  /** The same of a table from which as many rows are removed as are added; `null` where there is nothing to say. */
  readonly pruned: string | null;
  /** Makes a view with these columns and their types that cannot be read: a statement that does fails with the reason. */
  readonly refusing: (view: string, columns: Readonly<Record<string, string>>, reason: string) => readonly string[];
}
