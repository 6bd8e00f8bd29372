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

/** Opens a file with the driver that this Node has. */
export function connect(file: string): SqliteConnection {
  const load = createRequire(import.meta.url);
  const native = attempt(() => load("node:sqlite") as { DatabaseSync: new (file: string) => SqliteConnection });
  if (native !== null) return new native.DatabaseSync(file);
  const peer = attempt(() => load("better-sqlite3") as new (file: string) => SqliteConnection);
  if (peer !== null) return new peer(file);
  throw missing("sqliteStore");
}

/** Returns the module by which another process opens SQLite: Node's own, or the path of the peer. */
export function driverModule(): string {
  const load = createRequire(import.meta.url);
  if (attempt(() => load("node:sqlite") as unknown) !== null) return "node:sqlite";
  const peer = attempt(() => load.resolve("better-sqlite3"));
  if (peer !== null) return peer;
  throw missing("asking SQLite");
}

function missing(what: string): HeadgateError {
  return new HeadgateError("MISSING_PEER", `${what}: this Node has no node:sqlite; npm install better-sqlite3, or run Node 22.13 or newer`);
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
