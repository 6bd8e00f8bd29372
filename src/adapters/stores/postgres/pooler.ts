import type { Pool, PoolClient } from "pg";
import { HeadgateError } from "../../../base/errors.js";
import type { Connections } from "./connections.js";
import { timed } from "./pool.js";

const ROUNDS = 3;

/** Returns true if an error says that a pooler knows no `options` among the parameters of a connection, as PgBouncer unless it is configured to ignore them. */
export function isRefusingOptions(error: unknown): boolean {
  const { code, message = "" } = error as { code?: string; message?: string };
  return code === "08P01" && /unsupported startup parameter/i.test(message);
}

/**
 * Returns true if a pooler stands between that hands the server's sessions out transaction by transaction: then nothing may be kept in a session. Two connections ask for the
 * process that serves them, one of them within a transaction; of sessions of their own each sees the same one always, and never the other's.
 *
 * @throws HeadgateError `STORE_UNAVAILABLE` for one that hands them out statement by statement
 */
export async function isPooledByTransaction(pool: Pool, connections: Connections): Promise<boolean> {
  if ((pool.options?.max ?? 2) < 2) return false; // the second would wait for the first
  const one = await connections.take(pool);
  let isBroken = true;
  let other: PoolClient | null = null;
  try {
    other = await connections.take(pool);
    for (let round = 0; round < ROUNDS; round++) {
      const before = await processOf(one);
      await other.query(timed("BEGIN"));
      const between = await processOf(other);
      const after = await processOf(one);
      await other.query(timed("COMMIT"));
      if (before !== after || between === before) return true;
    }
    isBroken = false;
    return false;
  } catch (cause) {
    if (!/statement pooling/i.test((cause as Error).message)) throw cause;
    throw new HeadgateError(
      "STORE_UNAVAILABLE",
      "postgresStore: the pooler does not support transactions (statement pooling); use transaction or session pooling, or connect to the server directly",
      { cause },
    );
  } finally {
    connections.give(one, isBroken);
    if (other !== null) connections.give(other, isBroken);
  }
}

async function processOf(client: PoolClient): Promise<number> {
  const { rows } = await client.query(timed("SELECT pg_backend_pid() AS pid"));
  return Number((rows[0] as { pid: number }).pid);
}
