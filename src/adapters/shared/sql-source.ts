export type SqlRow = Readonly<Record<string, unknown>>;

/** Where a query is asked: a database by its address, or a pool of `pg` that is open already. */
export type SqlSource =
  /** `postgres://user:password@host/database?schema=…&sslmode=…` (needs the package `pg`) or `sqlite:path`, each asked for reading only. A pool is asked as it is. */
  { readonly url: string } | { readonly pool: { query(sql: string, values?: unknown[]): Promise<{ rows: unknown[] }> } };

/** Limits of size and time for a query. */
export interface SqlLimits {
  /** Rows beyond are not read. */
  readonly rows: number;
  /** More is an error. */
  readonly bytes: number;
  readonly timeoutMs: number;
}

/** A database that is asked now and then. */
export interface SqlDatabase {
  /** For people: without a password. */
  readonly label: string;
  /** Values at `$1`, `$2` … Dates and times are given as the database writes them, in text, so that none of their digits is lost. */
  query(sql: string, values: readonly unknown[], signal: AbortSignal): Promise<readonly SqlRow[]>;
}
