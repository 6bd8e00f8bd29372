import type { SchemaTypes } from "./schema-types.js";
import type { Column, Table } from "./table.js";

/** Returns the statements with which a version of the schema makes a table, or adds to it the columns that are new in that version. */
export function additions(table: Table<object>, version: number, name: string, types: SchemaTypes): readonly string[] {
  if (table.addedIn === version) return [creation(table, name, types)];
  const added = table.columns.filter(({ addedIn }) => addedIn === version);
  return added.map(
    (column) => `ALTER TABLE ${name} ADD COLUMN ${definition(column, types)}${column.isNullable ? "" : ` DEFAULT ${literal(column)}`}`,
  );
}

function creation({ columns, keyFields, isBusy, addedIn }: Table<object>, name: string, types: SchemaTypes): string {
  const made = columns.filter((column) => column.addedIn === addedIn).map((column) => definition(column, types));
  const key = columns.slice(0, keyFields).map((column) => `"${column.name}"`);
  return `CREATE TABLE ${name} (${made.join(", ")}, PRIMARY KEY (${key.join(", ")}))${isBusy ? ` ${types.busy}` : ""}`;
}

function definition({ name, type, isNullable }: Column, types: SchemaTypes): string {
  return `"${name}" ${types[type === "json" ? "text" : type]}${isNullable ? "" : " NOT NULL"}`;
}

/** The value of rows that were there before. */
function literal({ name, before }: Column): string {
  if (before === null) throw new Error(`column ${name} may not be null: say what it is in rows that are older`);
  return typeof before === "string" ? `'${before.replaceAll("'", "''")}'` : String(before);
}
