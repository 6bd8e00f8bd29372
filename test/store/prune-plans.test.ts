import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { connect, prepare } from "../../src/adapters/shared/sqlite-driver.js";
import { postgresDatabase } from "../../src/adapters/stores/postgres/postgres-database.js";
import type { Database, Row, Session } from "../../src/adapters/stores/sql/database.js";
import { prune, type SqlRetention } from "../../src/adapters/stores/sql/prune.js";
import { sqliteDatabase } from "../../src/adapters/stores/sqlite/sqlite-database.js";
import { MINUTE, T0 } from "../../src/testing/contract/fixtures.js";
import { dropSchemas, freshSchema, testDatabaseUrl } from "../support/postgres.js";

/** Rows of each table: enough for a database to prefer an index where it has one. */
const ROWS = 20_000;
const LIMIT = 50;
const NOW = T0 + 1_000 * MINUTE;
const TABLES = "triggers|runs|decisions|answers|events|audit|payloads|history";

const folder = mkdtempSync(join(tmpdir(), "headgate-plans-"));
const url = await testDatabaseUrl();
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await dropSchemas();
});

/** History that ended a second after each other; every hundredth trigger waits still. */
async function fill({ dialect, query }: Session): Promise<void> {
  const numbers = `WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ${ROWS - 1})`;
  const at = `(${T0} + CAST(i AS bigint) * 1000)`;
  const id = "substr('00000' || i, length('00000' || i) - 4)";
  const into = (table: string, columns: string, values: string) =>
    query(`INSERT INTO ${dialect.name(table)} (${columns}) ${numbers} SELECT ${values} FROM n`);
  const isOpen = "i % 100 = 0";
  await into(
    "triggers",
    `id, pipeline_id, kind, status, priority, "order", created_at, available_at, is_forced, token, run_id, ended_at, payload_id`,
    `${id}, 'p' || (i % 5), 'manual', CASE WHEN ${isOpen} THEN 'held' ELSE 'succeeded' END, 'normal', i, ${at}, ${at}, ${dialect.queueLock === null ? "0" : "false"}, 1,
     ${id}, CASE WHEN ${isOpen} THEN NULL ELSE ${at} END, CASE WHEN i % 7 = 0 THEN ${id} END`,
  );
  await into(
    "runs",
    "id, pipeline_id, trigger_id, status, attempt, token, node, lease_until, started_at, attempt_started_at, attempts, is_forced",
    `${id}, 'p' || (i % 5), ${id}, 'succeeded', 1, 1, 'n', 0, ${at}, ${at}, '[]', ${dialect.queueLock === null ? "0" : "false"}`,
  );
  const decision = "pipeline_id, trigger_id, kind, scheduled_for, at, outcome, reason, findings";
  await into("decisions", `id, ${decision}`, `${id}, 'p' || (i % 5), ${id}, 'manual', NULL, ${at}, 'run', 'it has no conditions', '[]'`);
  await into("decisions", `id, ${decision}`, `'d' || ${id}, 'p' || (i % 5), NULL, 'scheduled', ${at}, ${at}, 'skip', 'missed', '[]'`);
  await into("payloads", "id, size, parameters", `${id}, 2, '{}'`);
  await into("answers", "key, request, at", `${id}, 'digest', ${at}`);
  await into("events", "seq, at, name, data, size", `i + 1, ${at}, 'decision', '{}', 2`);
  const record = `'{"seq":' || (i + 1) || ',"hash":"x"}'`;
  await into("audit", "seq, at, record", `i + 1, ${at}, ${record}`);
  const head = JSON.stringify({ seq: ROWS, first: 1, bytes: 2 * ROWS });
  await query(`INSERT INTO ${dialect.name("meta")} (key, value) VALUES ('events_head', '${head}')`);
}

type Explain = (session: Session, sql: string, values: readonly unknown[]) => Promise<void>;

/** Removes and counts step by step, with a look at the plan of each statement; returns the statements. */
async function explained(database: Database, explain: Explain, retention: SqlRetention): Promise<ReadonlySet<string>> {
  const seen = new Map<string, number>();
  for (let step = 0; step < 400; step++) {
    const { isDone } = await database.transaction((session) => {
      const query: Session["query"] = async (sql, values = []) => {
        const times = seen.get(sql) ?? 0;
        seen.set(sql, times + 1);
        if (times < 3) await explain(session, sql, values);
        return session.query(sql, values);
      };
      return prune({ ...session, query }, retention, NOW, { limit: LIMIT });
    });
    if (isDone) break;
  }
  return new Set(seen.keys());
}

/** Keeps nothing of one kind after the other: by age, by pipeline and over all. */
async function allKinds(database: Database, explain: Explain): Promise<number> {
  const all: SqlRetention = { count: 1e9, countPerPipeline: null, maxAgeMs: 1e12, auditMs: 1e12 };
  const statements = new Set<string>();
  const ageMs = NOW - T0 - 60 * MINUTE;
  for (const retention of [
    { ...all, auditMs: ageMs },
    { ...all, maxAgeMs: ageMs },
    { ...all, countPerPipeline: 7_000 },
    { ...all, count: 30_000 },
  ])
    for (const sql of await explained(database, explain, retention)) statements.add(sql);
  return statements.size;
}

describe("what retention does", () => {
  it("reads on SQLite through an index what it removes, without statistics of the tables", async () => {
    const file = join(folder, "plans.db");
    const database = sqliteDatabase({ file, synchronous: "normal" });
    await database.open();
    await database.transaction(fill);
    const hand = connect(file);
    const explain: Explain = async (_, sql, values) => {
      const plan = prepare(hand, `EXPLAIN QUERY PLAN ${sql}`).all(...values) as readonly { readonly detail: string }[];
      const text = `${sql}\n${plan.map(({ detail }) => detail).join("\n")}`;
      const isInOrder = / ORDER BY (seq|pipeline_id|kept DESC, pipeline_id DESC) LIMIT /.test(sql) && !text.includes("TEMP B-TREE");
      if (!isInOrder) expect(text).not.toMatch(new RegExp(`^SCAN (${TABLES})\\b`, "m"));
      expect(text).not.toContain("TEMP B-TREE");
    };
    expect(await allKinds(database, explain)).toBeGreaterThan(15);
    hand.close();
    await database.close();
  });

  it.skipIf(url === null)("reads on PostgreSQL a few rows for each that it removes", async () => {
    const database = postgresDatabase({ connectionString: url ?? "", schema: freshSchema() });
    await database.open();
    await database.transaction(fill);
    const explain: Explain = async (session, sql, values) => {
      await session.query("SAVEPOINT explained");
      const [row] = await session.query(`EXPLAIN (ANALYZE, FORMAT JSON) ${sql}`, values);
      await session.query("ROLLBACK TO explained");
      const [found] = (row as Row)["QUERY PLAN"] as readonly { readonly Plan: PlanNode }[];
      expect(rowsRead(found?.Plan), sql).toBeLessThanOrEqual(20 * LIMIT + 1_000);
    };
    expect(await allKinds(database, explain)).toBeGreaterThan(15);
    await database.close();
  });
});

interface PlanNode {
  readonly "Node Type": string;
  readonly "Actual Rows": number;
  readonly "Actual Loops": number;
  readonly "Rows Removed by Filter"?: number;
  readonly "Rows Removed by Index Recheck"?: number;
  readonly Plans?: readonly PlanNode[];
}

/** Rows that the scans of a plan have looked at. */
function rowsRead(node: PlanNode | undefined): number {
  if (node === undefined) return 0;
  const below = (node.Plans ?? []).reduce((sum, one) => sum + rowsRead(one), 0);
  if (!node["Node Type"].includes("Scan")) return below;
  const own = node["Actual Rows"] + (node["Rows Removed by Filter"] ?? 0) + (node["Rows Removed by Index Recheck"] ?? 0);
  return below + own * node["Actual Loops"];
}
