import { createRequire } from "node:module";
import { HeadgateError } from "../../base/errors.js";

/** The part that the two SQLite drivers have in common. */
export interface SqliteConnection {
  exec(sql: string): unknown;
  prepare(sql: string): SqliteStatement;
  close(): void;
}

interface SqliteStatement {
  all(...values: readonly unknown[]): unknown[];
  run(...values: readonly unknown[]): { changes: number | bigint };
}

export type Prepared = Pick<SqliteStatement, "all" | "run">;

/** Numbered places as the plain ones that both drivers take; a value that is used twice is bound twice. */
export function prepare(connection: SqliteConnection, sql: string): Prepared {
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

/** Opens a file with the driver that this Node has; read-only, it must be there. */
export function connect(file: string, { isReadOnly = false } = {}): SqliteConnection {
  const load = createRequire(import.meta.url);
  const native = attempt(() => load("node:sqlite") as { DatabaseSync: new (file: string, options: object) => SqliteConnection });
  if (native !== null) return new native.DatabaseSync(file, { readOnly: isReadOnly });
  const peer = attempt(() => load("better-sqlite3") as new (file: string, options: object) => SqliteConnection);
  if (peer !== null) return new peer(file, { readonly: isReadOnly, fileMustExist: isReadOnly });
  throw new HeadgateError(
    "MISSING_PEER",
    "sqliteStore: this Node has no node:sqlite; npm install better-sqlite3, or run Node 22.13 or newer",
  );
}

function attempt<T>(load: () => T): T | null {
  try {
    return load();
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === "MODULE_NOT_FOUND" || code === "ERR_UNKNOWN_BUILTIN_MODULE") return null;
    throw error;
  }
}
