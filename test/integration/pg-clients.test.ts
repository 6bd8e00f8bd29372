import pg from "pg";
import { afterAll, describe, expect, test } from "vitest";
import { postgresStore } from "../../src/adapters/stores/postgres/postgres-store.js";
import { createScheduler, every, pipeline } from "../../src/index.js";
import { dropSchemas, freshSchema, testDatabaseUrl } from "../support/postgres.js";

const url = await testDatabaseUrl();
const quiet = { log: () => {} };
const daily = () => pipeline({ id: "daily", schedule: every("1h"), execution: { maxActiveRuns: 20 }, run: () => {} });

describe.skipIf(url === null)("clients of pg", () => {
  afterAll(dropSchemas);

  test("that do not pipeline are sent one statement at a time: pg warns of nothing", async () => {
    const warnings: string[] = [];
    const onWarning = ({ name, message }: Error) => warnings.push(`${name}: ${message}`);
    process.on("warning", onWarning);
    const pool = new pg.Pool({ connectionString: url as string });
    const store = postgresStore({ pool, schema: freshSchema() });
    const scheduler = createScheduler({ pipelines: [daily()], store, logger: quiet });
    try {
      await scheduler.start();
      const ended = new Set<string>();
      const all = new Promise<void>((resolve) => {
        scheduler.on("run.succeeded", ({ run }) => {
          if (ended.add(run.id).size === 60) resolve();
        });
      });
      await Promise.all(Array.from({ length: 60 }, () => scheduler.trigger("daily")));
      await all;
      const client = await pool.connect();
      await client.query("BEGIN");
      await Promise.all([1, 2, 3].map(() => scheduler.trigger("daily", { transaction: client })));
      await client.query("COMMIT");
      client.release();
    } finally {
      await scheduler.stop();
      await pool.end();
      process.off("warning", onWarning);
    }
    expect(warnings.filter((one) => one.startsWith("DeprecationWarning"))).toEqual([]);
  });

  test("join a transaction only if one is open on them", async () => {
    const pool = new pg.Pool({ connectionString: url as string, max: 4 });
    const store = postgresStore({ connectionString: url as string, schema: freshSchema() });
    const scheduler = createScheduler({ pipelines: [daily()], store, logger: quiet });
    await scheduler.start();
    const client = await pool.connect();
    try {
      for (const [transaction, problem] of [
        [pool, /got a pool; check out a client with pool\.connect\(\) and run BEGIN on it/],
        [client, /no transaction is open on the client; BEGIN first/],
        ["BEGIN", /must be the pg client/],
        [null, /must be the pg client/],
      ] as const) {
        const refused = scheduler.trigger("daily", { transaction, reason: "not wanted" });
        await expect(refused).rejects.toMatchObject({ code: "INVALID_ARGUMENT", message: expect.stringMatching(problem) });
      }
      const wanted = async (end: "COMMIT" | "ROLLBACK") => {
        await client.query("BEGIN");
        const { id } = await scheduler.trigger("daily", { transaction: client });
        await client.query(end);
        return (await scheduler.getTrigger(id)) !== null;
      };
      expect(await wanted("ROLLBACK")).toBe(false);
      expect(await wanted("COMMIT")).toBe(true);
      expect((await scheduler.triggers()).items.filter(({ reason }) => reason === "not wanted")).toEqual([]);
    } finally {
      client.release();
      await scheduler.stop();
      await pool.end();
    }
  });

  test("are told how to plan, in sessions of the store's own once, in others by each transaction", async () => {
    const own = { connectionString: url as string };
    const pool = new pg.Pool({ ...own, max: 4 });
    for (const [options, sets] of [
      [own, false],
      [{ ...own, poolConfig: { options: "-c work_mem=8MB" } }, false],
      [{ connectionString: `${url}?options=-c%20work_mem%3D8MB` }, true],
      [{ pool }, true],
    ] as const) {
      const sent: string[] = [];
      const { query } = pg.Client.prototype;
      pg.Client.prototype.query = function (this: pg.Client, ...args: Parameters<typeof query>) {
        const [config] = args as readonly unknown[];
        sent.push(typeof config === "string" ? config : (config as { text: string }).text);
        return (query as (...all: readonly unknown[]) => unknown).apply(this, args);
      } as typeof query;
      const store = postgresStore({ ...options, schema: freshSchema() });
      try {
        await store.open();
        sent.length = 0;
        await store.states(["daily"]);
        await store.expire(Date.now());
      } finally {
        pg.Client.prototype.query = query;
        await store.close();
      }
      const told = sent.filter((text) => /SET LOCAL enable_seqscan TO off/.test(text));
      expect(told.length, sent.join("\n")).toBe(sets ? 3 : 0);
    }
    const { rows } = await pool.query("SHOW enable_seqscan");
    expect(rows).toEqual([{ enable_seqscan: "on" }]);
    await pool.end();
  });
});
