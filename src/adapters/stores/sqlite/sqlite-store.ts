import { checkOptions } from "../../../base/options.js";
import type { Store } from "../../../ports/store.js";
import { type RetentionOptions, sqlStore } from "../sql/sql-store.js";
import { sqliteDatabase } from "./sqlite-database.js";

/** Options of {@link sqliteStore}. */
export interface SqliteStoreOptions {
  /** Path of the database file; made if it is not there. `":memory:"` keeps it in this process. */
  file: string;
  /**
   * How far a commit goes before it counts: `"full"` survives a power cut (default), `"normal"` survives a crash of the process, and a power cut may undo
   * the newest commits.
   */
  synchronous?: "full" | "normal";
  /** What is kept of what has ended. Default: the newest million triggers, for 90 days; audit records for 400 days. */
  retention?: RetentionOptions;
}

/**
 * The embedded durable store: one file, no server. Uses `node:sqlite` where Node has it, else `better-sqlite3`, an optional dependency. Several processes on
 * one file are safe; they notice each other's triggers within a second.
 *
 * @throws HeadgateError `MISSING_PEER`, `INVALID_ARGUMENT`; and on `open` (the scheduler's start) `STORE_INCOMPATIBLE` for a file of a newer version, `STORE_READ_ONLY`,
 *   `STORE_CORRUPT` for a file that is no database, `STORE_UNAVAILABLE`
 * @example
 * createScheduler({ pipelines, store: sqliteStore({ file: "./headgate.db" }) });
 */
export function sqliteStore(options: SqliteStoreOptions): Store {
  checkOptions(options, { file: true, synchronous: true, retention: true }, "sqliteStore");
  return sqlStore(sqliteDatabase(options), options.retention);
}
export type { RetentionOptions } from "../sql/sql-store.js";
