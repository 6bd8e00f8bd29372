import { HeadgateError, quote } from "../../base/errors.js";
import type { OptionNames } from "../../base/options.js";
import { type AddressOptions, AddressRule } from "./address.js";
import { askPostgres } from "./postgres-query.js";
import { postgresTarget } from "./postgres-url.js";
import { readSqlite } from "./sqlite-reader.js";

export type SqlRow = Readonly<Record<string, unknown>>;

/** Where a query is asked: a database by its address, or a pool of `pg` that is open already. */
export type SqlSource =
  /** `postgres://user:password@host/database?schema=…&sslmode=…` (needs the package `pg`) or `sqlite:path`, each asked for reading only. A pool is asked as it is. */
  { readonly url: string } | { readonly pool: { query(sql: string, values?: unknown[]): Promise<{ rows: unknown[] }> } };

export const SQL_SOURCE: OptionNames<SqlSource> = { url: true, pool: true };

/** How much may be read of a database, and how long that may take. */
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

/** @throws HeadgateError `INVALID_ARGUMENT` for an address that is neither, or has parts that are not allowed */
export function sqlDatabase(source: SqlSource, options: AddressOptions, where: string, limits: SqlLimits): SqlDatabase {
  if ("pool" in source) {
    if (typeof source.pool?.query !== "function") throw new HeadgateError("INVALID_ARGUMENT", `${where}: pool: give a pool of pg`);
    return { label: "a pool", query: async (sql, values) => (await failing(source.pool.query(sql, [...values]))).rows as SqlRow[] };
  }
  const { url } = source;
  if (typeof url === "string" && /^sqlite:/.test(url)) {
    const file = url.replace(/^sqlite:(?:\/\/(?=\/))?/, "");
    if (file === "" || file.includes("\0"))
      throw new HeadgateError("INVALID_ARGUMENT", `${where}: sqlite: give a path, such as sqlite:data/flights.db`);
    return { label: `sqlite:${file}`, query: (sql, values, signal) => failing(readSqlite(file, { sql, values }, limits, signal), signal) };
  }
  if (typeof url === "string" && /^postgres(?:ql)?:\/\//.test(url)) {
    const rule = new AddressRule(options);
    const target = postgresTarget(url, rule.isOpen, where);
    const { host, port, database } = target;
    const label = `postgres://${host.includes(":") ? `[${host}]` : host}${port === 5432 ? "" : `:${port}`}/${database}`;
    return { label, query: (sql, values, signal) => failing(askPostgres(target, rule, { sql, values }, limits, signal), signal) };
  }
  throw new HeadgateError("INVALID_ARGUMENT", `${where}: give a url such as postgres://user@host/database or sqlite:path`);
}

/** The text of an error of a database, without the values that it may quote. */
async function failing<T>(work: Promise<T>, signal?: AbortSignal): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    if (cause instanceof HeadgateError || signal?.aborted === true) throw cause;
    const { code, message } = cause as Error & { code?: string };
    throw new HeadgateError(
      "PROBE_FAILED",
      `the database does not answer (${code === undefined ? "" : `${code}: `}${quote(message, 200)})`,
      { cause },
    );
  }
}
