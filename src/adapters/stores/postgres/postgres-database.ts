import { createRequire } from "node:module";
import type { ClientBase, Pool, PoolClient } from "pg";
import { HeadgateError, quote } from "../../../base/errors.js";
import type { Database, Dialect, Row, Session, Step } from "../sql/database.js";
import { migrations } from "../sql/schema.js";
import { type ColumnType, encoded } from "../sql/table.js";
import { isCollision, translate } from "./errors.js";
import { Notices } from "./notices.js";
import type { PostgresStoreOptions } from "./postgres-store.js";

const TYPES = { text: 'text COLLATE "C"', int: "bigint", real: "double precision", bool: "boolean" };
const TYPE_NAMES: Readonly<Record<ColumnType, string>> = { text: "text", json: "text", int: "bigint", real: "float8", bool: "boolean" };
const POLL_MS = 5_000;
const COLLISIONS = 5;
/**
 * A queue's index is full of entries that are dead until the next vacuum. A plain index scan marks them as it meets them and passes over them from then on; a bitmap
 * scan, which the planner likes for such tables, meets all of them every time.
 */
const PLAIN_SCANS = "-c enable_bitmapscan=off";

export function postgresDatabase(options: PostgresStoreOptions): Database {
  const schema = options.schema ?? "headgate";
  if (!/^[a-z_][a-z0-9_]{0,62}$/.test(schema)) {
    throw new HeadgateError(
      "INVALID_ARGUMENT",
      `postgresStore: schema ${quote(schema)} must be 1 to 63 lower-case letters, digits or underscores`,
    );
  }
  const dialect: Dialect = {
    name: (table) => `"${schema}"."${table}"`,
    isIn: (place) => `= ANY($${place}::text[])`,
    list: (values) => values,
    forUpdate: " FOR NO KEY UPDATE",
    skipLocked: " FOR NO KEY UPDATE SKIP LOCKED",
  };
  const isOwn = options.pool === undefined;
  let pool: Pool | null = options.pool ?? null;
  let notices: Notices | null = null;
  const opened = (): Pool => {
    if (pool === null) throw new HeadgateError("STORE_UNAVAILABLE", "postgresStore: it is not open");
    return pool;
  };
  /** The statements of the hot path are prepared once per connection, under a name of their text. */
  const names = new Map<string, string>();
  const nameOf = (sql: string) => {
    let name = names.get(sql);
    if (name === undefined && names.size < 300) {
      name = `headgate_${schema}_${names.size}`;
      names.set(sql, name);
    }
    return name;
  };
  const ask = async (on: Pool | ClientBase, sql: string, values: readonly unknown[]): Promise<readonly Row[]> => {
    const name = nameOf(sql);
    const config = { text: sql, values: [...values], ...(name === undefined ? {} : { name }) };
    return (await (on as ClientBase).query(config)).rows as readonly Row[];
  };
  const sessionOn = (on: () => Pool | ClientBase): Session => ({
    dialect,
    query: (sql, values = []) => translating(ask(on(), sql, values)),
    insert: async (table, records, { unlessThere = false, tell: isNews = false } = {}) => {
      const tell = isNews && notices?.hasOthers === true;
      if (records.length === 0) return new Set();
      const values: unknown[] = [];
      const key = table.columns[0]?.name;
      const conflict = unlessThere ? " ON CONFLICT DO NOTHING" : "";
      const add = `${insertion(dialect, table, records, values)}${conflict} RETURNING "${key}" AS id`;
      const sql = tell
        ? `WITH added AS (${add}), told AS (SELECT pg_notify('headgate_${schema}', $${values.length + 1})) SELECT id FROM added, told`
        : add;
      if (tell) values.push(notices?.self ?? "");
      const rows = await translating(ask(on(), sql, values));
      return new Set(rows.map(({ id }) => String(id)));
    },
    write: async (steps) => {
      const wanted = steps.filter(({ records }) => records.length > 0);
      if (wanted.length === 0) return;
      const values: unknown[] = [];
      const parts = wanted.map(({ table, records, fields }) =>
        fields === null ? insertion(dialect, table, records, values) : change(dialect, table, records, fields, values),
      );
      const [only] = parts;
      const sql =
        parts.length === 1 && only !== undefined
          ? only
          : `WITH ${parts.map((part, index) => `w${index} AS (${part})`).join(", ")} SELECT 1`;
      await translating(ask(on(), sql, values));
    },
  });

  const once = async <T>(work: (session: Session) => Promise<T>, kind: "records" | "claims"): Promise<T> => {
    const client = await translating(opened().connect());
    let isBroken = false;
    const breaks = () => {
      isBroken = true; // the statement under way fails too, and that error is told
    };
    client.on("error", breaks);
    try {
      await client.query(
        kind === "claims"
          ? `BEGIN; SET LOCAL synchronous_commit TO off; SET LOCAL enable_bitmapscan TO off; SELECT pg_advisory_xact_lock(${lockOf(schema, 2)})`
          : "BEGIN",
      );
      const answer = await work(sessionOn(() => client));
      await client.query("COMMIT");
      return answer;
    } catch (error) {
      await client.query("ROLLBACK").catch(() => {
        isBroken = true;
      });
      throw translate(error);
    } finally {
      client.off("error", breaks);
      client.release(isBroken);
    }
  };

  const leave = async () => {
    if (!isOwn) return;
    await pool?.end();
    pool = null;
  };

  return {
    name: "postgres",
    pollMs: POLL_MS,
    open: async () => {
      if (notices !== null) return;
      pool ??= await newPool(options);
      try {
        await translating(migrate(pool, schema, dialect));
        const listening = new Notices(pool, `headgate_${schema}`);
        await translating(listening.listen());
        notices = listening;
      } catch (error) {
        await leave();
        throw error;
      }
    },
    close: async () => {
      await notices?.close();
      notices = null;
      await leave();
    },
    transaction: async (work, kind = "records") => {
      notices?.keep();
      for (let attempt = 1; ; attempt++) {
        try {
          return await once(work, kind);
        } catch (error) {
          if (attempt >= COLLISIONS || !isCollision(error)) throw error;
        }
      }
    },
    session: sessionOn(opened),
    joined: (transaction) => {
      if (typeof (transaction as ClientBase | null)?.query !== "function") {
        throw new HeadgateError("INVALID_ARGUMENT", "transaction: give the pg client on which your transaction is open");
      }
      return sessionOn(() => transaction as ClientBase);
    },
    notify: () => notices?.send(),
    subscribe: (onChange) => notices?.subscribe(onChange) ?? (() => {}),
    serverTime: async () => {
      const [row] = await translating(ask(opened(), "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now", []));
      return Number(row?.now);
    },
  };
}

type Named = Step["table"];

/** One statement for any number of rows: a column is an array, or plain values for a single row. They are added to `values`. */
function insertion(dialect: Dialect, table: Named, records: readonly object[], values: unknown[]): string {
  const columns = table.columns.map(({ name }) => `"${name}"`).join(", ");
  const rows =
    records.length === 1
      ? `VALUES (${scalars(table.columns, records[0] as object, values)})`
      : `SELECT * FROM unnest(${arrays(table.columns, records, values)})`;
  return `INSERT INTO ${dialect.name(table.name)} (${columns}) ${rows}`;
}

function change(dialect: Dialect, table: Named, records: readonly object[], fields: readonly string[], values: unknown[]): string {
  const columns = table.columns.filter(({ field }, index) => index === 0 || fields.includes(field));
  const [key, ...rest] = columns.map(({ name }) => `"${name}"`);
  const sets = rest.map((name) => `${name} = r.${name}`).join(", ");
  const names = [key, ...rest].join(", ");
  const from =
    records.length === 1 ? `(VALUES (${scalars(columns, records[0] as object, values)}))` : `unnest(${arrays(columns, records, values)})`;
  return `UPDATE ${dialect.name(table.name)} t SET ${sets} FROM ${from} AS r(${names}) WHERE t.${key} = r.${key}`;
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

function fieldOf(record: object, field: string, type: ColumnType): unknown {
  return encoded(type, (record as Readonly<Record<string, unknown>>)[field]);
}

async function translating<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw translate(error);
  }
}

async function newPool(options: PostgresStoreOptions): Promise<Pool> {
  type Library = { Pool: new (config: object) => Pool };
  let library: Library;
  try {
    library = createRequire(import.meta.url)("pg") as Library;
  } catch (cause) {
    throw new HeadgateError("MISSING_PEER", "postgresStore needs the package pg: npm install pg", { cause });
  }
  const config = "poolConfig" in options ? options.poolConfig : {};
  const pool = new library.Pool({
    connectionTimeoutMillis: 5_000,
    application_name: "headgate",
    options: PLAIN_SCANS,
    max: 10,
    ...config,
    connectionString: options.connectionString,
  });
  pool.on("error", () => {}); // an idle connection that broke is replaced when one is needed, and that error is told then
  return pool;
}

/** Forward only, one node at a time, however many start at once. */
async function migrate(pool: Pool, schema: string, dialect: Dialect): Promise<void> {
  const client: PoolClient = await pool.connect();
  const breaks = () => {}; // the statement under way fails too, and that error is told
  client.on("error", breaks);
  const steps = migrations(dialect.name, TYPES);
  try {
    await client.query(`SELECT pg_advisory_lock(${lockOf(schema, 1)})`);
    try {
      await client.query(`CREATE SCHEMA IF NOT EXISTS "${schema}"`);
      await client.query(
        `CREATE TABLE IF NOT EXISTS ${dialect.name("migrations")} (version int PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())`,
      );
      const { rows } = await client.query(`SELECT coalesce(max(version), 0)::int AS version FROM ${dialect.name("migrations")}`);
      const version = Number((rows[0] as Row).version);
      if (version > steps.length) {
        throw new HeadgateError(
          "STORE_INCOMPATIBLE",
          `schema ${schema} has version ${version}, this headgate knows ${steps.length}; upgrade headgate`,
          {
            details: { version, known: steps.length },
          },
        );
      }
      for (const [index, statements] of steps.entries()) {
        if (index < version) continue;
        await client.query(
          ["BEGIN", ...statements, `INSERT INTO ${dialect.name("migrations")} (version) VALUES (${index + 1})`, "COMMIT"].join(";\n"),
        );
      }
    } finally {
      await client.query(`ROLLBACK; SELECT pg_advisory_unlock(${lockOf(schema, 1)})`).catch(() => {}); // a broken connection has lost its locks
    }
  } finally {
    client.off("error", breaks);
    client.release();
  }
}

/** The key of an advisory lock: ours, of this schema, for a purpose. */
function lockOf(schema: string, purpose: number): string {
  let hash = 0;
  for (const letter of schema) hash = (Math.imul(hash, 31) + letter.charCodeAt(0)) | 0;
  return `${hash}, ${0x6867 * 16 + purpose}`;
}
