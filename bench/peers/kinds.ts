import pg from "pg";
import { bullmq } from "./bullmq.js";
import { graphileWorker } from "./graphile-worker.js";
import { headgate } from "./headgate.js";
import type { PeerKind } from "./peer.js";
import { pgBoss } from "./pg-boss.js";

export const PEERS: readonly PeerKind[] = [headgate, graphileWorker, pgBoss, bullmq];

export async function dropSchema(url: string, { schema }: PeerKind): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(`DROP SCHEMA IF EXISTS "${schema}" CASCADE`);
  await client.end();
}
