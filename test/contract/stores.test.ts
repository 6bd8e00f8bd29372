import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, describe, it } from "vitest";
import { connect } from "../../src/adapters/shared/sqlite-driver.js";
import { postgresStore } from "../../src/adapters/stores/postgres/postgres-store.js";
import { sqliteStore } from "../../src/adapters/stores/sqlite/sqlite-store.js";
import { memoryStore, type Store } from "../../src/index.js";
import { describeStore } from "../../src/testing/index.js";
import { dropSchemas, freshSchema, testDatabaseUrl } from "../support/postgres.js";

const folder = mkdtempSync(join(tmpdir(), "headgate-contract-"));
/** Where each store of this file keeps its rows. */
const places = new WeakMap<Store, string>();
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterAll(dropSchemas);

function placed(store: Store, place: string): Store {
  places.set(store, place);
  return store;
}

describeStore("memory", (options) => memoryStore(options), { describe, it });

let files = 0;
describeStore(
  "SQLite",
  (options) => {
    const file = join(folder, `${++files}.db`);
    return placed(sqliteStore({ file, ...options }), file);
  },
  { describe, it },
  async (store, id) => {
    const hand = connect(places.get(store) ?? "");
    hand.prepare("UPDATE triggers SET parameters = '{broken' WHERE id = ?").run(id);
    hand.close();
  },
);

const url = await testDatabaseUrl();
if (url !== null) {
  describeStore(
    "PostgreSQL",
    (options) => {
      const schema = freshSchema();
      return placed(postgresStore({ connectionString: url, schema, ...options }), schema);
    },
    { describe, it },
    async (store, id) => {
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      await client.query(`UPDATE "${places.get(store)}".triggers SET parameters = '{broken' WHERE id = $1`, [id]);
      await client.end();
    },
  );
}
