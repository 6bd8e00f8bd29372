import type { Prepared } from "../../shared/sqlite-driver.js";
import type { Dialect, Row, RunEnds, Session } from "../sql/database.js";
import type { SchemaTypes } from "../sql/schema-types.js";
import { HIDDEN } from "../sql/statuses.js";
import { encoded, type Table } from "../sql/table.js";
import { turns } from "../sql/turns.js";
import { translated } from "./errors.js";

export const TYPES: SchemaTypes = {
  text: "TEXT",
  int: "INTEGER",
  real: "REAL",
  bool: "INTEGER",
  busy: "",
  pruned: null,
  /** No function but one with a trigger raises an error of its own; this one's quotes the path. */
  refusing: (view: string, columns: Readonly<Record<string, string>>, reason: string) => [
    `CREATE VIEW ${view} AS SELECT ${Object.keys(columns)
      .map((column) => `NULL AS ${column}`)
      .join(", ")} WHERE json_extract('{}', '${reason}') IS NOT NULL`,
  ],
  each: (json, path) => `json_each(${json}${path === null ? "" : `, '$.${path}'`}) e`,
};

/** The parts of the SQL dialect that are specific to SQLite. */
export const DIALECT: Dialect = {
  name: (table) => `"${table}"`,
  isIn: (place) => `IN (SELECT value FROM json_each($${place}))`,
  list: (values) => JSON.stringify(values),
  pairs: (place) => `(SELECT value ->> 0 AS a, value ->> 1 AS b FROM json_each($${place})) w`,
  pairList: (values) => JSON.stringify(values),
  forUpdate: "",
  skipLocked: "",
  queueLock: null,
  startLock: null,
  byIndex: null,
  pauseLock: null,
};

const RETURNS_ROWS = /^SELECT\b|\bRETURNING version$/;

export type Prepare = (sql: string) => Prepared;

export function sessionOf(prepared: Prepare, file: string): Session {
  return {
    dialect: DIALECT,
    query: async (sql, values = []) => {
      const rows = translated(file, () => prepared(sql)[RETURNS_ROWS.test(sql) ? "all" : "run"](...values)) as readonly Row[];
      if (turns.isSpent) await turns.next();
      return rows;
    },
    insert: async (table, records, { unlessThere = false } = {}) => insertAll(prepared, file, table, records, unlessThere),
    write: async (steps) => {
      for (const { table, records, fields } of steps) {
        if (fields === null) await insertAll(prepared, file, table, records, false);
        else await updateAll(prepared, file, table, records, fields);
      }
    },
    yield: () => turns.next(),
  };
}

type Named = Pick<Table<never>, "name" | "columns">;

async function insertAll(
  prepared: Prepare,
  file: string,
  table: Named,
  records: readonly object[],
  unlessThere: boolean,
): Promise<ReadonlySet<string>> {
  const added = new Set<string>();
  const names = table.columns.map(({ name }) => `"${name}"`).join(", ");
  const places = table.columns.map((_, index) => `$${index + 1}`).join(", ");
  const sql = `INSERT INTO "${table.name}" (${names}) VALUES (${places})${unlessThere ? " ON CONFLICT DO NOTHING" : ""}`;
  await forEach(records, (record) => {
    const values = table.columns.map(({ field, type }) => bound(encoded(type, fieldOf(record, field))));
    if (Number(translated(file, () => prepared(sql).run(...values)).changes) > 0) added.add(String(values[0]));
  });
  return added;
}

/** Returns the keys of the rows that were changed: with `isRunning`, only those of attempts that are active with the given token and have no cancel request. */
async function updateAll(
  prepared: Prepare,
  file: string,
  table: Named,
  records: readonly object[],
  fields: readonly string[],
  { isRunning = false } = {},
): Promise<ReadonlySet<string>> {
  const changed = new Set<string>();
  const [key] = table.columns;
  const columns = table.columns.filter(({ field }) => fields.includes(field));
  const sets = columns.map(({ name }, index) => `"${name}" = $${index + 1}`).join(", ");
  const token = columns.findIndex(({ field }) => field === "token") + 1;
  const guard = isRunning ? ` AND token = $${token} AND ${HIDDEN.status} = 'running' AND cancel_request IS NULL` : "";
  const sql = `UPDATE "${table.name}" SET ${sets} WHERE "${key?.name}" = $${columns.length + 1}${guard}`;
  await forEach(records, (record) => {
    const values = columns.map(({ field, type }) => bound(encoded(type, fieldOf(record, field))));
    const id = fieldOf(record, key?.field ?? "id");
    if (Number(translated(file, () => prepared(sql).run(...values, id)).changes) > 0) changed.add(String(id));
  });
  return changed;
}

/** Ends attempts in a transaction, see `Session.endRunning`. */
export async function endAll(prepared: Prepare, file: string, { runs, triggers, pipelines }: RunEnds): Promise<ReadonlySet<string>> {
  const ended = await updateAll(prepared, file, runs.table, runs.records, runs.fields ?? [], { isRunning: true });
  const isEnded = (run: object) => ended.has(String(fieldOf(run, "id")));
  const succeeded = new Set(
    runs.records.filter((run) => isEnded(run) && fieldOf(run, "status") === "succeeded").map((run) => fieldOf(run, "pipelineId")),
  );
  const theirs = triggers.records.filter((trigger) => ended.has(String(fieldOf(trigger, "runId"))));
  await updateAll(prepared, file, triggers.table, theirs, triggers.fields ?? []);
  const reached = pipelines.records.filter((pipeline) => succeeded.has(fieldOf(pipeline, "id")));
  await updateAll(prepared, file, pipelines.table, reached, pipelines.fields ?? []);
  return ended;
}

/** Row by row, in as many turns of the event loop as it takes. */
async function forEach(records: readonly object[], work: (record: object) => void): Promise<void> {
  for (const record of records) {
    work(record);
    if (turns.isSpent) await turns.next();
  }
}

function fieldOf(record: object, field: string): unknown {
  return (record as Readonly<Record<string, unknown>>)[field];
}

/** SQLite has no booleans. */
function bound(value: unknown): unknown {
  return typeof value === "boolean" ? Number(value) : value;
}
