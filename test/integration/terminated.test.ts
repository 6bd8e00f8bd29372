import pg from "pg";
import { afterAll, describe, expect, it } from "vitest";
import { postgresStore } from "../../src/adapters/stores/postgres/postgres-store.js";
import { createScheduler, every, pipeline } from "../../src/index.js";
import { dropSchemas, freshSchema, testDatabaseUrl } from "../support/postgres.js";

const url = await testDatabaseUrl();
/** How many sessions are ended; `HEADGATE_CHAOS=full` for 10,000. */
const ENOUGH = process.env.HEADGATE_CHAOS === "full" ? 10_000 : 400;
afterAll(dropSchemas);

describe.skipIf(url === null)("sessions that the server ends, one after the other", () => {
  it(`do not end the process, and lose no result: ${ENOUGH} of them`, async () => {
    const schema = freshSchema();
    const name = `headgate-${schema}`;
    const store = postgresStore({ connectionString: url ?? "", schema, poolConfig: { application_name: name } });
    const counts = { ran: 0, ended: 0 };
    const scheduler = createScheduler({
      pipelines: [
        pipeline({ id: "tick", schedule: every("20ms"), execution: { maxActiveRuns: 20, overlap: "queue" }, run: () => void counts.ran++ }),
      ],
      store,
      logger: { log: () => {} },
    });
    scheduler.on("run.succeeded", () => counts.ended++);
    const uncaught: unknown[] = [];
    const catches = (error: unknown) => void uncaught.push(error);
    process.on("uncaughtException", catches);
    await scheduler.start();
    const admin = new pg.Client({ connectionString: url ?? "" });
    await admin.connect();
    let ended = 0;
    let isOver = false;
    const busy = Array.from({ length: 8 }, async (_, n) => {
      for (let round = 0; !isOver; round++)
        await store.saveResponse({ key: `${n}:${round}`, request: "r", at: Date.now(), answer: null }).catch(() => {}); // a session may have ended within it
    });
    for (let round = 0; ended < ENOUGH && round < ENOUGH * 100; round++) {
      const { rows } = await admin.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1", [name]);
      ended += rows.length;
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    isOver = true;
    await Promise.all(busy);
    await admin.end();
    const before = counts.ended;
    while (counts.ended < before + 10) await new Promise<void>((resolve) => scheduler.once("run.succeeded", () => resolve()));
    await scheduler.stop();
    process.off("uncaughtException", catches);
    expect(ended).toBeGreaterThanOrEqual(ENOUGH);
    expect(uncaught).toEqual([]);
    expect(counts.ran).toBe(counts.ended);
  }, 600_000);
});
