import pg from "pg";
import { postgresBinaries, privatePostgres } from "../test/support/private-postgres.js";

/** A PostgreSQL for the benchmark. */
export interface Server {
  /** `null`: there is none, and its participants are left out. */
  readonly url: string | null;
  readonly description: string;
  stop(): void;
}

/** Processes of the case `nodes` have some connections each. */
const CONNECTIONS = 300;

/**
 * The server of `HEADGATE_BENCH_DATABASE_URL`, whose write-ahead log and commits should be nobody else's; else one of its own from the binaries of this machine, with the settings that initdb chooses but
 * for the number of connections.
 */
export async function startServer(): Promise<Server> {
  const given = process.env.HEADGATE_BENCH_DATABASE_URL;
  if (given !== undefined) return { url: given, description: await versionOf(given), stop: () => {} };
  const bin = postgresBinaries();
  if (bin === null) return { url: null, description: "no PostgreSQL: its rows are left out", stop: () => {} };
  const server = await privatePostgres(bin);
  await ask(server.url, `ALTER SYSTEM SET max_connections = ${CONNECTIONS}`);
  await server.end("fast");
  await server.start();
  return { url: server.url, description: `${await versionOf(server.url)} of its own`, stop: server.stop };
}

async function versionOf(url: string): Promise<string> {
  const [row] = await ask(url, "SELECT current_setting('server_version') AS v, current_setting('synchronous_commit') AS s");
  return `PostgreSQL ${row?.v} (synchronous_commit ${row?.s})`;
}

async function ask(url: string, sql: string): Promise<readonly Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query(sql);
  await client.end();
  return rows;
}
