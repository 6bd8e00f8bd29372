import { type MemoryStoreOptions, memoryStore } from "../adapters/stores/memory/memory-store.js";
import { postgresStore } from "../adapters/stores/postgres/postgres-store.js";
import type { RetentionOptions } from "../adapters/stores/sql/sql-store.js";
import { sqliteStore } from "../adapters/stores/sqlite/sqlite-store.js";
import { HeadgateError, quote } from "../base/errors.js";
import { checkOptions } from "../base/options.js";
import type { Store } from "../ports/store.js";

/**
 * A store by its address: `postgres://user@host/database` (or `postgresql:`; `?schema=name` chooses the schema), `sqlite:./headgate.db`, `sqlite:///var/lib/headgate.db`,
 * or `memory:`; with `retention`, what is kept of what has ended. The password of an address never stands in an error.
 *
 * @throws HeadgateError `INVALID_ARGUMENT` for anything else, and what the store itself throws
 * @example
 * createScheduler({ pipelines, store: storeFromUrl(process.env.DATABASE_URL ?? "sqlite:./headgate.db") });
 */
export function storeFromUrl(url: string, options: { retention?: RetentionOptions } = {}): Store {
  checkOptions(options, { retention: true }, "storeFromUrl");
  const scheme = /^([a-z]+):/.exec(String(url))?.[1];
  if (scheme === "memory") return memoryStore(inMemory(options));
  if (scheme === "sqlite") {
    const file = decodeURIComponent(url.slice("sqlite:".length).replace(/^\/\/(?=\/)/, ""));
    if (file !== "" && !file.startsWith("//")) return sqliteStore({ file, ...options });
  }
  if (scheme === "postgres" || scheme === "postgresql") return fromPostgresUrl(url, options);
  throw invalid(`${quote(scheme === undefined ? "" : `${scheme}:`)} is not a store URL`);
}

function fromPostgresUrl(url: string, options: { retention?: RetentionOptions }): Store {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw invalid("it is not a well-formed URL");
  }
  const schema = parsed.searchParams.get("schema");
  parsed.searchParams.delete("schema");
  return postgresStore({ connectionString: parsed.toString(), ...(schema === null ? {} : { schema }), ...options });
}

/** The memory store keeps its audit log by number. */
function inMemory({ retention }: { retention?: RetentionOptions }): MemoryStoreOptions {
  if (retention === undefined) return {};
  const { audit: _, ...kept } = retention;
  return { retention: kept };
}

function invalid(problem: string): HeadgateError {
  const forms = "postgres://user@host/database, sqlite:./file.db or memory:";
  return new HeadgateError("INVALID_ARGUMENT", `storeFromUrl: ${problem}; use ${forms}`);
}
