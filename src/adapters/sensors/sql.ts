import { HeadgateError, quote } from "../../base/errors.js";
import { checkOptions } from "../../base/options.js";
import type { Sensor, SensorPollResult } from "../../ports/sensor.js";
import { SENSOR_TIMING, type SensorMode, type SensorTiming, timingOf, truthOf } from "../../trigger/sensor.js";
import { ADDRESS_OPTIONS, type AddressOptions } from "../shared/address.js";
import { SQL_SOURCE, sqlDatabase } from "../shared/sql.js";
import type { SqlDatabase, SqlRow, SqlSource } from "../shared/sql-source.js";

/** Options of {@link sqlSensor}. */
export type SqlSensorOptions = SqlSource &
  SensorTiming &
  AddressOptions & {
    /** With `cursorColumn`: what is newer than `$1`, ordered by that column. Else: something whose first row is looked at. */
    readonly query: string;
    /** The column by which rows are in order and never come twice, such as a sequence; each new row raises a trigger. */
    readonly cursorColumn?: string;
    /** Value of `$1` in the very first poll. Default `null`. */
    readonly start?: string | number | null;
    /** With `cursorColumn`: one trigger for all new rows, with the parameters `{ rows }`. Default false. */
    readonly batch?: boolean;
    /**
     * Without `cursorColumn`. `"change"`: raises a trigger when the first row differs from the last time; `"edge"` and `"level"`: when its first column becomes, or while it is,
     * true or not 0. Default `"change"`.
     */
    readonly mode?: "change" | SensorMode;
    /** Default: made of the query. */
    readonly name?: string;
  };

const ROWS_AT_ONCE = 1_000;
const BYTES_AT_ONCE = 4_194_304;

/**
 * Looks for new rows of a query, or for a change of what it gives, in PostgreSQL or SQLite, for reading only.
 *
 * @throws HeadgateError `INVALID_ARGUMENT`, `INVALID_DURATION`
 * @example
 * sqlSensor({ url: process.env.SHOP_URL, query: "SELECT id, total FROM orders WHERE id > $1 ORDER BY id LIMIT 100", cursorColumn: "id", start: 0 });
 */
export function sqlSensor(options: SqlSensorOptions): Sensor {
  checkOptions(
    options,
    {
      ...SENSOR_TIMING,
      ...ADDRESS_OPTIONS,
      ...SQL_SOURCE,
      query: true,
      cursorColumn: true,
      start: true,
      batch: true,
      mode: true,
      name: true,
    },
    "sqlSensor",
  );
  const { query, cursorColumn, mode = "change" } = options;
  if (typeof query !== "string" || query.trim() === "") throw bad("query: is required");
  if (!["change", "edge", "level"].includes(mode)) throw bad(`mode: ${quote(mode)} is unknown; allowed: change, edge, level`);
  if (cursorColumn !== undefined && options.mode !== undefined) throw bad("mode: cannot be combined with cursorColumn");
  const timing = timingOf(options.name ?? `sql ${query}`.slice(0, 100), options);
  const limits = { rows: cursorColumn === undefined ? 1 : ROWS_AT_ONCE + 1, bytes: BYTES_AT_ONCE, timeoutMs: timing.timeoutMs };
  const database = sqlDatabase(options, options, "sqlSensor", limits);
  return {
    ...timing,
    poll: ({ cursor, signal }) =>
      cursorColumn === undefined
        ? value(database, query, mode, cursor, signal)
        : rows(database, { ...options, cursorColumn }, cursor, signal),
  };
}

async function rows(
  database: SqlDatabase,
  { query, cursorColumn, start = null, batch = false }: SqlSensorOptions & { readonly cursorColumn: string },
  cursor: unknown,
  signal: AbortSignal,
): Promise<SensorPollResult> {
  const after = (cursor as { after?: unknown } | null)?.after ?? start;
  const found = await database.query(query, query.includes("$1") ? [after] : [], signal);
  const taken = found.slice(0, ROWS_AT_ONCE);
  const last = taken.at(-1);
  if (last === undefined) return { events: [], cursor };
  for (const row of taken) {
    if (row[cursorColumn] !== null && row[cursorColumn] !== undefined) continue;
    throw new HeadgateError(
      "SENSOR_FAILED",
      `a row has nothing in column ${quote(cursorColumn)}; the query must return it, and never NULL`,
    );
  }
  const next = { after: last[cursorColumn] };
  const hasMore = found.length > taken.length;
  const reasonOf = (row: SqlRow) => `row ${cursorColumn} ${String(row[cursorColumn])}`;
  if (batch) return { events: [{ reason: `${taken.length} new rows`, parameters: { rows: taken } }], cursor: next, hasMore };
  const events = taken.map((row) => ({ key: String(row[cursorColumn]), reason: reasonOf(row), parameters: row }));
  return { events, cursor: next, hasMore };
}

async function value(
  database: SqlDatabase,
  query: string,
  mode: "change" | SensorMode,
  cursor: unknown,
  signal: AbortSignal,
): Promise<SensorPollResult> {
  const [row = null] = await database.query(query, [], signal);
  if (mode !== "change") {
    const first = row === null ? null : Object.values(row)[0];
    const isTrue = first !== null && first !== undefined && first !== false && first !== 0 && first !== "0" && first !== "f";
    return truthOf(mode, isTrue, cursor, {
      reason: `the query returned ${JSON.stringify(first)?.slice(0, 200)}`,
      parameters: { value: row },
    });
  }
  const last = cursor as { value: unknown } | null;
  const next = { value: row };
  if (last === null || JSON.stringify(last.value) === JSON.stringify(row)) return { events: [], cursor: next };
  return { events: [{ reason: "the query's result has changed", parameters: { value: row, previous: last.value } }], cursor: next };
}

/** Options of {@link changedRowsSensor}. */
export type ChangedRowsOptions = SqlSource &
  SensorTiming &
  AddressOptions & {
    /** A table, with its schema if need be: `"public.orders"`. */
    readonly table: string;
    /** When a row was last changed: a time or a growing number. Default `"updated_at"`. An index on it keeps the look cheap. */
    readonly column?: string;
    readonly name?: string;
  };

interface Place {
  readonly latest: unknown;
  /** Rows at exactly that time, so that another one at the same time is noticed. */
  readonly ties: number;
}

/**
 * Looks for rows of a table that were changed since the last look; they raise one trigger, with the parameters `{ table, updated, latest }`. A row that is committed later
 * than one with a newer time is not noticed: where transactions are long, use a sequence with {@link sqlSensor}, or a trigger in the same transaction.
 *
 * @throws HeadgateError `INVALID_ARGUMENT`, `INVALID_DURATION`
 */
export function changedRowsSensor(options: ChangedRowsOptions): Sensor {
  checkOptions(
    options,
    { ...SENSOR_TIMING, ...ADDRESS_OPTIONS, ...SQL_SOURCE, table: true, column: true, name: true },
    "changedRowsSensor",
  );
  const { table, column = "updated_at" } = options;
  const [from, at] = [table, column].map((name) => quoted(name));
  const timing = timingOf(options.name ?? `changed rows of ${table}`.slice(0, 100), options);
  const limits = { rows: 1, bytes: BYTES_AT_ONCE, timeoutMs: timing.timeoutMs };
  const database = sqlDatabase(options, options, "changedRowsSensor", limits);
  const end = `CAST(max(${at}) AS TEXT) AS latest, (SELECT count(*) FROM ${from} WHERE ${at} = (SELECT max(${at}) FROM ${from})) AS ties FROM ${from}`;
  const first = `SELECT count(${at}) AS newer, 0 AS same, ${end}`;
  const sum = (sign: string) => `coalesce(sum(CASE WHEN ${at} ${sign} $1 THEN 1 ELSE 0 END), 0)`;
  const next = `SELECT ${sum(">")} AS newer, ${sum("=")} AS same, ${end} WHERE ${at} >= $1`;
  return {
    ...timing,
    poll: async ({ cursor, signal }) => {
      const last = cursor as Place | null;
      const isFirst = last === null || last.latest === null;
      const [row = {}] = await database.query(isFirst ? first : next, isFirst ? [] : [last.latest], signal);
      const latest = row.latest ?? last?.latest ?? null;
      const place: Place = { latest, ties: row.latest === null ? (last?.ties ?? 0) : Number(row.ties ?? 0) };
      if (last === null) return { events: [], cursor: place };
      const updated = Number(row.newer ?? 0) + Math.max(0, Number(row.same ?? 0) - last.ties);
      if (updated === 0) return { events: [], cursor: place };
      return { events: [{ reason: `${updated} rows of ${table} were changed`, parameters: { table, updated, latest } }], cursor: place };
    },
  };
}

/** A name as SQL has it. */
function quoted(name: string): string {
  const parts = typeof name === "string" ? name.split(".") : [];
  if (parts.length === 0 || parts.length > 3 || parts.some((part) => !/^[A-Za-z_][\w$]{0,62}$/.test(part)))
    throw new HeadgateError("INVALID_ARGUMENT", `changedRowsSensor: ${quote(name)} is not a valid identifier of a table or column`);
  return parts.map((part) => `"${part}"`).join(".");
}

function bad(problem: string): HeadgateError {
  return new HeadgateError("INVALID_ARGUMENT", `sqlSensor: ${problem}`);
}
