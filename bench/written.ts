import { setTimeout as wait } from "node:timers/promises";
import pg from "pg";

/** What a PostgreSQL has done. */
export interface Written {
  /** Of the write-ahead log, by the whole server. */
  readonly logBytes: number;
  readonly commits: number;
  /** Read from tables, through indexes or not. */
  readonly rowsRead: number;
}

const PATIENCE_MS = 60_000;

/** Counts what something makes the server do. Sessions report what they have done when they end at the latest: it must end its own, and nobody else may use the database. */
export async function writtenBy(url: string, work: () => Promise<unknown>): Promise<Written> {
  const before = await writtenSoFar(url);
  await work();
  const after = await writtenSoFar(url);
  return {
    logBytes: after.logBytes - before.logBytes,
    commits: after.commits - before.commits,
    rowsRead: after.rowsRead - before.rowsRead,
  };
}

async function writtenSoFar(url: string): Promise<Written> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const end = performance.now() + PATIENCE_MS;
    while ((await otherSessions(client)) > 0) {
      if (performance.now() > end) throw new Error("other sessions of the database do not end: nobody else may use it");
      await wait(20);
    }
    const { rows } = await client.query(
      `SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') AS bytes, xact_commit AS commits,
         (SELECT coalesce(sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)), 0) FROM pg_stat_user_tables) AS read
       FROM pg_stat_database WHERE datname = current_database()`,
    );
    return { logBytes: Number(rows[0].bytes), commits: Number(rows[0].commits), rowsRead: Number(rows[0].read) };
  } finally {
    await client.end();
  }
}

async function otherSessions(client: pg.Client): Promise<number> {
  const { rows } = await client.query(
    "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()",
  );
  return Number(rows[0].n);
}
