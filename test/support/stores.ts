import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { postgresStore } from "../../src/adapters/stores/postgres/postgres-store.js";
import { sqliteStore } from "../../src/adapters/stores/sqlite/sqlite-store.js";
import { memoryStore, type Store } from "../../src/index.js";
import { dropSchemas, freshSchema, testDatabaseUrl } from "./postgres.js";

/** A store by name, and a place for it: whatever is made of one place has the same data. */
export type Place = readonly [name: string, place: () => () => Store];

/** Every store that is here, each place a new one. */
export async function places(): Promise<{ readonly memory: Place; readonly sqlite: Place; readonly postgres: readonly Place[] }> {
  const folder = mkdtempSync(join(tmpdir(), "headgate-stores-"));
  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true });
    await dropSchemas();
  });
  const database = await testDatabaseUrl();
  const fixed = (store: Store) => () => store;
  const sqlite = () => {
    const file = join(folder, `${crypto.randomUUID()}.db`);
    return () => sqliteStore({ file });
  };
  const postgres = (connectionString: string) => () => {
    const schema = freshSchema();
    return () => postgresStore({ connectionString, schema });
  };
  return {
    memory: ["memory", () => fixed(memoryStore())],
    sqlite: ["SQLite", sqlite],
    postgres: database === null ? [] : [["PostgreSQL", postgres(database)]],
  };
}
