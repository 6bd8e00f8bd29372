import pg from "pg";
import { afterAll, describe, expect, it } from "vitest";
import { lockOf } from "../../src/adapters/stores/postgres/dialect.js";
import { postgresStore } from "../../src/adapters/stores/postgres/postgres-store.js";
import { createScheduler, pipeline } from "../../src/index.js";
import { dropSchemas, freshSchema, testDatabaseUrl } from "../support/postgres.js";

const url = await testDatabaseUrl();
const SILENT = { log: () => {} };
const LEASE_MS = 1_500;
const HELD_MS = 2_500;
afterAll(dropSchemas);

describe.skipIf(url === null)("a claim that waits for another node's lock", () => {
  it("records runs and leases from when it has the lock, and loses none although it waited for longer than the lease", async () => {
    const schema = freshSchema();
    const job = pipeline({ id: "a", run: ({ clock }) => clock.sleep("100ms") });
    const scheduler = createScheduler({
      pipelines: [job],
      store: postgresStore({ connectionString: url ?? "", schema }),
      leaseDuration: LEASE_MS,
      logger: SILENT,
    });
    await scheduler.start();
    const lost: string[] = [];
    scheduler.on("run.lost", ({ run }) => lost.push(run.id));
    const started = new Promise<void>((resolve) => scheduler.once("run.started", () => resolve()));
    const ended = new Promise<void>((resolve) => scheduler.once("run.succeeded", () => resolve()));
    const holder = new pg.Client({ connectionString: url ?? "" });
    await holder.connect();
    await holder.query(`BEGIN; SELECT pg_advisory_xact_lock(${lockOf(schema, 2)}); SELECT 1`);
    const trigger = await scheduler.trigger("a");
    await holder.query(`SELECT pg_sleep(${HELD_MS / 1_000})`);
    const releasedAt = Date.now();
    await holder.query("COMMIT");
    await started;
    const [running] = (await scheduler.runs()).items;
    await ended;
    const [run] = (await scheduler.runs()).items;
    const [decision] = (await scheduler.decisions()).items;
    expect(lost).toEqual([]);
    expect(run?.attempt).toBe(1);
    expect(run?.startedAt.getTime()).toBeGreaterThanOrEqual(releasedAt - 50);
    expect(decision?.at.getTime()).toBeGreaterThanOrEqual(releasedAt - 50);
    expect(running?.startedAt.getTime()).toBeGreaterThan(trigger.createdAt.getTime() + LEASE_MS);
    await holder.end();
    await scheduler.stop({ drain: 0 });
  }, 20_000);
});
