import { setTimeout as wait } from "node:timers/promises";
import pg from "pg";
import { bullmq } from "./bullmq.js";
import { graphileWorker } from "./graphile-worker.js";
import { headgate } from "./headgate.js";
import type { PeerKind } from "./peer.js";
import { pgBoss } from "./pg-boss.js";

export const PEERS: readonly PeerKind[] = [headgate, graphileWorker, pgBoss, bullmq];

export async function dropSchema(url: string, { schema }: PeerKind): Promise<void> {
  await onServer(url, (client) => client.query(`DROP SCHEMA IF EXISTS "${schema}" CASCADE`));
}

/** What a server has written, and how often it has committed in this database. */
export interface Written {
  readonly bytes: number;
  readonly commits: number;
}

/** Counts what something makes the server write. Sessions report their commits when they end at the latest: whatever works must have ended its own. */
export async function writtenBy(url: string, work: () => Promise<unknown>): Promise<Written> {
  const before = await writtenSoFar(url);
  await work();
  const after = await writtenSoFar(url);
  return { bytes: after.bytes - before.bytes, commits: after.commits - before.commits };
}

const PATIENCE_MS = 30_000;

async function writtenSoFar(url: string): Promise<Written> {
  return onServer(url, async (client) => {
    const end = performance.now() + PATIENCE_MS;
    while ((await otherSessions(client)) > 0) {
      if (performance.now() > end) throw new Error("other sessions of the database do not end: nobody else may use it");
      await wait(20);
    }
    const { rows } = await client.query(
      "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') AS bytes, (SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()) AS commits",
    );
    return { bytes: Number(rows[0].bytes), commits: Number(rows[0].commits) };
  });
}

async function otherSessions(client: pg.Client): Promise<number> {
  const { rows } = await client.query(
    "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()",
  );
  return Number(rows[0].n);
}

async function onServer<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
