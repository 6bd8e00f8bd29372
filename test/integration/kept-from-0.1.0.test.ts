import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, describe, expect, it } from "vitest";
import { connect } from "../../src/adapters/shared/sqlite-driver.js";
import { postgresStore } from "../../src/adapters/stores/postgres/postgres-store.js";
import { sqliteStore } from "../../src/adapters/stores/sqlite/sqlite-store.js";
import {
  adaptive,
  condition,
  createScheduler,
  cron,
  every,
  performanceBased,
  pipeline,
  type Scheduler,
  type Store,
} from "../../src/index.js";
import { fakeClock } from "../../src/testing/index.js";
import { dropSchemas, freshSchema, testDatabaseUrl } from "../support/postgres.js";

/**
 * What 0.1.0 itself has written before it was killed, on a clock that began at 08:00: `support/0.1.0`. `done` has succeeded, `held` is held, `busy` runs, and two of its triggers wait; `flaky` is between two
 * attempts, `broken` has failed, and its alert fires; `paused` is paused, `tuned` adapts. There are a token, a maintenance window, an override, a silence, and the audit log of these.
 */
const KEPT_AT = "2026-03-02T08:00:30Z";

interface Kept {
  readonly store: Store;
  /** Of the token that was issued. */
  readonly token: string;
  /** Runs a statement as a node of 0.1.0 that is still connected. */
  readonly old: (sql: string) => Promise<unknown>;
  readonly close: () => Promise<unknown>;
}

/** The texts of the tokens that were issued; only hashes are kept. */
const SQLITE_TOKEN = "hg_01kjprzbcpg000000080000000_9oZXCcBISl4YV8pyEM0x9f0LihSFfJJjYJS6GEfhyNM";
const POSTGRES_TOKEN = "hg_01kjprzbdyg000000080000000_U10AdfT9QYg8m7Anr7UghJd-lrVqwXnA-C0li1plGW4";

const folder = mkdtempSync(join(tmpdir(), "headgate-kept-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterAll(dropSchemas);
const kept = (name: string) => readFileSync(new URL(`../support/0.1.0/${name}`, import.meta.url), "utf8");
const url = await testDatabaseUrl();

const databases: readonly (readonly [string, () => Promise<Kept>])[] = [
  [
    "SQLite",
    async () => {
      const file = join(folder, `${Math.random()}.db`);
      const old = connect(file);
      old.exec(kept("sqlite.sql"));
      return {
        store: sqliteStore({ file }),
        token: SQLITE_TOKEN,
        old: async (sql) => old.exec(sql),
        close: async () => old.close(),
      };
    },
  ],
  ...(url === null
    ? []
    : [
        [
          "PostgreSQL",
          async () => {
            const schema = freshSchema();
            const client = new pg.Client({ connectionString: url });
            await client.connect();
            await client.query(
              kept("postgres.sql")
                .replaceAll(/\bheadgate\./g, `"${schema}".`)
                .replace("SCHEMA headgate", `SCHEMA "${schema}"`),
            );
            await client.query(`SET search_path TO "${schema}"`);
            return {
              store: postgresStore({ connectionString: url, schema }),
              token: POSTGRES_TOKEN,
              old: (sql: string) => client.query(sql),
              close: () => client.end(),
            };
          },
        ] as const,
      ]),
];

/** The pipelines of 0.1.0, as this version has them. */
function schedulerOn(store: Store, ran: string[]): { scheduler: Scheduler; clock: ReturnType<typeof fakeClock> } {
  const clock = fakeClock(KEPT_AT);
  const note = (id: string, parameters: unknown) => void ran.push(`${id} ${JSON.stringify(parameters)}`);
  const of = (id: string, rest: object = {}) => pipeline({ id, ...rest, run: ({ parameters }) => note(id, parameters) });
  const pipelines = [
    of("done", { schedule: every("1h") }),
    of("held", { conditions: [condition("approval", () => true, { onBlock: "hold" })] }),
    of("busy", { execution: { timeout: "6h" } }),
    of("flaky", { execution: { retries: 3, retryDelay: "1h" } }),
    of("broken", { alertOn: ["failure"] }),
    of("paused", { schedule: cron("0 * * * *") }),
    of("tuned", { schedule: adaptive({ base: "1h", min: "10m", max: "4h", tuner: performanceBased() }) }),
  ];
  return {
    scheduler: createScheduler({ pipelines, store, clock, node: "node-2", monitoring: { every: "1m" }, logger: { log: () => {} } }),
    clock,
  };
}

describe.each(databases)("what 0.1.0 has kept in %s", (_, make) => {
  it("goes on: what waited, was held, ran or was between two attempts; and everything that was set at run time is in force", {
    timeout: 240_000,
  }, async () => {
    const { store, token, close } = await make();
    const ran: string[] = [];
    const { scheduler, clock } = schedulerOn(store, ran);
    await scheduler.start();

    const runs = await scheduler.runs();
    expect(Object.fromEntries(runs.items.map((run) => [run.pipelineId, run.status]))).toMatchObject({
      done: "succeeded",
      broken: "failed",
      flaky: "retrying",
    });
    expect(runs.items.find((run) => run.pipelineId === "done")?.output).toEqual({ rows: 12 });
    expect(runs.items.find((run) => run.pipelineId === "broken")?.error?.message).toBe("the warehouse is gone");
    expect((await scheduler.trigger("done", { idempotencyKey: "done-1", parameters: { day: "2026-03-01" } })).status).toBe("succeeded");

    expect(await scheduler.tokens.holderOf(token)).toMatchObject({ role: "operator" });
    expect((await scheduler.settings.maintenance()).map(({ pipelineId, user }) => [pipelineId, user])).toEqual([["done", "ana"]]);
    expect((await scheduler.settings.get("done")).effective.maxActiveRuns).toMatchObject({ value: 3, source: "override", user: "ben" });
    expect((await scheduler.alerts.silences()).map(({ pipelineId, user }) => [pipelineId, user])).toEqual([["flaky", "ben"]]);
    expect((await scheduler.alerts.list()).map(({ rule, pipelineId, status }) => [rule, pipelineId, status])).toContainEqual([
      "run_failed",
      "broken",
      "firing",
    ]);
    expect(await scheduler.audit.verify()).toMatchObject({ isIntact: true, problem: null });
    expect((await scheduler.getPipelineStatus("paused")).pause).toMatchObject({ reason: "warehouse move", user: "ana" });

    await clock.advance("15m"); // the lease of node-1, and the next look at what is held
    expect(ran.toSorted()).toEqual(['busy {"part":1}', `busy {"part":2,"text":"${"x".repeat(3_000)}"}`, "held {}"]);
    const [lost] = (await scheduler.runs({ pipelineId: "busy" })).items.slice(-1);
    expect(lost?.attempts.map(({ node, outcome }) => [node, outcome])).toEqual([["node-1", "lost"]]);
    await clock.advance("1h");
    expect(ran).toContain('busy {"part":3}');
    expect(ran).toContain("flaky {}");
    expect(ran.filter((one) => one.startsWith("paused"))).toEqual([]);
    await scheduler.resume("paused");
    await clock.advance("1m");
    expect(ran).toContain("paused {}");
    await scheduler.stop();
    await close();
  });

  it("is closed to a node of 0.1.0 that is still running, and the error says what to do", async () => {
    const { store, old, close } = await make();
    await old("SELECT id FROM pipelines WHERE id = 'done'");
    await store.open();
    await store.close();
    const upgraded = /upgraded by a newer version of headgate: stop this node, and start it again with that version/;
    for (const sql of [
      "SELECT id FROM pipelines WHERE id = 'done'",
      "SELECT id, schedule_key, next_fire_at, last_fire_at, last_success_at, pause, last_pause, max_active_runs, overlap, pool FROM pipelines WHERE pause IS NOT NULL",
      "SELECT key, value, version, updated_at, updated_by FROM config WHERE key = 'settings' AND version > 0",
      "SELECT t.id FROM triggers t JOIN pipelines p ON p.id = t.pipeline_id WHERE t.status = 'pending'",
    ])
      await expect(
        Promise.resolve().then(() => old(sql)),
        sql,
      ).rejects.toThrow(upgraded);
    await close();
  });
});
