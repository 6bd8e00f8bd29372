import type { Socket } from "node:net";
import { HeadgateError } from "../../base/errors.js";
import { lazyModule } from "../../base/lazy-module.js";
import type { AddressRule } from "./address.js";
import { loadPeer } from "./load-peer.js";
import type { PostgresTarget } from "./postgres-url.js";
import type { SqlLimits, SqlRow } from "./sql-source.js";

interface Stream {
  on(event: "data", listener: (chunk: Uint8Array) => void): unknown;
}

interface Client {
  readonly connection?: { readonly stream: Stream; on(event: "sslconnect", listener: () => void): unknown };
  connect(): Promise<unknown>;
  query(config: { text: string; values?: unknown[]; rows?: number }): Promise<{ rows: unknown[] }>;
  end(): Promise<void>;
  on(event: "error", listener: () => void): void;
}

interface Library {
  Client: new (config: object) => Client;
  types: { getTypeParser(type: number, format?: string): (text: string) => unknown };
}

/** Dates and times stay text: as JavaScript has them they lose digits. */
const AS_TEXT = new Set([1082, 1083, 1114, 1184, 1266]);
const BIGINT = 20;
/** Messages of the protocol beside the rows: greeting, parameters, descriptions. */
const PROTOCOL_BYTES = 65_536;

/**
 * Runs one query on PostgreSQL on a connection of its own, which is configured with checked parts of the url only: nothing of the process's `PG*` environment, no password file. The name is resolved once, and
 * only allowed addresses are connected to. The query is declared as a cursor in a read-only transaction: PostgreSQL's own parser takes one SELECT, VALUES, TABLE or WITH there that changes nothing, no second
 * statement, no COPY. Its limits of time hold on the server too.
 *
 * @throws HeadgateError `PROBE_FAILED`, `ADDRESS_REFUSED`, `MISSING_PEER`, the signal's reason, or what `pg` throws
 */
export async function askPostgres(
  target: PostgresTarget,
  rule: AddressRule,
  { sql, values }: { readonly sql: string; readonly values: readonly unknown[] },
  limits: SqlLimits,
  signal: AbortSignal,
): Promise<readonly SqlRow[]> {
  signal.throwIfAborted();
  rule.check(target.host);
  const socket = pinnedSocket(rule);
  const client = clientOf(target, socket);
  client.on("error", () => {}); // of a connection that broke: the query that waits fails too
  let size = 0;
  let problem: HeadgateError | null = null;
  const count = (chunk: Uint8Array) => {
    size += chunk.length;
    if (size <= limits.bytes + PROTOCOL_BYTES || problem !== null) return;
    problem = new HeadgateError("PROBE_FAILED", `the query returns more than ${limits.bytes} bytes; select fewer columns or rows`);
    socket.destroy(problem);
  };
  socket.on("data", count);
  client.connection?.on("sslconnect", () => client.connection?.stream.on("data", count));
  const stop = () => socket.destroy(signal.reason instanceof Error ? signal.reason : new Error("aborted"));
  signal.addEventListener("abort", stop, { once: true });
  try {
    await client.connect();
    await client.query({ text: openingOf(target, limits) });
    // `rows` has pg use the extended protocol, which takes one statement, also when there are no values
    await client.query({ text: `DECLARE headgate NO SCROLL CURSOR FOR\n${sql}`, values: [...values], rows: 1 });
    return (await client.query({ text: `FETCH FORWARD ${limits.rows} FROM headgate` })).rows as SqlRow[];
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw problem ?? error;
  } finally {
    signal.removeEventListener("abort", stop);
    socket.destroy(); // the server ends the transaction, and nothing is waited for
  }
}

/** Names and integers only. */
function openingOf({ schema }: PostgresTarget, { timeoutMs }: SqlLimits): string {
  const ms = Math.max(1, Math.ceil(timeoutMs));
  const timeouts = ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"].map((name) => `SET LOCAL ${name} = ${ms}`);
  const path = schema === null ? [] : [`SET LOCAL search_path = "${schema}"`];
  return ["BEGIN TRANSACTION READ ONLY", ...timeouts, ...path].join("; ");
}

/** A socket that resolves a name once, to addresses that may be asked. */
function pinnedSocket(rule: AddressRule): Socket {
  const { Socket } = lazyModule("node:net");
  const socket = new Socket();
  const connect = socket.connect.bind(socket);
  return Object.assign(socket, {
    connect: (to: number | string, host?: string) =>
      typeof to === "string" ? connect(to) : connect({ port: to, host: host ?? "", lookup: rule.lookup }),
  });
}

function clientOf({ host, port, database, user, password, tls }: PostgresTarget, socket: Socket): Client {
  const { Client, types } = library();
  const parserOf = (type: number, format?: string) => {
    if (AS_TEXT.has(type)) return (text: string) => text;
    if (type === BIGINT) return (text: string) => (Number.isSafeInteger(Number(text)) ? Number(text) : text);
    return types.getTypeParser(type, format);
  };
  // every part is given: for one that is missing, pg looks into the environment or into a file of passwords
  const client = new Client({
    host,
    port,
    database,
    user,
    password: () => {
      if (password !== null) return password;
      throw new HeadgateError("PROBE_FAILED", "the server requires a password, and the url has none");
    },
    ssl: tls === null ? false : { ...tls, host },
    sslnegotiation: "postgres",
    client_encoding: "utf8",
    application_name: "headgate",
    options: "-c default_transaction_read_only=on",
    connectionTimeoutMillis: 0,
    keepAlive: false,
    ...(process.env.PGREPLICATION === undefined ? {} : { replication: "off" }),
    stream: () => socket,
    types: { getTypeParser: parserOf },
  });
  if (client.connection === undefined)
    throw new HeadgateError("INVALID_ARGUMENT", "pg's native client cannot be used here: unset NODE_PG_FORCE_NATIVE");
  return client;
}

function library(): Library {
  return loadPeer<Library>("pg", "querying PostgreSQL needs");
}
