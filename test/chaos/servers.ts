import pg from "pg";
import { type PostgresEnd, type PrivatePostgres, privatePostgres } from "../support/private-postgres.js";

const ROLE = "chaos_app";

/** A PostgreSQL of the harness, with a role for the nodes that has no privileges beyond its schemas. */
export class PostgresServer {
  readonly #server: PrivatePostgres;

  private constructor(server: PrivatePostgres) {
    this.#server = server;
  }

  static async start(bin: string): Promise<PostgresServer> {
    const server = new PostgresServer(await privatePostgres(bin));
    // processes crash here, the machine does not: without it, commits wait for a disk that others use too
    await server.query("ALTER SYSTEM SET fsync = off", "ALTER SYSTEM SET full_page_writes = off", "SELECT pg_reload_conf()");
    await server.query(`CREATE ROLE ${ROLE} LOGIN; GRANT CREATE ON DATABASE postgres TO ${ROLE}`);
    return server;
  }

  /** The address for the nodes. */
  get url(): URL {
    const url = new URL(this.#server.url);
    url.username = ROLE;
    return url;
  }

  /** Runs statements as the superuser, on a connection of their own. */
  async query(...statements: readonly string[]): Promise<readonly pg.QueryResult[]> {
    const client = new pg.Client({ connectionString: this.#server.url, connectionTimeoutMillis: 5_000 });
    client.on("error", () => {}); // the statement in flight fails too
    await client.connect();
    try {
      const results: pg.QueryResult[] = [];
      for (const statement of statements) results.push(await client.query(statement));
      return results;
    } finally {
      await client.end().catch(() => {}); // the server may have ended it
    }
  }

  /** A session of the superuser that stays open. */
  async session(): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: this.#server.url, connectionTimeoutMillis: 5_000 });
    client.on("error", () => {});
    await client.connect();
    return client;
  }

  async halt(mode: PostgresEnd): Promise<void> {
    await this.#server.end(mode);
  }

  async resume(): Promise<void> {
    await this.#server.start();
  }

  stop(): void {
    this.#server.stop();
  }
}
