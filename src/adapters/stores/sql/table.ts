import { HeadgateError } from "../../../base/errors.js";
import { type Field, type Fields, type RecordOf, type StorageType, type Unread, unreadOf } from "../../../base/fields.js";

/** A column: a field, and its name in snake_case. */
export interface Column extends Pick<Field<unknown>, "type" | "isNullable" | "addedIn" | "before" | "isChanging"> {
  readonly field: string;
  readonly name: string;
}

/** A table whose rows are records of one type. */
export interface Table<T> {
  readonly name: string;
  readonly columns: readonly Column[];
  /** Number of its first columns that are the primary key. */
  readonly keyFields: number;
  /** Its rows change soon after they are added. */
  readonly isBusy: boolean;
  /** Version of the schema that makes it. */
  readonly addedIn: number;
  /** Fields that may be large, with what stands in their place when they are not read. */
  readonly large: Unread;
  decode(row: Readonly<Record<string, unknown>>): T;
}

/** A table by the fields of its records; by default made by version 1 of the schema, with the first field as its key. */
export function table<F extends Fields>(
  name: string,
  fields: F,
  { since = 1, keyFields = 1, isBusy = false }: { readonly since?: number; readonly keyFields?: number; readonly isBusy?: boolean } = {},
): Table<RecordOf<F>> {
  const columns = Object.entries(fields).map(([field, facts]): Column => {
    const { type, isNullable, addedIn, before, isChanging } = facts;
    return { field, name: snakeCase(field), type, isNullable, addedIn: Math.max(since, addedIn), before, isChanging };
  });
  const large = unreadOf(fields);
  const marks = Object.keys(large).map((field) => ({ field, mark: markOf(snakeCase(field)) }));
  const limits = Object.entries(fields).flatMap(([field, { allowed }]) => (allowed === null ? [] : [[field, allowed] as const]));
  return {
    name,
    columns,
    keyFields,
    isBusy,
    addedIn: since,
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
          record[field] = large[field] ?? null;
          record.omitted = [...((record.omitted as string[] | undefined) ?? []), field];
        }
      }
      return record as RecordOf<F>;
    },
  };
}

/** Fields that change after a record was created. */
export function changingOf<T extends object>({ columns }: Table<T>): readonly (keyof T & string)[] {
  return columns.filter(({ isChanging }) => isChanging).map(({ field }) => field as keyof T & string);
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
export function encoded(type: StorageType, value: unknown): unknown {
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
