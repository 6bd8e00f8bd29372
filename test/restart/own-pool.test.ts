import pg from "pg";
import { afterAll, expect, it } from "vitest";
import { postgresStore } from "../../src/adapters/stores/postgres/postgres-store.js";
import { createScheduler, pipeline } from "../../src/index.js";
import { dropSchemas, freshSchema, testDatabaseUrl } from "../support/postgres.js";

const url = await testDatabaseUrl();
afterAll(dropSchemas);

it.skipIf(url === null)("a pool of the host's own has pg warn of nothing", async () => {
  const warnings: string[] = [];
  const onWarning = ({ name, message }: Error) => void warnings.push(`${name}: ${message}`);
  process.on("warning", onWarning);
  const pool = new pg.Pool({ connectionString: url ?? "" });
  const scheduler = createScheduler({
    pipelines: [pipeline({ id: "one", run: () => "done" })],
    store: postgresStore({ pool, schema: freshSchema() }),
    logger: { log: () => {} },
  });
  await scheduler.start();
  const done = new Promise((resolve) => scheduler.once("run.succeeded", resolve));
  await scheduler.trigger("one");
  await done;
  await scheduler.stop();
  await pool.end();
  await new Promise((resolve) => setImmediate(resolve)); // warnings are emitted in the next tick
  process.off("warning", onWarning);
  expect(warnings).toEqual([]);
});
