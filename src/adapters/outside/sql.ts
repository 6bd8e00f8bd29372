import { createRequire } from "node:module";
import { builtin } from "../../base/builtin.js";
import { HeadgateError, quote } from "../../base/errors.js";
import { type AddressOptions, AddressRule } from "./address.js";
import { connect, prepare } from "./sqlite-driver.js";

export type SqlRow = Readonly<Record<string, unknown>>;

/** Where a query is asked: a database by its address, or a pool of `pg` that is open already. */
export type SqlSource =
  /** `postgres://…` (needs the package `pg`) or `sqlite:path`, each asked for reading only. */
  { readonly url: string } | { readonly pool: { query(sql: string, values?: unknown[]): Promise<{ rows: unknown[] }> } };

/** A database that is asked now and then. */
export interface SqlDatabase {
  /** For people: without a password. */
  readonly label: string;
  /** Values at `$1`, `$2` … Dates and times are given as the database writes them, in text, so that none of their digits is lost. */
  query(sql: string, values: readonly unknown[], signal: AbortSignal): Promise<readonly SqlRow[]>;
}

/** @throws HeadgateError `INVALID_ARGUMENT` for an address that is neither */
export function sqlDatabase(source: SqlSource, options: AddressOptions, where: string): SqlDatabase {
  if ("pool" in source) {
    if (typeof source.pool?.query !== "function") throw new HeadgateError("INVALID_ARGUMENT", `${where}: pool: give a pool of pg`);
    return { label: "a pool", query: async (sql, values) => (await failing(source.pool.query(sql, [...values]))).rows as SqlRow[] };
  }
  const { url } = source;
  if (typeof url === "string" && /^sqlite:/.test(url)) return sqlite(url.replace(/^sqlite:(?:\/\/(?=\/))?/, ""));
  if (typeof url === "string" && /^postgres(?:ql)?:\/\//.test(url) && URL.canParse(url)) return postgres(url, new AddressRule(options));
  throw new HeadgateError("INVALID_ARGUMENT", `${where}: give a url such as postgres://user@host/database or sqlite:path`);
}

/** The text of an error of a database, without the values that it may quote. */
async function failing<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    if (cause instanceof HeadgateError) throw cause;
    const { code, message } = cause as Error & { code?: string };
    throw new HeadgateError(
      "PROBE_FAILED",
      `the database does not answer (${code === undefined ? "" : `${code}: `}${quote(message, 200)})`,
      { cause },
    );
  }
}

function sqlite(file: string): SqlDatabase {
  if (file === "") throw new HeadgateError("INVALID_ARGUMENT", "sqlite: give a path, such as sqlite:data/flights.db");
  const query = async (sql: string, values: readonly unknown[]) => {
    const connection = connect(file, { isReadOnly: true });
    try {
      connection.exec("PRAGMA busy_timeout = 1000");
      return prepare(connection, sql).all(...values) as SqlRow[];
    } finally {
      connection.close();
    }
  };
  return { label: `sqlite:${file}`, query: (sql, values) => failing(query(sql, values)) };
}

interface Client {
  connect(): Promise<void>;
  query(config: { text: string; values: unknown[] }): Promise<{ rows: unknown[] }>;
  end(): Promise<void>;
  on(event: "error", listener: () => void): void;
}

/** Dates and times stay text: as JavaScript has them they lose digits. */
const AS_TEXT = new Set([1082, 1083, 1114, 1184, 1266]);
const BIGINT = 20;

function postgres(url: string, rule: AddressRule): SqlDatabase {
  const { host, hostname, pathname } = new URL(url);
  const query = async (sql: string, values: readonly unknown[], signal: AbortSignal) => {
    signal.throwIfAborted();
    await allowed(hostname, rule);
    const { Client, types } = library();
    const parserOf = (type: number, format?: string) => {
      if (AS_TEXT.has(type)) return (text: string) => text;
      if (type === BIGINT) return (text: string) => (Number.isSafeInteger(Number(text)) ? Number(text) : text);
      return types.getTypeParser(type, format);
    };
    const client = new Client({
      connectionString: url,
      application_name: "headgate",
      options: "-c default_transaction_read_only=on",
      types: { getTypeParser: parserOf },
    });
    client.on("error", () => {}); // of a connection that broke: the query under way fails too, and that error is told
    const stop = () => void client.end().catch(() => {});
    signal.addEventListener("abort", stop, { once: true });
    try {
      await client.connect();
      return (await client.query({ text: sql, values: [...values] })).rows as SqlRow[];
    } finally {
      signal.removeEventListener("abort", stop);
      await client.end().catch(() => {}); // it has answered, or that it did not is told
    }
  };
  return { label: `postgres://${host}${pathname}`, query: (sql, values, signal) => failing(query(sql, values, signal)) };
}

interface Library {
  Client: new (config: object) => Client;
  types: { getTypeParser(type: number, format?: string): (text: string) => unknown };
}

function library(): Library {
  try {
    return createRequire(import.meta.url)("pg") as Library;
  } catch (cause) {
    throw new HeadgateError("MISSING_PEER", "asking PostgreSQL needs the package pg: npm install pg", { cause });
  }
}

async function allowed(hostname: string, rule: AddressRule): Promise<void> {
  rule.check(hostname);
  const host = hostname.replace(/^\[|\]$/g, "");
  if (host === "" || builtin("node:net").isIP(host) !== 0) return;
  for (const { address } of await builtin("node:dns/promises").lookup(host, { all: true })) rule.check(address);
}
