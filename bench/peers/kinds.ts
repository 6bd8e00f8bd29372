import pg from "pg";
import { bullmq } from "./bullmq.js";
import { headgate } from "./headgate.js";
import type { PeerKind } from "./peer.js";

export const PEERS: readonly PeerKind[] = [
  headgate,
  await external("graphile-worker", "graphileWorker"),
  await external("pg-boss", "pgBoss"),
  bullmq,
];

/** Loads a peer whose library is installed beside it, by `npm run bench`: tests, checks and `npm ci` of headgate do without. */
async function external(file: string, name: string): Promise<PeerKind> {
  const module = (await import(new URL(`external/${file}.ts`, import.meta.url).href)) as Readonly<Record<string, PeerKind>>;
  return module[name] as PeerKind;
}

export async function dropSchema(url: string, { schema }: PeerKind): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(`DROP SCHEMA IF EXISTS "${schema}" CASCADE`);
  await client.end();
}
