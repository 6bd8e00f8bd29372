import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, describe, expect, it } from "vitest";
import { connect } from "../../src/adapters/shared/sqlite-driver.js";
import { dialectOf, TYPES as POSTGRES_TYPES } from "../../src/adapters/stores/postgres/dialect.js";
import { postgresStore } from "../../src/adapters/stores/postgres/postgres-store.js";
import { migrations } from "../../src/adapters/stores/sql/schema.js";
import { DIALECT, TYPES as SQLITE_TYPES } from "../../src/adapters/stores/sqlite/dialect.js";
import { sqliteStore } from "../../src/adapters/stores/sqlite/sqlite-store.js";
import type { Store } from "../../src/index.js";
import { claim, decideAll, finishOne, request, T0 } from "../../src/testing/contract/fixtures.js";
import { dropSchemas, freshSchema, testDatabaseUrl } from "../support/postgres.js";

/** The schema of 0.1.0. */
const RELEASED = 3;
const folder = mkdtempSync(join(tmpdir(), "headgate-upgrade-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterAll(dropSchemas);

const SMALL = JSON.stringify({ day: "Mönch" });
const LARGE = JSON.stringify({ text: "x".repeat(300_000) });

/** An error without the stack and cause that later versions keep. */
const OLD_ERROR = '{"message":"no prices","code":"E_PRICES"}';

/** Settings of 0.1.0: one value for each feature. */
const OLD_SETTINGS: Readonly<Record<string, unknown>> = {
  tokens: [
    { id: "t1", role: "viewer", hash: "aa" },
    { id: "t2", role: "admin", hash: "bb", description: 'the "owner"' },
  ],
  silences: [{ id: "s1", pipelineId: "a", until: T0 }],
  nodes: { "node-1": { seenAt: T0, failingSensors: [] }, "Knoten \u00e4": { seenAt: T0 } },
  adaptive: { a: { baseMs: 1, intervalMs: 2, changes: [{ at: T0, reason: "it's slow" }] } },
  settings: {
    pipelines: { a: { maxActiveRuns: { value: 3, at: T0, user: null } }, constructor: {} },
    windows: [{ id: "w1", pipelineId: null, window: { from: "2026-01-01", until: "2026-01-02" }, at: T0, user: "ana" }],
  },
  alerts: { alerts: [{ id: "run_failed a", status: "firing" }], deliveries: [{ id: "d1", channel: "mail", createdAt: T0 }] },
  "config-file": { service: { port: 8_080 } },
};

/** The same as this version stores them. */
const DOCUMENTS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  token: { t1: OLD_SETTINGS.tokens, t2: OLD_SETTINGS.tokens },
  silence: { s1: OLD_SETTINGS.silences },
  node: OLD_SETTINGS.nodes as Record<string, unknown>,
  interval: OLD_SETTINGS.adaptive as Record<string, unknown>,
  override: (OLD_SETTINGS.settings as { pipelines: Record<string, unknown> }).pipelines,
  window: { w1: (OLD_SETTINGS.settings as { windows: unknown }).windows },
  alert: { "run_failed a": (OLD_SETTINGS.alerts as { alerts: unknown }).alerts },
  delivery: { d1: (OLD_SETTINGS.alerts as { deliveries: unknown }).deliveries },
  configuration: { file: OLD_SETTINGS["config-file"] },
};

/** Rows as 0.1.0 wrote them: two that wait, one that runs, one that has ended, and a run that has failed. */
function rows(name: (table: string) => string, isTrue: string): string[] {
  const trigger = (id: string, status: string, parameters: string, runId = "NULL", endedAt = "NULL") =>
    `INSERT INTO ${name("triggers")} (id, pipeline_id, kind, status, priority, "order", parameters, created_at, available_at, is_forced, token, run_id, ended_at, unique_key)
     VALUES ('${id}', 'a', 'manual', '${status}', 'normal', ${T0}, '${parameters}', ${T0}, ${T0}, NOT ${isTrue}, 1, ${runId}, ${endedAt}, 'key:${id}')`;
  const settings = Object.entries(OLD_SETTINGS).map(
    ([key, value]) =>
      `INSERT INTO ${name("config")} (key, value, version, updated_at, updated_by) VALUES ('${key}', '${JSON.stringify(value).replaceAll("'", "''")}', 7, ${T0}, 'ana')`,
  );
  return [
    ...settings,
    `INSERT INTO ${name("cursors")} (name, value, token, node, lease_until, updated_at) VALUES ('headgate: alerts', NULL, 4, 'node-1', ${T0}, ${T0}), ('sensor:a:files', '7', 2, 'node-1', ${T0}, ${T0})`,
    `INSERT INTO ${name("pipelines")} (id, schedule_key, max_active_runs, overlap) VALUES ('a', 'manual()', 10, 'queue_one')`,
    trigger("t1", "pending", SMALL),
    trigger("t2", "held", LARGE),
    trigger("t3", "running", LARGE, "'r3'"),
    trigger("t4", "succeeded", LARGE, "NULL", String(T0)),
    `INSERT INTO ${name("runs")} (id, pipeline_id, trigger_id, status, attempt, token, node, lease_until, started_at, attempt_started_at, ended_at, error, attempts, is_forced)
     VALUES ('r0', 'a', 't0', 'failed', 2, 2, 'node-1', ${T0}, ${T0}, ${T0}, ${T0}, '${OLD_ERROR}', '[{"attempt":1,"startedAt":${T0},"endedAt":${T0},"outcome":"failed","error":${OLD_ERROR},"node":"node-1"}]', NOT ${isTrue})`,
    `INSERT INTO ${name("runs")} (id, pipeline_id, trigger_id, status, attempt, token, node, lease_until, started_at, attempt_started_at, attempts, is_forced)
     VALUES ('r3', 'a', 't3', 'running', 1, 1, 'node-1', ${T0 + 60_000}, ${T0}, ${T0}, '[]', NOT ${isTrue})`,
  ];
}

const url = await testDatabaseUrl();
let files = 0;
const databases: readonly (readonly [string, () => Promise<Store>])[] = [
  [
    "SQLite",
    async () => {
      const file = join(folder, `${++files}.db`);
      const old = connect(file);
      for (const statement of migrations(DIALECT.name, SQLITE_TYPES).slice(0, RELEASED).flat()) old.exec(statement);
      old.exec(`PRAGMA user_version = ${RELEASED}`);
      for (const statement of rows(DIALECT.name, "1")) old.exec(statement);
      old.close();
      return sqliteStore({ file });
    },
  ],
  ...(url === null
    ? []
    : [
        [
          "PostgreSQL",
          async () => {
            const schema = freshSchema();
            const { name } = dialectOf(schema);
            const client = new pg.Client({ connectionString: url });
            await client.connect();
            await client.query(`CREATE SCHEMA "${schema}"`);
            await client.query(
              `CREATE TABLE ${name("migrations")} (version int PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())`,
            );
            const steps = migrations(name, POSTGRES_TYPES).slice(0, RELEASED);
            for (const statement of [...steps.flat(), ...rows(name, "true")]) await client.query(statement);
            for (let version = 1; version <= RELEASED; version++)
              await client.query(`INSERT INTO ${name("migrations")} (version) VALUES ($1)`, [version]);
            await client.end();
            return postgresStore({ connectionString: url, schema });
          },
        ] as const,
      ]),
];

describe.each(databases)("a database of 0.1.0 in %s", (_, make) => {
  it("has a row for each token, silence, node, interval, override, window, alert and delivery afterwards", async () => {
    const store = await make();
    await store.open();
    for (const [kind, wanted] of Object.entries(DOCUMENTS)) {
      const found = await store.listDocuments(kind, { after: null, limit: 100 });
      const wantedOf = (id: string) => {
        const value = wanted[id];
        return Array.isArray(value) ? (value as { id: string }[]).find((one) => one.id === id) : value;
      };
      expect(found.map(({ id }) => id)).toEqual(Object.keys(wanted).toSorted());
      for (const one of found)
        expect(one).toEqual({ kind, id: one.id, value: wantedOf(one.id), version: 1, updatedAt: T0, updatedBy: "ana" });
    }
    expect((await store.claimCursors(["sensor:a:files"], "node-2", T0 + 9, T0 + 1))[0]).toMatchObject({ value: 7, token: 3 });
    expect((await store.claimLease("headgate: alerts", "node-2", T0 + 9, T0 + 1))?.token).toBe(1);
    await store.close();
  });

  it("is upgraded in place: what waits, runs and has ended keeps its parameters, and counts towards the limits", async () => {
    const store = await make();
    await store.open();
    for (const [id, parameters] of Object.entries({ t1: SMALL, t2: LARGE, t3: LARGE, t4: LARGE })) {
      const trigger = await store.trigger(id);
      expect([trigger?.parameters, trigger?.requestedBy, trigger?.omitted]).toEqual([JSON.parse(parameters), null, undefined]);
    }
    expect((await store.trigger("t1"))?.size).toBe(Buffer.byteLength(SMALL));
    const wide = { count: 100, bytes: 1_000_000 };
    const limits = { total: wide, token: wide, pipeline: { count: 100, bytes: LARGE.length + 100 }, reserved: { count: 0, bytes: 0 } };
    await expect(store.enqueue([request("a", { size: 100, parameters: {} })], T0, { limits })).rejects.toMatchObject({
      code: "QUEUE_FULL",
      details: { limit: "pipeline", unit: "bytes" },
    });
    expect((await store.backlog()).groups.map(({ waiting }) => waiting)).toEqual([2]);
    expect((await store.listTriggers({ limit: 9, valueLimit: 1_000 })).map(({ omitted }) => omitted?.[0])).toEqual([
      "parameters",
      "parameters",
      "parameters",
      undefined,
    ]);
    const { triggers } = await claim(store, T0);
    expect(triggers.map(({ id, parameters }) => [id, parameters])).toEqual([
      ["t1", JSON.parse(SMALL)],
      ["t2", JSON.parse(LARGE)],
    ]);
    await decideAll(store, triggers, "run", T0);
    const failed = await store.run("r0");
    expect([failed?.error, failed?.attempts[0]?.error]).toEqual([JSON.parse(OLD_ERROR), JSON.parse(OLD_ERROR)]);
    const run = await store.run("r3");
    expect((await finishOne(store, run ?? expect.fail(), T0 + 1)).trigger?.status).toBe("succeeded");
    await store.close();
  });
});
