import { checkOptions } from "../../../base/options.js";
import type { Store } from "../../../ports/store.js";
import { sqlStore } from "../sql/sql-store.js";
import type { SqliteStoreOptions } from "./options.js";
import { sqliteDatabase } from "./sqlite-database.js";

/**
 * The embedded durable store: one file, no server. Uses `node:sqlite` where Node has it (22.13 and newer), else `better-sqlite3`, an optional peer. Several processes on
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
export type { SqliteStoreOptions } from "./options.js";
