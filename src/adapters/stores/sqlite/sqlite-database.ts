import { HeadgateError, quote } from "../../../base/errors.js";
import { addOwnFile } from "../../outside/own-files.js";
import { connect, type Prepared, prepare, type SqliteConnection } from "../../outside/sqlite-driver.js";
import type { Database, Session } from "../sql/database.js";
import { migrations } from "../sql/schema.js";
import { DIALECT, type Prepare, sessionOf, TYPES } from "./dialect.js";
import { translated } from "./errors.js";
import type { SqliteStoreOptions } from "./sqlite-store.js";

/** SQLite's own wait for another process's lock; it holds up this process meanwhile. */
const BUSY_MS = 1_000;
const POLL_MS = 1_000;

export function sqliteDatabase({ file, synchronous = "full" }: SqliteStoreOptions): Database {
  if (typeof file !== "string" || file === "") throw new HeadgateError("INVALID_ARGUMENT", "sqliteStore: file must be a path");
  if (synchronous !== "full" && synchronous !== "normal") {
    throw new HeadgateError("INVALID_ARGUMENT", `sqliteStore: synchronous ${quote(synchronous)} is unknown; allowed: full, normal`);
  }
  let connection: SqliteConnection | null = null;
  let removeOwnFile = () => {};
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
        removeOwnFile = addOwnFile(file);
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
      removeOwnFile();
    },
    transaction: (work) => inLine(() => transaction(work)),
    claiming: (work) => inLine(() => transaction(work)),
    leasing: (work) => inLine(() => transaction(work)),
    session: {
      dialect: DIALECT,
      query: (sql, values) => inLine(() => own.query(sql, values)),
      insert: (table, records, options) => inLine(() => transaction((session) => session.insert(table, records, options))),
      write: (steps) => inLine(() => transaction((session) => session.write(steps))),
      ...(own.yield === undefined ? {} : { yield: own.yield }),
    },
    joined: () => {
      throw new HeadgateError("INVALID_ARGUMENT", "transaction: only the PostgreSQL store can join a transaction of yours");
    },
    notify: () => {}, // other processes look once a second
    subscribe: () => () => {},
    serverTime: async () => null, // the same machine, the same clock
  };
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
