import type { Pool, PoolConfig } from "pg";
import { checkOptions, type OptionNames } from "../../../base/options.js";
import type { Store } from "../../../ports/store.js";
import { type RetentionOptions, sqlStore } from "../sql/sql-store.js";
import { postgresDatabase } from "./postgres-database.js";

/** Options of {@link postgresStore}: a connection string, or a pool of one's own, which stays open when the store is closed. */
export type PostgresStoreOptions = {
  /** The schema of its tables; made if it is not there. Default `"headgate"`. */
  schema?: string;
  retention?: RetentionOptions;
} & (
  | {
      connectionString: string;
      /**
       * The address of the server itself, for notices between nodes, when `connectionString` leads to a pooler in transaction mode, which passes none on. Default: the
       * nodes look for each other's news once a second.
       */
      noticeConnectionString?: string;
      poolConfig?: Omit<PoolConfig, "connectionString">;
      pool?: never;
    }
  | { pool: Pool; connectionString?: never; noticeConnectionString?: never }
);

const OPTIONS: OptionNames<PostgresStoreOptions> = {
  schema: true,
  retention: true,
  connectionString: true,
  noticeConnectionString: true,
  poolConfig: true,
  pool: true,
};

/**
 * The store for many nodes, on PostgreSQL 12 or newer, with the optional peer `pg` 8. Several schedulers on one schema share the work: each fire time becomes one
 * trigger, each trigger is claimed by one node, and limits hold over all of them. News travel by LISTEN/NOTIFY, and by looking every 5 s when a notice is lost.
 *
 * @throws HeadgateError `MISSING_PEER`, `INVALID_ARGUMENT`; and on `open` (the scheduler's start) `STORE_INCOMPATIBLE` for a newer schema, `STORE_READ_ONLY`,
 *   `STORE_UNAVAILABLE`
 * @example
 * createScheduler({ pipelines, store: postgresStore({ connectionString: "postgres://app@db.example/app" }) });
 */
export function postgresStore(options: PostgresStoreOptions): Store {
  checkOptions(options, OPTIONS, "postgresStore");
  return sqlStore(postgresDatabase(options), options.retention);
}
export type { RetentionOptions } from "../sql/sql-store.js";
