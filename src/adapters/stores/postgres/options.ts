import type { Pool, PoolConfig } from "pg";
import type { RetentionOptions } from "../sql/sql-store.js";

/** Options of `postgresStore`: a connection string, or your own pool, which stays open when the store is closed. */
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
