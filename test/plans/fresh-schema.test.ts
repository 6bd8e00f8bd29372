import pg from "pg";
import { afterAll, describe, expect, it } from "vitest";
import { dialectOf, endOfRunning, moveOfWaiting } from "../../src/adapters/stores/postgres/dialect.js";
import { PLANNER } from "../../src/adapters/stores/postgres/pool.js";
import { postgresStore } from "../../src/adapters/stores/postgres/postgres-store.js";
import { adding, changing } from "../../src/adapters/stores/sql/database.js";
import { PIPELINES, RUN_END, RUNS, TRIGGER_STATE, TRIGGERS, type TriggerRow } from "../../src/adapters/stores/sql/tables.js";
import type { RunRecord } from "../../src/run/run.js";
import { registration, request, startAll, T0 } from "../../src/testing/contract/fixtures.js";
import { dropSchemas, freshSchema, testDatabaseUrl } from "../support/postgres.js";

afterAll(dropSchemas);
const url = await testDatabaseUrl();
const MANY = 500;

/** Nothing is known of the tables' sizes yet: the planner takes them for small, and what a condition leaves of them for nothing. */
describe.skipIf(url === null)("on a fresh schema, statements of many rows", () => {
  const connectionString = url as string;
  const schema = freshSchema();
  const dialect = dialectOf(schema);
  const values: unknown[] = [];
  let runs: readonly RunRecord[] = [];
  let triggers: readonly TriggerRow[] = [];

  async function planOf(sql: string): Promise<string> {
    const client = new pg.Client({ connectionString });
    await client.connect();
    for (const setting of PLANNER) await client.query(`SET ${setting} TO off`); // as the store's own sessions
    try {
      const { rows } = await client.query(`EXPLAIN ${sql}`, values.splice(0));
      return rows.map((row) => row["QUERY PLAN"]).join("\n");
    } finally {
      await client.end();
    }
  }

  async function start(): Promise<void> {
    if (runs.length > 0) return;
    const store = postgresStore({ connectionString, schema });
    await store.open();
    await store.register([registration("a", { maxActiveRuns: MANY })], T0);
    await store.enqueue(
      Array.from({ length: MANY }, () => request("a")),
      T0,
    );
    runs = await startAll(store, T0, { limit: MANY });
    const found = await Promise.all(runs.map(({ triggerId }) => store.trigger(triggerId)));
    triggers = found.map((one) => ({ ...(one as TriggerRow), line: null }));
    await store.close();
  }

  it("find runs that end, and their triggers, by their keys, and look up what they have changed in a hash", async () => {
    await start();
    expect(runs).toHaveLength(MANY);
    const ends = {
      runs: changing(RUNS, runs, RUN_END),
      triggers: changing(TRIGGERS, triggers, TRIGGER_STATE),
      pipelines: changing(PIPELINES, [{ id: "a", lastSuccessAt: T0 }], ["lastSuccessAt"]),
    };
    const plan = await planOf(endOfRunning(dialect, ends, values));
    for (const key of ["runs_pkey", "triggers_pkey", "hashed SubPlan"]) expect(plan).toContain(key);
    expect(plan).not.toMatch(/Seq Scan|Semi Join|Join Filter: \(/);
  });

  it("find triggers that are decided on in the same way", async () => {
    await start();
    const plan = await planOf(moveOfWaiting(dialect, changing(TRIGGERS, triggers, TRIGGER_STATE), [adding(RUNS, runs)], values));
    for (const key of ["triggers_pkey", "hashed SubPlan"]) expect(plan).toContain(key);
    expect(plan).not.toMatch(/Seq Scan|Semi Join|Join Filter: \(/);
  });
});
