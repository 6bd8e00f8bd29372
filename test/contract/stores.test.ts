import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, it } from "vitest";
import { postgresStore } from "../../src/adapters/stores/postgres/postgres-store.js";
import { sqliteStore } from "../../src/adapters/stores/sqlite/sqlite-store.js";
import { memoryStore } from "../../src/index.js";
import { describeStore } from "../../src/testing/index.js";
import { dropSchemas, freshSchema, testDatabaseUrl } from "../support/postgres.js";

const folder = mkdtempSync(join(tmpdir(), "headgate-contract-"));
let files = 0;
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterAll(dropSchemas);

describeStore("memory", () => memoryStore(), { describe, it });
describeStore("SQLite", () => sqliteStore({ file: join(folder, `${++files}.db`) }), { describe, it });
const url = await testDatabaseUrl();
if (url !== null) describeStore("PostgreSQL", () => postgresStore({ connectionString: url, schema: freshSchema() }), { describe, it });
