import type { StorageType } from "../../../base/fields.js";
import type { Dialect, RunEnds, Step } from "../sql/database.js";
import { globallyPaused } from "../sql/pauses.js";
import type { SchemaTypes } from "../sql/schema-types.js";
import { encoded } from "../sql/table.js";
import { PIPELINES } from "../sql/tables.js";

export const TYPES: SchemaTypes = {
  text: 'text COLLATE "C"',
  int: "bigint",
  real: "double precision",
  bool: "boolean",
  busy: "WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0)",
  pruned:
    "SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0.05)",
  refusing: (view: string, columns: Readonly<Record<string, string>>, reason: string) => [
    `CREATE FUNCTION ${refusalOf(view)}() RETURNS TABLE (${Object.entries(columns)
      .map(([column, type]) => `${column} ${type.replace(/ COLLATE.*/, "")}`)
      .join(", ")}) LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '${reason}' USING ERRCODE = 'object_not_in_prerequisite_state'; END $$`,
    `CREATE VIEW ${view} AS SELECT * FROM ${refusalOf(view)}()`,
  ],
  each: (json, path, of) => {
    const part = path === null ? `${json}::json` : `${json}::json -> '${path}'`;
    return of === "array" ? `json_array_elements(${part}) AS e(value)` : `json_each(${part}) AS e(key, value)`;
  },
};
const TYPE_NAMES: Readonly<Record<StorageType, string>> = { text: "text", json: "text", int: "bigint", real: "float8", bool: "boolean" };

/** Names the function that a view calls which must not be read. */
function refusalOf(view: string): string {
  return view.replace(/"$/, '_refused"');
}

/** Returns the parts of the SQL dialect that are specific to PostgreSQL. */
export function dialectOf(schema: string): Dialect {
  return {
    name: (table) => `"${schema}"."${table}"`,
    isIn: (place) => `= ANY($${place}::text[])`,
    list: (values) => values,
    pairs: (place) => `(SELECT e ->> 0 AS a, e ->> 1 AS b FROM json_array_elements($${place}::json) e) w`,
    pairList: (values) => JSON.stringify(values),
    forUpdate: " FOR NO KEY UPDATE",
    skipLocked: " FOR NO KEY UPDATE SKIP LOCKED",
    queueLock: `SELECT pg_advisory_xact_lock(${lockOf(schema, 3)})`,
    startLock: `SELECT pg_advisory_xact_lock_shared(${lockOf(schema, 4)})`,
    byIndex: "SELECT set_config('enable_seqscan', 'off', true)",
    pauseLock: `SELECT pg_advisory_xact_lock(${lockOf(schema, 2)}), pg_advisory_xact_lock(${lockOf(schema, 4)})`,
  };
}

type Named = Step["table"];

/**
 * One statement for any number of rows: a column is an array, or plain values for a single row. They are added to `values`. Columns in which no row has
 * anything are left to their default, nothing.
 */
export function insertion(dialect: Dialect, table: Named, records: readonly object[], values: unknown[], where = ""): string {
  const columns = table.columns.filter(({ field }) =>
    records.some((record) => (record as Readonly<Record<string, unknown>>)[field] !== null),
  );
  const names = columns.map(({ name }) => `"${name}"`).join(", ");
  return `INSERT INTO ${dialect.name(table.name)} (${names}) SELECT * FROM ${rowsOf(columns, records, values)} AS r(${names}) ${where}`;
}

export function change(dialect: Dialect, table: Named, records: readonly object[], fields: readonly string[], values: unknown[]): string {
  const columns = table.columns.filter(({ field }, index) => index === 0 || fields.includes(field));
  const [key, ...rest] = columns.map(({ name }) => `"${name}"`);
  const sets = rest.map((name) => `${name} = r.${name}`).join(", ");
  const names = [key, ...rest].join(", ");
  return `UPDATE ${dialect.name(table.name)} t SET ${sets} FROM ${rowsOf(columns, records, values)} AS r(${names}) WHERE t.${key} = r.${key}`;
}

/** A trigger that is decided on, and what belongs to it if it was still to be decided on and no pause keeps it back. */
export function moveOfWaiting(dialect: Dialect, moved: Step, others: readonly Step[], values: unknown[]): string {
  const move = change(dialect, moved.table, moved.records, moved.fields ?? [], values);
  const parts = others
    .filter(({ records }) => records.length > 0)
    .map(({ table, records, fields }, index) => {
      const sql =
        fields === null
          ? insertion(dialect, table, records, values, `WHERE ${isOneOf("r.trigger_id", "SELECT id FROM moved")}`)
          : `${change(dialect, table, records, fields, values)} AND ${isOneOf("t.trigger_id", "SELECT id FROM moved")}`;
      return `, w${index} AS (${sql})`;
    });
  const isPaused = `EXISTS (${globallyPaused(dialect)}) OR EXISTS (SELECT 1 FROM ${dialect.name(PIPELINES.name)} p WHERE p.pause IS NOT NULL AND p.id = t.pipeline_id)`;
  const mayMove = onlyIf(`t.token = r.token AND t.status = 'pending' AND (r.status <> 'running' OR t.is_forced OR NOT (${isPaused}))`);
  return `WITH moved AS (${move} AND ${mayMove} RETURNING t.id)${parts.join("")} SELECT id FROM moved`;
}

/** Ends attempts that are still running and whose run has no cancel request, together with their triggers and their pipelines' last success. */
export function endOfRunning(dialect: Dialect, { runs, triggers, pipelines }: RunEnds, values: unknown[]): string {
  const changed = ({ table, records, fields }: Step) => change(dialect, table, records, fields ?? [], values);
  const parts = [
    `moved AS (${changed(runs)} AND ${onlyIf("t.token = r.token AND t.status = 'running' AND t.cancel_request IS NULL")} RETURNING t.id, t.pipeline_id, t.status)`,
    ...(triggers.records.length === 0 ? [] : [`w0 AS (${changed(triggers)} AND ${isOneOf("r.run_id", "SELECT id FROM moved")})`]),
    ...(pipelines.records.length === 0
      ? []
      : [`w1 AS (${changed(pipelines)} AND ${isOneOf("t.id", "SELECT pipeline_id FROM moved WHERE status = 'succeeded'")})`]),
  ];
  return `WITH ${parts.join(", ")} SELECT id FROM moved`;
}

/** A condition on rows that are found by their keys, of which the planner knows nothing: expecting next to none to meet it, it would read them all and compare each with every key. */
function onlyIf(condition: string): string {
  return `CASE WHEN ${condition} THEN TRUE END`;
}

/** True of what a query gives, which is hashed: taken for a join, it would be compared with every row, since the planner expects next to none of what a statement has just changed. */
function isOneOf(column: string, query: string): string {
  return `(${column} IN (${query})) IS TRUE`;
}

function rowsOf(columns: Named["columns"], records: readonly object[], values: unknown[]): string {
  return records.length === 1
    ? `(VALUES (${scalars(columns, records[0] as object, values)}))`
    : `unnest(${arrays(columns, records, values)})`;
}

function arrays(columns: Named["columns"], records: readonly object[], values: unknown[]): string {
  const places = columns.map(({ field, type }) => {
    values.push(records.map((record) => fieldOf(record, field, type)));
    return `$${values.length}::${TYPE_NAMES[type]}[]`;
  });
  return places.join(", ");
}

function scalars(columns: Named["columns"], record: object, values: unknown[]): string {
  const places = columns.map(({ field, type }) => {
    values.push(fieldOf(record, field, type));
    return `$${values.length}::${TYPE_NAMES[type]}`;
  });
  return places.join(", ");
}

function fieldOf(record: object, field: string, type: StorageType): unknown {
  return encoded(type, (record as Readonly<Record<string, unknown>>)[field]);
}

/** The key of an advisory lock: ours, of this schema, for a purpose. */
export function lockOf(schema: string, purpose: number): string {
  let hash = 0;
  for (const letter of schema) hash = (Math.imul(hash, 31) + letter.charCodeAt(0)) | 0;
  return `${hash}, ${0x6867 * 16 + purpose}`;
}
