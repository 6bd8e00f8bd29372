import { HeadgateError } from "../../base/errors.js";
import { requireHere } from "./load-peer.js";

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
  const load = requireHere();
  const native = attempt(() => load("node:sqlite") as { DatabaseSync: new (file: string) => SqliteConnection });
  if (native !== null) return new native.DatabaseSync(file);
  const peer = attempt(() => load("better-sqlite3") as SqlitePeer);
  if (peer === null) throw missing("sqliteStore");
  return openWith(peer, file);
}

/** Returns why this process cannot open SQLite files, a `MISSING_PEER`; `null` where it can. */
export function sqliteProblem(): HeadgateError | null {
  try {
    connect(":memory:").close();
    return null;
  } catch (error) {
    if (error instanceof HeadgateError && error.code === "MISSING_PEER") return error;
    throw error;
  }
}

type SqlitePeer = new (file: string) => SqliteConnection;

/**
 * Opens a file with better-sqlite3, which loads its binary only now: one that was never built, as after an installation without scripts, is a peer that is missing.
 *
 * @throws HeadgateError `MISSING_PEER`
 */
export function openWith(Peer: SqlitePeer, file: string): SqliteConnection {
  try {
    return new Peer(file);
  } catch (cause) {
    throw unbuilt(cause) ?? cause;
  }
}

/** Returns what to say of an error of better-sqlite3 whose binary was not built, or is not one that this Node takes; `null` for other errors. */
export function unbuilt(cause: unknown): HeadgateError | null {
  const { code, message } = (cause ?? {}) as { code?: unknown; message?: unknown };
  if (code !== "ERR_DLOPEN_FAILED" && !String(message).startsWith("Could not locate the bindings file")) return null;
  return new HeadgateError(
    "MISSING_PEER",
    "SQLite: better-sqlite3 is installed, but its binary was not built, or not for this Node: npm rebuild better-sqlite3 --ignore-scripts=false (pnpm: pnpm approve-builds), or run Node 22.13 or newer",
    { details: { package: "better-sqlite3" }, cause },
  );
}

/** Returns the module by which another process opens SQLite: Node's own, or the path of the peer. */
export function driverModule(): string {
  const load = requireHere();
  if (attempt(() => load("node:sqlite") as unknown) !== null) return "node:sqlite";
  const peer = attempt(() => load.resolve("better-sqlite3"));
  if (peer !== null) return peer;
  throw missing("reading SQLite");
}

function missing(what: string): HeadgateError {
  return new HeadgateError(
    "MISSING_PEER",
    `${what} needs the package better-sqlite3, as this Node has no node:sqlite: npm install better-sqlite3, or run Node 22.13 or newer`,
    { details: { package: "better-sqlite3" } },
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
