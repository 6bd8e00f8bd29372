import { HeadgateError, quote } from "../../base/errors.js";
import type { OptionNames } from "../../base/options.js";
import { type AddressOptions, AddressRule } from "./address.js";
import { askPostgres } from "./postgres-query.js";
import { postgresTarget } from "./postgres-url.js";
import type { SqlDatabase, SqlLimits, SqlRow, SqlSource } from "./sql-source.js";
import { readSqlite } from "./sqlite-reader.js";

export const SQL_SOURCE: OptionNames<SqlSource> = { url: true, pool: true };

/** @throws HeadgateError `INVALID_ARGUMENT` for an address that is neither, or has parts that are not allowed */
export function sqlDatabase(source: SqlSource, options: AddressOptions, where: string, limits: SqlLimits): SqlDatabase {
  if ("pool" in source) {
    if (typeof source.pool?.query !== "function") throw new HeadgateError("INVALID_ARGUMENT", `${where}: pool: must be a pool of pg`);
    return { label: "a pool", query: async (sql, values) => (await failing(source.pool.query(sql, [...values]))).rows as SqlRow[] };
  }
  const { url } = source;
  if (typeof url === "string" && /^sqlite:/.test(url)) {
    const file = url.replace(/^sqlite:(?:\/\/(?=\/))?/, "");
    if (file === "" || file.includes("\0"))
      throw new HeadgateError("INVALID_ARGUMENT", `${where}: sqlite: must be a path, such as sqlite:data/flights.db`);
    return { label: `sqlite:${file}`, query: (sql, values, signal) => failing(readSqlite(file, { sql, values }, limits, signal), signal) };
  }
  if (typeof url === "string" && /^postgres(?:ql)?:\/\//.test(url)) {
    const rule = new AddressRule(options);
    const target = postgresTarget(url, rule.isOpen, where);
    const { host, port, database } = target;
    const label = `postgres://${host.includes(":") ? `[${host}]` : host}${port === 5432 ? "" : `:${port}`}/${database}`;
    return { label, query: (sql, values, signal) => failing(askPostgres(target, rule, { sql, values }, limits, signal), signal) };
  }
  throw new HeadgateError("INVALID_ARGUMENT", `${where}: url is required, such as postgres://user@host/database or sqlite:path`);
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
      `the database is not responding (${code === undefined ? "" : `${code}: `}${quote(message, 200)})`,
      { cause },
    );
  }
}
