import { HeadgateError } from "../../base/errors.js";
import type { Instant } from "../../base/instant.js";
import { lazyModule } from "../../base/lazy-module.js";
import { checkOptions, isOptionsObject } from "../../base/options.js";
import type { Health } from "../../gate/conditions/outside.js";
import { PROBE_OPTIONS, type ProbeOptions, policyOf } from "../../gate/probe.js";
import type { Probe } from "../../ports/probe.js";
import { ADDRESS_OPTIONS, type AddressOptions } from "../shared/address.js";
import { SQL_SOURCE, sqlDatabase } from "../shared/sql.js";
import type { SqlSource } from "../shared/sql-source.js";
import { instantOf } from "./http.js";

/** One value is looked at. */
const ONE_ROW = { rows: 1, bytes: 1_048_576 };

/** Query of a database. */
export type SqlQuestion = SqlSource & ProbeOptions & AddressOptions & { readonly query: string };

/**
 * When data was made: the first column of the query's first row; no row, or NULL, is no data yet.
 *
 * @throws HeadgateError `INVALID_ARGUMENT`, `INVALID_DURATION`
 * @example
 * stale({ olderThan: "6h", source: sqlTimestamp({ url: "sqlite:flights.db", query: "SELECT max(landed_at) FROM flights" }) });
 */
export function sqlTimestamp(options: SqlQuestion): Probe<Instant | null> {
  return probeOf("sqlTimestamp", options, (value) => instantOf(value ?? null, options.query));
}

/**
 * A number: the first column of the query's first row.
 *
 * @throws HeadgateError `INVALID_ARGUMENT`, `INVALID_DURATION`
 */
export function sqlNumber(options: SqlQuestion): Probe<number> {
  return probeOf("sqlNumber", options, (value) => {
    const number = typeof value === "string" && value.trim() !== "" ? Number(value) : typeof value === "bigint" ? Number(value) : value;
    if (typeof number === "number" && Number.isFinite(number)) return number;
    throw new HeadgateError("PROBE_FAILED", `the query returned ${JSON.stringify(value) ?? "nothing"} instead of a number`);
  });
}

/**
 * Returns true if a database answers a query (default `SELECT 1`) with a first column that is true, or not 0.
 *
 * @throws HeadgateError `INVALID_ARGUMENT`, `INVALID_DURATION`
 */
export function sqlProbe(options: Omit<SqlQuestion, "query"> & SqlSource & { readonly query?: string }): Probe<Health> {
  return probeOf("sqlProbe", isOptionsObject(options) ? { ...options, query: options.query ?? "SELECT 1" } : options, (value) => {
    const isHealthy = value !== undefined && value !== null && value !== false && value !== 0 && value !== "0" && value !== "f";
    return { isHealthy, reason: isHealthy ? "answers" : `returned ${JSON.stringify(value) ?? "nothing"}` };
  });
}

function probeOf<T>(where: string, options: SqlQuestion, read: (value: unknown) => T): Probe<T> {
  checkOptions(options, { ...SQL_SOURCE, ...PROBE_OPTIONS, ...ADDRESS_OPTIONS, query: true }, where);
  const { query } = options;
  if (typeof query !== "string" || query.trim() === "") throw new HeadgateError("INVALID_ARGUMENT", `${where}: query is required`);
  const policy = policyOf(options, where);
  const database = sqlDatabase(options, options, where, { ...ONE_ROW, timeoutMs: policy.timeoutMs ?? 5_000 });
  return {
    name:
      options.name ??
      `${database.label} #${lazyModule("node:crypto")
        .hash("sha256", JSON.stringify([where, "url" in options ? options.url : "", query]))
        .slice(0, 8)}`,
    ...policy,
    measure: async ({ signal }) => {
      const [row = {}] = await database.query(query, [], signal);
      return read(Object.values(row)[0]);
    },
  };
}
