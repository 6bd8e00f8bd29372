import type { RetentionOptions } from "../sql/sql-store.js";

/** Options of `sqliteStore`. */
export interface SqliteStoreOptions {
  /** Path of the database file; made if it is not there. `":memory:"` keeps it in this process. */
  file: string;
  /**
   * Durability of a commit: `"full"` survives a power cut (default), `"normal"` survives a crash of the process, and a power cut may undo
   * the newest commits.
   */
  synchronous?: "full" | "normal";
  /** Retention of finished records. Default: the newest million triggers, for 90 days; audit records for 400 days. */
  retention?: RetentionOptions;
}
