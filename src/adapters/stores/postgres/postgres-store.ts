import { checkOptions, type OptionNames } from "../../../base/options.js";
import type { Store } from "../../../ports/store.js";
import { sqlStore } from "../sql/sql-store.js";
import type { PostgresStoreOptions } from "./options.js";
import { postgresDatabase } from "./postgres-database.js";

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
export type { PostgresStoreOptions } from "./options.js";
