import type { ClientBase, Pool, PoolClient } from "pg";
import { HeadgateError } from "../../../base/errors.js";
import { type Dialect, newerSchema, type Row } from "../sql/database.js";
import { migrations } from "../sql/schema.js";
import type { Connections } from "./connections.js";
import { lockOf, TYPES } from "./dialect.js";
import { translate } from "./errors.js";
import { timed } from "./pool.js";

/** Time a start waits for another node that migrates; and for how long a migration's transaction may stand still, ms. */
const LOCK_MS = 60_000;
const IDLE_MS = 10_000;

/**
 * Forward only, one node at a time, however many start at once: all of it in one transaction, whose lock ends with it whatever becomes of this node.
 *
 * @throws HeadgateError `STORE_INCOMPATIBLE` for a newer schema, `STORE_UNAVAILABLE` when another session holds the lock for too long
 */
export async function migrate(pool: Pool, connections: Connections, schema: string, dialect: Dialect): Promise<void> {
  const client = await connections.take(pool);
  let isBroken = false;
  try {
    await client.query(
      timed(
        `BEGIN; SET LOCAL lock_timeout TO ${LOCK_MS}; SET LOCAL statement_timeout TO 0; SET LOCAL idle_in_transaction_session_timeout TO ${IDLE_MS}`,
      ),
    );
    await lock(client, schema);
    await upgrade(client, schema, dialect);
    await client.query("COMMIT");
  } catch (error) {
    await client.query(timed("ROLLBACK")).catch(() => {
      isBroken = true; // with the connection the transaction ends too
    });
    throw error;
  } finally {
    connections.give(client, isBroken);
  }
}

async function lock(client: PoolClient, schema: string): Promise<void> {
  try {
    await client.query(`SELECT pg_advisory_xact_lock(${lockOf(schema, 1)})`);
  } catch (error) {
    if ((error as { code?: string }).code !== "55P03") throw error;
    await client.query(timed("ROLLBACK"));
    const holder = await holderOf(client, schema);
    throw new HeadgateError(
      "STORE_UNAVAILABLE",
      `postgresStore: another session has held the lock for migrations of schema ${schema} for over ${LOCK_MS / 1_000} s${holder}; end it, then retry`,
      { cause: translate(error) },
    );
  }
}

/** Says which session holds the lock, as far as this role may see. */
async function holderOf(client: PoolClient, schema: string): Promise<string> {
  const [classId, objectId] = lockOf(schema, 1).split(", ");
  const { rows } = await client.query(
    `SELECT a.pid, a.application_name, a.client_addr, a.state, a.xact_start FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
     WHERE l.locktype = 'advisory' AND l.granted AND l.classid::bigint = ($1::bigint & 4294967295) AND l.objid::bigint = $2`,
    [classId, objectId],
  );
  const row = rows[0] as Row | undefined;
  if (row === undefined) return "";
  const { pid, application_name: name, client_addr: address, state } = row;
  return ` (process ${pid} of the server, ${name || "unnamed"} from ${address ?? "this machine"}, ${state}: SELECT pg_terminate_backend(${pid}))`;
}

/** Returns an error for a schema that a newer version of headgate has made, else `null`. */
export async function newerSchemaIn(client: ClientBase, schema: string, dialect: Dialect): Promise<HeadgateError | null> {
  const version = await versionOf(client, dialect);
  return newerSchema(`schema ${schema}`, version, migrations(dialect.name, TYPES).length);
}

async function versionOf(client: ClientBase, dialect: Dialect): Promise<number> {
  const { rows } = await client.query(timed(`SELECT coalesce(max(version), 0)::int AS version FROM ${dialect.name("migrations")}`));
  return Number((rows[0] as Row).version);
}

async function upgrade(client: PoolClient, schema: string, dialect: Dialect): Promise<void> {
  const steps = migrations(dialect.name, TYPES);
  // CREATE SCHEMA IF NOT EXISTS wants the right to create even where the schema is there, which a role that owns nothing but its schema does not have
  const { rowCount } = await client.query("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1", [schema]);
  if (rowCount === 0) await client.query(`CREATE SCHEMA IF NOT EXISTS "${schema}"`);
  await client.query(
    `CREATE TABLE IF NOT EXISTS ${dialect.name("migrations")} (version int PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())`,
  );
  const version = await versionOf(client, dialect);
  const newer = newerSchema(`schema ${schema}`, version, steps.length);
  if (newer !== null) throw newer;
  for (const [index, statements] of steps.entries()) {
    if (index < version) continue;
    await client.query([...statements, `INSERT INTO ${dialect.name("migrations")} (version) VALUES (${index + 1})`].join(";\n"));
  }
}
