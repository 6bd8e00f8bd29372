/** What a run costs on PostgreSQL, in counts; see counts.test.ts. On a server of its own: its log and its commits are those of these tests alone. */
import pg from "pg";
import { afterAll, beforeAll, describe, it } from "vitest";
import { writtenBy } from "../../bench/written.js";
import { postgresStore } from "../../src/adapters/stores/postgres/postgres-store.js";
import { collectPostgres } from "../plans/statements.js";
import { type PrivatePostgres, postgresBinaries, privatePostgres } from "../support/private-postgres.js";
import { type Cost, expectAtMost, perRun } from "./cost.js";
import { runBatches } from "./workload.js";

const PATIENCE = { timeout: 300_000 };

describe("a run on PostgreSQL", PATIENCE, () => {
  const bin = postgresBinaries();
  let server: PrivatePostgres;
  beforeAll(async () => {
    if (bin === null) return;
    server = await privatePostgres(bin);
    const client = new pg.Client({ connectionString: server.url });
    await client.connect();
    // what the server does by itself, and copies of whole pages after a checkpoint, come when they like
    for (const setting of ["autovacuum", "full_page_writes"]) await client.query(`ALTER SYSTEM SET ${setting} = off`);
    await client.query("SELECT pg_reload_conf()");
    await client.end();
  });
  afterAll(() => server?.stop());

  async function costOf(schema: string, batches: number, size: number): Promise<Cost> {
    const poolConfig = { options: "-c synchronous_commit=off" };
    const store = postgresStore({ connectionString: server.url, schema, poolConfig });
    let statements = 0;
    const written = await writtenBy(server.url, async () => {
      const sent = await collectPostgres(() => runBatches(store, batches, size));
      statements = sent.sent();
    });
    return { ...written, statements };
  }

  it.skipIf(bin === null).each([
    ["one by one", 10, 1, { statements: 13, commits: 4.5, logBytes: 4_300, rowsRead: 9 }],
    ["a hundred at once", 5, 100, { statements: 0.13, commits: 0.045, logBytes: 4_300, rowsRead: 7.5 }],
  ] as const)("%s", async (_, batches, size, bounds) => {
    const schema = `counts_${size}`;
    await costOf(schema, 1, size); // makes the tables
    const idle = await costOf(schema, 0, size);
    expectAtMost(perRun(batches * size, await costOf(schema, batches, size), idle), bounds);
  });
});
