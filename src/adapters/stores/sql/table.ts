import { HeadgateError } from "../../../base/errors.js";

/** Storage type of a field: `int` are integers up to 2^53, `json` is text in both dialects. */
export type ColumnType = "text" | "int" | "real" | "bool" | "json";

interface Column {
  readonly field: string;
  /** The field in snake_case. */
  readonly name: string;
  readonly type: ColumnType;
}

/** A table whose rows are records of one type. */
export interface Table<T> {
  readonly name: string;
  readonly columns: readonly Column[];
  /** Fields that may be large, with what stands in their place when they are not read. */
  readonly large: Readonly<Record<string, unknown>>;
  decode(row: Readonly<Record<string, unknown>>): T;
}

/** A table by the types of its fields; `allowed` lists the values of fields that have only a few; `large` names those that may be large. */
export function table<T extends object>(
  name: string,
  types: { readonly [Field in keyof T]: ColumnType },
  allowed: { readonly [Field in keyof T]?: readonly unknown[] } = {},
  large: { readonly [Field in keyof T]?: null | readonly never[] } = {},
): Table<T> {
  const columns = Object.entries(types).map(([field, type]): Column => ({ field, name: snakeCase(field), type: type as ColumnType }));
  const marks = Object.keys(large).map((field) => ({ field, mark: markOf(snakeCase(field)) }));
  const limits = Object.entries(allowed) as [string, readonly unknown[]][];
  return {
    name,
    columns,
    large,
    decode: (row) => {
      const record: Record<string, unknown> = {};
      for (const column of columns) record[column.field] = decoded(name, column, row);
      for (const [field, values] of limits) {
        if (!values.includes(record[field]))
          throw corrupt(name, snakeCase(field), row, `${JSON.stringify(record[field])} is not one of ${values.join(", ")}`);
      }
      if (row.payload_id !== null && row.payload_id !== undefined)
        record.omitted = ["parameters"]; // kept apart, and not read yet
      else {
        for (const { field, mark } of marks) {
          const isOmitted = row[mark];
          if (isOmitted !== true && isOmitted !== 1) continue;
          record[field] = large[field as keyof T] ?? null;
          record.omitted = [...((record.omitted as string[] | undefined) ?? []), field];
        }
      }
      return record as T;
    },
  };
}

/** Columns to select: a large field of more bytes than the limit bound at a place is left out, and marked. */
export function columnsWithin<T>({ columns, large }: Table<T>, place: number): string {
  const shown = columns.map(({ field, name }) =>
    field in large
      ? `CASE WHEN octet_length("${name}") > $${place} THEN NULL ELSE "${name}" END AS "${name}", octet_length("${name}") > $${place} AS "${markOf(name)}"`
      : `"${name}"`,
  );
  return shown.join(", ");
}

/** The column that says whether another was left out. */
function markOf(name: string): string {
  return `${name}_omitted`;
}

/** A field as it is bound to a statement. */
export function encoded(type: ColumnType, value: unknown): unknown {
  if (value === null || value === undefined) return null;
  if (type === "json") return storable(JSON.stringify(value));
  return type === "text" ? storable(value as string) : value;
}

/** Text that every database takes: no NUL, no half of a surrogate pair. */
function storable(text: string): string {
  const clean = text.includes("\0") ? text.replaceAll("\0", "\uFFFD") : text;
  return /[\uD800-\uDFFF]/.test(clean)
    ? clean.replaceAll(/[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g, "\uFFFD")
    : clean;
}

function decoded(table: string, { name, type }: Column, row: Readonly<Record<string, unknown>>): unknown {
  const value = row[name];
  if (value === null || value === undefined) return type === "bool" ? false : null;
  switch (type) {
    case "text":
      if (typeof value !== "string") throw corrupt(table, name, row, `${typeof value} instead of text`);
      return value;
    case "json":
      try {
        return JSON.parse(value as string);
      } catch {
        throw corrupt(table, name, row, "not JSON");
      }
    case "bool":
      return value === true || value === 1;
    default: {
      const number = Number(value); // PostgreSQL hands out bigint as text
      if (!Number.isFinite(number)) throw corrupt(table, name, row, `${JSON.stringify(value)} instead of a number`);
      return number;
    }
  }
}

function corrupt(table: string, column: string, row: Readonly<Record<string, unknown>>, problem: string): HeadgateError {
  const id = String(row.id ?? row.name ?? row.key ?? "?");
  return new HeadgateError("STORE_CORRUPT", `row ${id} of table ${table}, column ${column}: ${problem}; repair or delete the row`, {
    details: { table, column, id },
  });
}

function snakeCase(field: string): string {
  return field.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
