import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, describe, expect, it } from "vitest";
import { connect } from "../../src/adapters/shared/sqlite-driver.js";
import { PLANNER } from "../../src/adapters/stores/postgres/pool.js";
import { postgresStore } from "../../src/adapters/stores/postgres/postgres-store.js";
import { migrations } from "../../src/adapters/stores/sql/schema.js";
import { DIALECT, TYPES } from "../../src/adapters/stores/sqlite/dialect.js";
import { sqliteStore } from "../../src/adapters/stores/sqlite/sqlite-store.js";
import { dropSchemas, freshSchema, testDatabaseUrl } from "../support/postgres.js";
import { isUtility } from "./bounds.js";
import { type Planning, PostgresJudge } from "./postgres-judge.js";
import { SqliteJudge } from "./sqlite-judge.js";
import { collectPostgres, collectSqlite, type Statement } from "./statements.js";
import { workload } from "./workload.js";

/** Ended triggers of the history that statements are judged on. Plans do not depend on it; `HISTORY=1000000 npx vitest run test/plans` takes minutes. */
const COUNT = Number(process.env.HISTORY ?? 20_000);
const PATIENCE = { timeout: 1_800_000 };

const folder = mkdtempSync(join(tmpdir(), "headgate-plans-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterAll(dropSchemas);

describe("every statement of the stores reads what it returns", () => {
  it("on SQLite, of which nothing is known by ANALYZE", PATIENCE, async () => {
    let files = 0;
    const place = () => join(folder, `${files}.db`);
    const statements = await collectSqlite(() =>
      workload(
        async (options) => {
          files++;
          return sqliteStore({ file: place(), synchronous: "normal", ...options });
        },
        () => sqliteStore({ file: place(), synchronous: "normal" }),
        async (_, id) => {
          const hand = connect(place());
          hand.prepare(`UPDATE "triggers" SET parameters = '{broken' WHERE id = ?`).run(id);
          hand.close();
        },
        COUNT,
      ),
    );
    const upgrade = new Set(migrations(DIALECT.name, TYPES).flat());
    const judge = new SqliteJudge(join(folder, "history.db"), COUNT);
    const judged = explainable(statements.all).filter(({ text }) => !upgrade.has(text) && !/pragma_/.test(text));
    const complaints = judged.flatMap((one) => judge.judge(one));
    judge.close();
    report("SQLite", judged, complaints);
  });

  it("on PostgreSQL, with statistics and without, and by plans made while the tables were empty", PATIENCE, async ({ skip }) => {
    const connectionString = await testDatabaseUrl();
    if (connectionString === null) return skip();
    const [collected, schema] = [freshSchema(), freshSchema()];
    const hand = new pg.Client({ connectionString, options: "-c synchronous_commit=off" });
    await hand.connect();
    const statements = await collectPostgres(() =>
      workload(
        async (options) => {
          const store = postgresStore({
            connectionString,
            schema: collected,
            poolConfig: { options: "-c synchronous_commit=off" },
            ...options,
          });
          await store.open();
          const { rows } = await hand.query("SELECT tablename FROM pg_tables WHERE schemaname = $1 AND tablename <> 'migrations'", [
            collected,
          ]);
          await hand.query(["BEGIN", ...rows.map(({ tablename }) => `DELETE FROM "${collected}"."${tablename}"`), "COMMIT"].join("; "));
          return store;
        },
        () => postgresStore({ connectionString, schema: collected, poolConfig: { options: "-c synchronous_commit=off" } }),
        async (_, id) => {
          await hand.query(`UPDATE "${collected}".triggers SET parameters = '{broken' WHERE id = $1`, [id]);
        },
        COUNT,
      ),
    );
    await hand.end();
    const judged = explainable(statements.all);
    const judge = await PostgresJudge.create(connectionString, schema, collected);
    const own = PLANNER.map((setting) => `SET ${setting} TO off`);
    const early = await judge.session({ name: "planned while the tables were empty", settings: own, plan: "generic" });
    for (const one of judged) await early.prepare(one);
    await judge.fill(COUNT);
    const complaints: string[] = [];
    const judgeAll = async (session: Awaited<ReturnType<PostgresJudge["session"]>>) => {
      for (const one of judged) complaints.push(...(await session.judge(one)));
      await session.close();
    };
    await judgeAll(early);
    for (const knowledge of ["without statistics", "with statistics"]) {
      if (knowledge === "with statistics") await judge.analyze();
      for (const planning of planningOf(own)) await judgeAll(await judge.session({ ...planning, name: `${planning.name}, ${knowledge}` }));
    }
    await judge.close();
    report("PostgreSQL", judged, complaints);
  });
});

/** A statement that is prepared keeps one plan for all values after some time; behind a pooler none is prepared. */
function planningOf(settings: readonly string[]): readonly Planning[] {
  return [
    { name: "one plan for all values", settings, plan: "generic" },
    { name: "a plan for these values", settings, plan: "custom" },
  ];
}

function explainable(statements: readonly Statement[]): readonly Statement[] {
  return statements.filter(({ text }) => !isUtility(text));
}

function report(where: string, judged: readonly Statement[], complaints: readonly string[]): void {
  expect(judged.length, `statements collected on ${where}`).toBeGreaterThan(100);
  expect(complaints.length, complaints.join("\n")).toBe(0);
}
