import { createRequire } from "node:module";
import { HeadgateError } from "../../../base/errors.js";

/** The part that the two SQLite drivers have in common. */
export interface SqliteConnection {
  exec(sql: string): unknown;
  prepare(sql: string): SqliteStatement;
  close(): void;
}

export interface SqliteStatement {
  all(...values: readonly unknown[]): unknown[];
  run(...values: readonly unknown[]): { changes: number | bigint };
}

/** Opens a file with the driver that this Node has. */
export function connect(file: string): SqliteConnection {
  const load = createRequire(import.meta.url);
  const native = attempt(() => load("node:sqlite") as { DatabaseSync: new (file: string) => SqliteConnection });
  if (native !== null) return new native.DatabaseSync(file);
  const peer = attempt(() => load("better-sqlite3") as new (file: string) => SqliteConnection);
  if (peer !== null) return new peer(file);
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
