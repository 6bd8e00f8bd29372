import { HeadgateError, quote } from "../../../base/errors.js";
import type { Database, Dialect, Row, Session } from "../sql/database.js";
import { migrations } from "../sql/schema.js";
import { encoded, type Table } from "../sql/table.js";
import { connect, type SqliteConnection, type SqliteStatement } from "./driver.js";
import type { SqliteStoreOptions } from "./sqlite-store.js";

const TYPES = { text: "TEXT", int: "INTEGER", real: "REAL", bool: "INTEGER" };
/** SQLite's own wait for another process's lock; it holds up this process meanwhile. */
const BUSY_MS = 1_000;
const POLL_MS = 1_000;

const DIALECT: Dialect = {
  name: (table) => `"${table}"`,
  isIn: (place) => `IN (SELECT value FROM json_each($${place}))`,
  list: (values) => JSON.stringify(values),
  forUpdate: "",
  skipLocked: "",
};

export function sqliteDatabase({ file, synchronous = "full" }: SqliteStoreOptions): Database {
  if (typeof file !== "string" || file === "") throw new HeadgateError("INVALID_ARGUMENT", "sqliteStore: file must be a path");
  if (synchronous !== "full" && synchronous !== "normal") {
    throw new HeadgateError("INVALID_ARGUMENT", `sqliteStore: synchronous ${quote(synchronous)} is unknown; allowed: full, normal`);
  }
  let connection: SqliteConnection | null = null;
  const statements = new Map<string, Prepared>();
  /** One transaction at a time: they share a connection. */
  let line: Promise<unknown> = Promise.resolve();

  const prepared: Prepare = (sql) => {
    if (connection === null) throw new HeadgateError("STORE_UNAVAILABLE", `sqliteStore: ${file} is not open`);
    let statement = statements.get(sql);
    if (statement === undefined) {
      statement = prepare(connection, sql);
      if (statements.size > 500) statements.clear();
      statements.set(sql, statement);
    }
    return statement;
  };
  const own = sessionOf(prepared, file);

  const transaction = async <T>(work: (session: Session) => Promise<T>): Promise<T> => {
    translated(file, () => prepared("BEGIN IMMEDIATE").run());
    try {
      const answer = await work(own);
      translated(file, () => prepared("COMMIT").run());
      return answer;
    } catch (error) {
      try {
        prepared("ROLLBACK").run();
      } catch {
        // a failed statement may have rolled back already; the first error is the one to tell
      }
      throw error;
    }
  };
  const inLine = <T>(work: () => Promise<T>): Promise<T> => {
    const result = line.then(work);
    line = result.catch(() => {});
    return result;
  };

  return {
    name: "sqlite",
    pollMs: POLL_MS,
    open: async () => {
      if (connection !== null) return;
      connection = translated(file, () => connect(file));
      try {
        translated(file, () => {
          connection?.exec(`PRAGMA busy_timeout = ${BUSY_MS}`);
          connection?.exec("PRAGMA journal_mode = WAL");
          connection?.exec(`PRAGMA synchronous = ${synchronous.toUpperCase()}`);
        });
        await inLine(() => transaction((session) => migrate(session, file)));
      } catch (error) {
        connection.close();
        connection = null;
        statements.clear();
        throw error;
      }
    },
    close: async () => {
      await line;
      statements.clear();
      connection?.close();
      connection = null;
    },
    transaction: (work) => inLine(() => transaction(work)),
    session: {
      dialect: DIALECT,
      query: (sql, values) => inLine(() => own.query(sql, values)),
      insert: (table, records, options) => inLine(() => transaction((session) => session.insert(table, records, options))),
      write: (steps) => inLine(() => transaction((session) => session.write(steps))),
    },
    joined: () => {
      throw new HeadgateError("INVALID_ARGUMENT", "transaction: only the PostgreSQL store can join a transaction of yours");
    },
    notify: () => {}, // other processes look once a second
    subscribe: () => () => {},
    serverTime: async () => null, // the same machine, the same clock
  };
}

type Prepared = Pick<SqliteStatement, "all" | "run">;
type Prepare = (sql: string) => Prepared;

/** Numbered places as the plain ones that both drivers take; a value that is used twice is bound twice. */
function prepare(connection: SqliteConnection, sql: string): Prepared {
  const order: number[] = [];
  const statement = connection.prepare(
    sql.replaceAll(/\$(\d+)/g, (_, place: string) => {
      order.push(Number(place) - 1);
      return "?";
    }),
  );
  const placed = (values: readonly unknown[]) => order.map((index) => values[index]);
  return { all: (...values) => statement.all(...placed(values)), run: (...values) => statement.run(...placed(values)) };
}

function sessionOf(prepared: Prepare, file: string): Session {
  return {
    dialect: DIALECT,
    query: async (sql, values = []) =>
      translated(file, () => prepared(sql)[sql.startsWith("SELECT") ? "all" : "run"](...values)) as readonly Row[],
    insert: async (table, records, { unlessThere = false } = {}) => insertAll(prepared, file, table, records, unlessThere),
    write: async (steps) => {
      for (const { table, records, fields } of steps) {
        if (fields === null) insertAll(prepared, file, table, records, false);
        else updateAll(prepared, file, table, records, fields);
      }
    },
  };
}

type Named = Pick<Table<never>, "name" | "columns">;

function insertAll(prepared: Prepare, file: string, table: Named, records: readonly object[], unlessThere: boolean): ReadonlySet<string> {
  const added = new Set<string>();
  const names = table.columns.map(({ name }) => `"${name}"`).join(", ");
  const places = table.columns.map((_, index) => `$${index + 1}`).join(", ");
  const sql = `INSERT INTO "${table.name}" (${names}) VALUES (${places})${unlessThere ? " ON CONFLICT DO NOTHING" : ""}`;
  translated(file, () => {
    for (const record of records) {
      const values = table.columns.map(({ field, type }) => bound(encoded(type, fieldOf(record, field))));
      if (Number(prepared(sql).run(...values).changes) > 0) added.add(String(values[0]));
    }
  });
  return added;
}

function updateAll(prepared: Prepare, file: string, table: Named, records: readonly object[], fields: readonly string[]): void {
  const [key] = table.columns;
  const columns = table.columns.filter(({ field }) => fields.includes(field));
  const sets = columns.map(({ name }, index) => `"${name}" = $${index + 1}`).join(", ");
  const sql = `UPDATE "${table.name}" SET ${sets} WHERE "${key?.name}" = $${columns.length + 1}`;
  translated(file, () => {
    for (const record of records) {
      const values = columns.map(({ field, type }) => bound(encoded(type, fieldOf(record, field))));
      prepared(sql).run(...values, fieldOf(record, key?.field ?? "id"));
    }
  });
}

function fieldOf(record: object, field: string): unknown {
  return (record as Readonly<Record<string, unknown>>)[field];
}

/** SQLite has no booleans. */
function bound(value: unknown): unknown {
  return typeof value === "boolean" ? Number(value) : value;
}

async function migrate(session: Session, file: string): Promise<void> {
  const steps = migrations(DIALECT.name, TYPES);
  const [row] = await session.query("SELECT user_version FROM pragma_user_version");
  const version = Number(row?.user_version ?? 0);
  if (version > steps.length) {
    throw new HeadgateError(
      "STORE_INCOMPATIBLE",
      `${file} has schema version ${version}, this headgate knows ${steps.length}; upgrade headgate`,
      {
        details: { version, known: steps.length },
      },
    );
  }
  for (const statement of steps.slice(version).flat()) await session.query(statement);
  await session.query(`PRAGMA user_version = ${steps.length}`);
}

/** SQLite's errors as ours. */
function translated<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof HeadgateError || !(error instanceof Error)) throw error;
    const text = `${(error as { code?: string }).code ?? ""} ${(error as { errstr?: string }).errstr ?? ""} ${error.message}`;
    const as = (code: ConstructorParameters<typeof HeadgateError>[0], advice: string) =>
      new HeadgateError(code, `sqliteStore: ${file}: ${error.message}; ${advice}`, { cause: error, details: { file } });
    if (/SQLITE_BUSY|SQLITE_LOCKED|is locked/i.test(text)) throw as("STORE_UNAVAILABLE", "another process is writing to it for long");
    if (/SQLITE_FULL|is full/i.test(text)) throw as("STORE_FULL", "make room on its disk");
    if (/SQLITE_READONLY|readonly/i.test(text)) throw as("STORE_READ_ONLY", "let this process write to the file and its directory");
    if (/SQLITE_NOTADB|not a database|SQLITE_CORRUPT|malformed/i.test(text))
      throw as("STORE_CORRUPT", "restore it from a backup, or choose another file");
    if (/SQLITE_CANTOPEN|SQLITE_IOERR|unable to open|cannot open|disk I\/O/i.test(text))
      throw as("STORE_UNAVAILABLE", "does its directory exist, and may this process write there?");
    throw error;
  }
}
