import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, describe, expect, it } from "vitest";
import { connect } from "../../src/adapters/shared/sqlite-driver.js";
import { lockOf } from "../../src/adapters/stores/postgres/dialect.js";
import { postgresStore } from "../../src/adapters/stores/postgres/postgres-store.js";
import { sqliteStore } from "../../src/adapters/stores/sqlite/sqlite-store.js";
import { createScheduler, every, pipeline } from "../../src/index.js";
import { freezingProxy } from "../support/freezing-proxy.js";
import { dropSchemas, freshSchema, testDatabaseUrl } from "../support/postgres.js";

const url = await testDatabaseUrl();
const SILENT = { log: () => {} };
const folder = mkdtempSync(join(tmpdir(), "headgate-lifecycle-"));
afterAll(dropSchemas);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const tick = pipeline({ id: "tick", schedule: every("200ms"), run: () => {} });

async function timeOf(work: Promise<unknown>): Promise<number> {
  const from = performance.now();
  await work;
  return performance.now() - from;
}

/** Handles of sockets that keep this process alive. */
const sockets = () => process.getActiveResourcesInfo().filter((one) => /TCPSocket|TCPConnect/i.test(one)).length;

describe.skipIf(url === null)("a node on PostgreSQL", () => {
  it("that was cut off without a word stops within 8 s with drain 0, and leaves no connection", async () => {
    const before = sockets();
    const proxy = await freezingProxy(new URL(url ?? ""));
    const scheduler = createScheduler({
      pipelines: [tick],
      store: postgresStore({ connectionString: proxy.url, schema: freshSchema() }),
      logger: SILENT,
    });
    await scheduler.start();
    await new Promise<void>((resolve) => scheduler.once("run.succeeded", () => resolve()));
    proxy.freeze();
    expect(await timeOf(scheduler.stop({ drain: 0 }))).toBeLessThan(8_000);
    expect(scheduler.status().phase).toBe("stopped");
    proxy.close();
    await expect.poll(sockets, { timeout: 5_000 }).toBe(before);
  }, 30_000);

  it.each<readonly [string, RegExp | null]>([
    ["connecting", null],
    ["the check for a pooler", /pg_backend_pid/],
    ["the migration", /pg_advisory_xact_lock/],
    ["listening", /LISTEN/],
    ["registering its pipelines", /INSERT INTO[^;]*"pipeline_states"/],
    ["the first round", /AS what, pipeline_id/],
  ])(
    "that is stopped while it starts and is cut off at %s ends within 3 s",
    async (_, pattern) => {
      const before = sockets();
      const proxy = await freezingProxy(new URL(url ?? ""), pattern ?? undefined);
      if (pattern === null) proxy.freeze();
      const scheduler = createScheduler({
        pipelines: [tick],
        store: postgresStore({ connectionString: proxy.url, schema: freshSchema() }),
        logger: SILENT,
      });
      const starting = scheduler.start();
      starting.catch(() => {}); // looked at below
      await proxy.frozen;
      const stopping = scheduler.stop();
      expect(await timeOf(starting.catch(({ code }) => expect(code).toBe("SCHEDULER_STOPPED")))).toBeLessThan(1_000);
      expect(await timeOf(stopping)).toBeLessThan(3_000);
      proxy.close();
      await expect.poll(sockets, { timeout: 5_000 }).toBe(before);
    },
    30_000,
  );

  it.each(["its own connections", "a pool of the host's"])(
    "that waits for a migration lock ends when it is stopped, with %s",
    async (whose) => {
      const schema = freshSchema();
      const holder = new pg.Client({ connectionString: url ?? "" });
      await holder.connect();
      await holder.query(`BEGIN; SELECT pg_advisory_xact_lock(${lockOf(schema, 1)})`);
      const pool = new pg.Pool({ connectionString: url ?? "" });
      const store = postgresStore(whose === "its own connections" ? { connectionString: url ?? "", schema } : { pool, schema });
      const scheduler = createScheduler({ pipelines: [tick], store, logger: SILENT });
      const starting = scheduler.start();
      starting.catch(() => {}); // looked at below
      const [classId, objectId] = lockOf(schema, 1).split(", ");
      const waiting = async () => {
        const sql =
          "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND classid::bigint = ($1::bigint & 4294967295) AND objid::bigint = $2";
        return (await holder.query(sql, [classId, objectId])).rowCount;
      };
      await expect.poll(waiting, { timeout: 10_000 }).toBe(1);
      const stopping = scheduler.stop();
      await expect(starting).rejects.toMatchObject({ code: "SCHEDULER_STOPPED" });
      expect(await timeOf(stopping)).toBeLessThan(1_000);
      await holder.query("COMMIT");
      await holder.end();
      await pool.end();
    },
    30_000,
  );
});

/** Stores, and how a newer version of headgate would set the version of their schema. */
const NEWER: readonly (readonly [string, () => { store: ReturnType<typeof sqliteStore>; setVersion(version: number): Promise<void> }])[] = [
  [
    "SQLite",
    () => {
      const file = join(folder, `${crypto.randomUUID()}.db`);
      const setVersion = async (version: number) => {
        const other = connect(file);
        other.exec(`PRAGMA busy_timeout = 5000; PRAGMA user_version = ${version}`);
        other.close();
      };
      return { store: sqliteStore({ file }), setVersion };
    },
  ],
  ...(url === null
    ? []
    : [
        [
          "PostgreSQL",
          () => {
            const schema = freshSchema();
            const setVersion = async (version: number) => {
              const client = new pg.Client({ connectionString: url });
              await client.connect();
              await client.query(`DELETE FROM "${schema}".migrations WHERE version > ${version}`);
              await client.query(`INSERT INTO "${schema}".migrations (version) VALUES (${version}) ON CONFLICT DO NOTHING`);
              await client.end();
            };
            return { store: postgresStore({ connectionString: url, schema }), setVersion };
          },
        ] as const,
      ]),
];

describe.each(NEWER)("a node whose %s store a newer version has migrated", (_, place) => {
  it("says so, starts nothing more, ends what runs, and goes on when the version is one that it knows", async () => {
    const { store, setVersion } = place();
    let release = () => {};
    const long = pipeline({ id: "long", run: () => new Promise<string>((resolve) => (release = () => resolve("done"))) });
    const logged: string[] = [];
    const scheduler = createScheduler({
      pipelines: [tick, long],
      store,
      maxTimerDelay: "1s",
      logger: { log: (level, message) => void logged.push(`${level}: ${message}`) },
    });
    await scheduler.start();
    const trigger = await scheduler.trigger("long");
    await new Promise<void>((resolve) => scheduler.on("run.started", ({ run }) => run.pipelineId === "long" && resolve()));
    const away = new Promise<Error>((resolve) => scheduler.once("store.unavailable", ({ error }) => resolve(error)));
    await setVersion(999);
    expect(await away).toMatchObject({ code: "STORE_INCOMPATIBLE", details: { version: 999 } });
    const status = scheduler.status();
    expect(status).toMatchObject({ isReady: false, store: { isAvailable: false, error: expect.stringContaining("upgrade headgate") } });
    expect(status.notReadyReason).toMatch(/a newer version of headgate has migrated the store.*STORE_INCOMPATIBLE/);
    expect(logged.filter((line) => line.includes("upgrade headgate"))).toHaveLength(1);
    await expect(scheduler.trigger("long")).rejects.toMatchObject({ code: "STORE_INCOMPATIBLE" });
    release();
    await new Promise<void>((resolve) => scheduler.on("run.succeeded", ({ run }) => run.pipelineId === "long" && resolve()));
    expect(await scheduler.getTrigger(trigger.id)).toMatchObject({ status: "succeeded" });
    const [last] = (await scheduler.runs({ pipelineId: "tick", limit: 1 })).items;
    expect(last?.startedAt.getTime() ?? 0).toBeLessThan((status.store.unavailableSince?.getTime() ?? 0) + 1);
    const back = new Promise<void>((resolve) => scheduler.once("store.recovered", () => resolve()));
    await setVersion(5);
    await back;
    await expect.poll(() => scheduler.status().isReady, { timeout: 10_000 }).toBe(true);
    await scheduler.stop({ drain: 0 });
  }, 60_000);
});
