import type { Client, ClientBase, Pool } from "pg";
import { loadPeer } from "../../shared/load-peer.js";
import type { Connections } from "./connections.js";
import type { PostgresStoreOptions } from "./options.js";

/**
 * Planner settings for our statements, whatever the server knows of the tables. Every one of ours reads rows by an index; but a plan that was made while a table was small, or before statistics were gathered, reads the
 * whole table instead, and a prepared statement keeps it while the table grows. Bitmap scans are off since a queue's index is full of entries that are dead until the next vacuum: a plain scan marks them as it meets
 * them and passes over them from then on, a bitmap scan meets all of them every time. Compiling a plan takes longer than any statement of ours.
 */
export const PLANNER: readonly string[] = ["enable_seqscan", "enable_bitmapscan", "enable_hashjoin", "enable_mergejoin", "jit"];
/** The same for a session, among the parameters of its connection. */
const SESSION_PLANNER = PLANNER.map((setting) => `-c ${setting}=off`).join(" ");
/** The same for a transaction on a session that is not ours to set. */
export const TRANSACTION_PLANNER = PLANNER.map((setting) => `SET LOCAL ${setting} TO off`).join("; ");
/**
 * Time a transaction may stand still, wait for a lock, and take over one statement: a node that hangs, is stopped, or is cut off within one holds up the others
 * for no longer, however it was configured and whatever the server's own limits are. A transaction of ours takes milliseconds.
 */
const IDLE_MS = 2_000;
const LOCK_MS = 5_000;
const STATEMENT_MS = 15_000;
/** Time limit of a response: a connection that was cut off silently never responds. */
export const ANSWER_MS = 20_000;
/** Begins a transaction with limits of its own. */
export const BEGIN =
  `BEGIN; SET LOCAL idle_in_transaction_session_timeout TO ${IDLE_MS}; SET LOCAL lock_timeout TO ${LOCK_MS}; ` +
  `SET LOCAL statement_timeout TO ${STATEMENT_MS}`;

/** A statement whose answer is not waited for without limit. */
export function timed(text: string): { text: string; query_timeout: number } {
  return { text, query_timeout: ANSWER_MS };
}

/** Of the connections to open. */
interface PoolShape {
  /** The most of them. Default 10, or what `poolConfig` says. */
  readonly most?: number;
  /** A pooler in between refuses parameters of a session. */
  readonly isPlain?: boolean;
  /** Default: the store's own address. */
  readonly connectionString?: string | undefined;
  readonly connections: Connections;
}

/** Opens the connections of a store. @throws HeadgateError `MISSING_PEER` */
export async function newPool(
  options: PostgresStoreOptions,
  { most, isPlain = false, connectionString, connections }: PoolShape,
): Promise<Pool> {
  type Library = { Pool: new (config: object) => Pool; Client: typeof Client };
  const library = loadPeer<Library>("pg", "postgresStore needs");
  const config = "poolConfig" in options ? options.poolConfig : {};
  const parameters = [...(isPlain ? [] : [SESSION_PLANNER]), ...(config?.options === undefined ? [] : [config.options])].join(" ");
  const pool = new library.Pool({
    connectionTimeoutMillis: 5_000,
    application_name: "headgate",
    max: 10,
    keepAlive: true,
    keepAliveInitialDelayMillis: 5_000,
    pipeline: true, // an older pg does not know it, and waits for every answer
    ...config,
    ...(parameters === "" ? {} : { options: parameters }),
    Client: connections.known((config as { Client?: typeof Client } | undefined)?.Client ?? library.Client),
    ...(most === undefined ? {} : { max: most }),
    connectionString: connectionString ?? options.connectionString,
  });
  return pool;
}

/** Returns true when a session plans as {@link PLANNER} says: an address with parameters of its own, or a pooler, may have kept that from it. */
export async function plansWell(client: ClientBase): Promise<boolean> {
  const settings = PLANNER.map((setting) => `current_setting('${setting}') = 'off'`).join(" AND ");
  const { rows } = await client.query(timed(`SELECT ${settings} AS planned`));
  return (rows[0] as { planned: boolean }).planned;
}

/**
 * Listens to the errors of a pool and of its connections, so that none ends the process: a connection that breaks between two statements, or while it changes hands
 * within the pool, is replaced when one is needed, and what fails then says why.
 */
export function guard(pool: Pool): () => void {
  const ignore = () => {};
  const guarded = new WeakSet<ClientBase>();
  const onAcquire = (client: ClientBase) => {
    if (guarded.has(client)) return;
    guarded.add(client);
    client.on("error", ignore);
  };
  pool.on("error", ignore);
  pool.on("acquire", onAcquire);
  return () => {
    pool.off("error", ignore);
    pool.off("acquire", onAcquire);
  };
}
