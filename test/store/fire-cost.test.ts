import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { connect, prepare } from "../../src/adapters/shared/sqlite-driver.js";
import type { Database, Session } from "../../src/adapters/stores/sql/database.js";
import { sqlStore } from "../../src/adapters/stores/sql/sql-store.js";
import { sqliteDatabase } from "../../src/adapters/stores/sqlite/sqlite-database.js";
import { firing, MINUTE, registration, T0 } from "../../src/testing/contract/fixtures.js";

const folder = mkdtempSync(join(tmpdir(), "headgate-fire-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const PIPELINES = 100;
const LOOKS_FOR_FIRE_TIMES = /unique_key/;

/** Fires pipelines that are due at different instants, twice; the second time calls `onLook` before each statement that looks for fire times. */
async function fireAll(database: Database, onLook: (session: Session, sql: string, values: readonly unknown[]) => Promise<void>) {
  let isWatched = false;
  const store = sqlStore({
    ...database,
    transaction: (work) =>
      database.transaction((session) =>
        work({
          ...session,
          query: async (sql, values = []) => {
            if (isWatched && LOOKS_FOR_FIRE_TIMES.test(sql)) await onLook(session, sql, values);
            return session.query(sql, values);
          },
        }),
      ),
  });
  await store.open();
  const ids = Array.from({ length: PIPELINES }, (_, n) => `p${n}`);
  await store.register(
    ids.map((id, n) => registration(id, { nextFireAt: T0 + n })),
    T0,
  );
  for (const from of [T0, T0 + MINUTE]) {
    isWatched = from > T0; // an index without entries costs nothing
    const results = await store.fire(
      ids.map((id, n) => firing(id, from + n)),
      from + PIPELINES,
    );
    expect(results.every(({ outcome, triggers }) => outcome === "fired" && triggers.length === 1)).toBe(true);
  }
  await store.close();
}

describe("firing pipelines that are due at different instants", () => {
  it("looks for them by the unique index, on SQLite", async () => {
    const file = join(folder, "fire.db");
    const looks: (readonly [sql: string, values: readonly unknown[]])[] = [];
    await fireAll(sqliteDatabase({ file }), async (_, sql, values) => {
      looks.push([sql, values]);
    });
    expect(looks).toHaveLength(1);
    const [sql = "", values = []] = looks[0] ?? [];
    const hand = connect(file);
    const steps = prepare(hand, `EXPLAIN QUERY PLAN ${sql}`)
      .all(...values)
      .map((step) => String((step as { detail: unknown }).detail));
    hand.close();
    expect(steps.filter((step) => /SEARCH .*\(pipeline_id=\? AND unique_key=\?\)/.test(step))).toHaveLength(1);
    expect(steps.filter((step) => step.startsWith("SCAN"))).toHaveLength(1); // the list itself, once: not all keys for each pipeline
  });
});
