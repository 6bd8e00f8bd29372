import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, describe, expect, it } from "vitest";
import { connect } from "../../src/adapters/outside/sqlite-driver.js";
import { dialectOf, TYPES as POSTGRES_TYPES } from "../../src/adapters/stores/postgres/dialect.js";
import type { Dialect, Session } from "../../src/adapters/stores/sql/database.js";
import { migrations } from "../../src/adapters/stores/sql/schema.js";
import { dropsOfFireTimes, triggersForFireTimes, triggersOpenAt } from "../../src/adapters/stores/sql/trigger-history.js";
import { DIALECT, TYPES as SQLITE_TYPES } from "../../src/adapters/stores/sqlite/dialect.js";
import { dropSchemas, freshSchema, testDatabaseUrl } from "../support/postgres.js";

const folder = mkdtempSync(join(tmpdir(), "headgate-plans-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterAll(dropSchemas);

/** Every statement that reads a pipeline's history, with its values. */
async function statements(dialect: Dialect): Promise<{ sql: string; values: readonly unknown[] }[]> {
  const sent: { sql: string; values: readonly unknown[] }[] = [];
  const query: Session["query"] = async (sql, values = []) => {
    sent.push({ sql, values });
    return [];
  };
  const session = { dialect, query } as unknown as Session;
  const span = { pipelineId: "a", from: 1_700_000_000_000, until: 1_700_000_060_000, limit: 10, valueLimit: 2 };
  await triggersOpenAt(session, { pipelineId: "a", at: 1_700_000_000_000, limit: 10, valueLimit: 2 });
  await triggersForFireTimes(session, span);
  await dropsOfFireTimes(session, span);
  return sent;
}

const INDEXES = ["on_triggers_open_long", "on_triggers_backlog", "on_triggers_backfills", "on_decisions_drops", "unique_key"];

describe("what explain reads of a pipeline's history is read by an index", () => {
  it("in SQLite", async () => {
    const db = connect(join(folder, "plans.db"));
    for (const statement of migrations(DIALECT.name, SQLITE_TYPES).flat()) db.exec(statement);
    const plans: string[] = [];
    for (const { sql, values } of await statements(DIALECT)) {
      const literal = sql.replace(/\$(\d+)/g, (_, place) => {
        const value = values[Number(place) - 1];
        return typeof value === "number" ? String(value) : `'${value}'`;
      });
      const steps = db.prepare(`EXPLAIN QUERY PLAN ${literal}`).all() as readonly { detail: string }[];
      plans.push(...steps.map(({ detail }) => detail));
    }
    db.close();
    expect(plans.filter((step) => /SCAN (triggers|decisions|runs|t|r)\b/.test(step))).toEqual([]);
    for (const index of INDEXES)
      expect(
        plans.some((step) => step.includes(index)),
        `${index} in\n${plans.join("\n")}`,
      ).toBe(true);
  });

  const url = testDatabaseUrl();
  it("in PostgreSQL", async ({ skip }) => {
    const connectionString = await url;
    if (connectionString === null) return skip();
    const schema = freshSchema();
    const dialect = dialectOf(schema);
    const client = new pg.Client({ connectionString });
    await client.connect();
    await client.query(`CREATE SCHEMA "${schema}"`);
    for (const statement of migrations(dialect.name, POSTGRES_TYPES).flat()) await client.query(statement);
    await client.query(
      `INSERT INTO "${schema}".triggers (id, pipeline_id, kind, status, priority, "order", created_at, available_at, is_forced, token, ended_at, scheduled_for, unique_key)
       SELECT lpad(n::text, 10, '0'), 'p' || n % 20, CASE n % 50 WHEN 0 THEN 'backfill' ELSE 'scheduled' END, 'succeeded', 'normal', n, 1700000000000 + n * 60000, n, false, 1,
         1700000000000 + n * 60000 + CASE n % 10 WHEN 0 THEN 90000 ELSE 5000 END, 1700000000000 + n * 60000, 'fire:' || 1700000000000 + n * 60000 FROM generate_series(1, 20000) n`,
    );
    await client.query(
      `INSERT INTO "${schema}".decisions (id, pipeline_id, kind, scheduled_for, at, outcome, reason, findings)
       SELECT lpad(n::text, 10, '0'), 'p' || n % 20, 'scheduled', 1700000000000 + n * 60000, n, 'skip', 'missed', '[]' FROM generate_series(1, 20000) n`,
    );
    await client.query(`ANALYZE "${schema}".triggers`);
    await client.query(`ANALYZE "${schema}".decisions`);
    const plans: string[] = [];
    for (const { sql, values } of await statements(dialect)) {
      const { rows } = await client.query(`EXPLAIN ${sql}`, [...values]);
      plans.push(...rows.map((row: Record<string, string>) => String(row["QUERY PLAN"])));
    }
    await client.end();
    expect(plans.filter((step) => /Seq Scan on (triggers|decisions)/.test(step))).toEqual([]);
    for (const index of ["on_triggers_open_long", "on_triggers_backfills", "on_decisions_drops", "unique_key"])
      expect(
        plans.some((step) => step.includes(index)),
        `${index} in\n${plans.join("\n")}`,
      ).toBe(true);
  });
});
