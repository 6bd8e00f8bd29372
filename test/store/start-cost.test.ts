import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { postgresDatabase } from "../../src/adapters/stores/postgres/postgres-database.js";
import type { Database } from "../../src/adapters/stores/sql/database.js";
import { sqlStore } from "../../src/adapters/stores/sql/sql-store.js";
import { sqliteDatabase } from "../../src/adapters/stores/sqlite/sqlite-database.js";
import { createScheduler, cron, memoryStore, type Pipeline, pipeline, type Store } from "../../src/index.js";
import type { PipelineRegistration } from "../../src/ports/store.js";
import { fakeClock } from "../../src/testing/index.js";
import { bound } from "../support/bound-store.js";
import { counted } from "../support/counted-database.js";
import { START } from "../support/harness.js";
import { dropSchemas, freshSchema, testDatabaseUrl } from "../support/postgres.js";

const folder = mkdtempSync(join(tmpdir(), "headgate-start-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterAll(dropSchemas);

const url = await testDatabaseUrl();
const DATABASES: readonly (readonly [name: string, place: () => () => Database])[] = [
  [
    "SQLite",
    () => {
      const file = join(folder, `${crypto.randomUUID()}.db`);
      return () => sqliteDatabase({ file });
    },
  ],
  ...(url === null
    ? []
    : [
        [
          "PostgreSQL",
          () => {
            const schema = freshSchema();
            return () => postgresDatabase({ connectionString: url, schema });
          },
        ] as const,
      ]),
];

/** Pipelines that fire at night; every hundredth has `maxActiveRuns`. */
function pipelines(count: number, maxActiveRuns = 1): readonly Pipeline[] {
  const schedule = cron("0 23 * * *");
  return Array.from({ length: count }, (_, n) =>
    pipeline({ id: `p${n}`, schedule, execution: { maxActiveRuns: n % 100 === 0 ? maxActiveRuns : 1 }, run: () => {} }),
  );
}

/** Starts a scheduler, stops it, and returns what its start has asked of the database. */
async function costOf(database: Database, all: readonly Pipeline[]) {
  const { database: watched, counts } = counted(database);
  const scheduler = createScheduler({ pipelines: all, store: sqlStore(watched), clock: fakeClock(START), logger: { log: () => {} } });
  await scheduler.start();
  const cost = structuredClone(counts);
  await scheduler.stop();
  return cost;
}

describe.each(DATABASES)("a start on %s", (_, newPlace) => {
  it("writes nothing when nothing has changed, and asks no more for a thousand pipelines than for ten", async () => {
    const statements: number[] = [];
    for (const count of [10, 1_000]) {
      const place = newPlace();
      await costOf(place(), pipelines(count));
      const again = await costOf(place(), pipelines(count));
      expect(again.rows.pipeline_states).toBeUndefined();
      statements.push(again.statements);
    }
    expect(statements[1]).toBe(statements[0]);
  });

  it("needs one more statement, and no transaction, for every further thousand pipelines that have not changed", async () => {
    const costs = [];
    for (const count of [1_000, 3_000]) {
      const place = newPlace();
      await costOf(place(), pipelines(count));
      costs.push(await costOf(place(), pipelines(count)));
    }
    const [few, many] = costs;
    expect(many?.statements).toBe((few?.statements ?? 0) + 2);
    expect(many?.transactions).toBe(few?.transactions);
  });

  it("writes the pipelines that have changed and no others", async () => {
    const place = newPlace();
    const first = await costOf(place(), pipelines(1_000));
    expect(first.rows.pipeline_states).toBe(1_000);
    const changed = await costOf(place(), pipelines(1_000, 2));
    expect(changed.rows.pipeline_states).toBe(10);
    const added = await costOf(place(), pipelines(1_007, 2));
    expect(added.rows.pipeline_states).toBe(7);
  });

  it("completes what a start that was killed has left undone", async () => {
    const place = newPlace();
    await costOf(place(), pipelines(1_300).slice(0, 1_000)); // as many as are written in one transaction
    const rest = await costOf(place(), pipelines(1_300));
    expect(rest.rows.pipeline_states).toBe(300);
  });

  it("takes over what another node has registered between being looked for and being written", async () => {
    const place = newPlace();
    const other = sqlStore(place());
    const { database } = counted(place());
    const store = sqlStore({
      ...database,
      transaction: async (work) => {
        await other.register([registrationOf("b", 1), registrationOf("c", 3)], 0);
        return database.transaction(work);
      },
    });
    await other.open();
    await store.open();
    const states = await store.register([registrationOf("a", 2), registrationOf("b", 2), registrationOf("c", 3)], 0);
    expect(states.map(({ id, nextFireAt }) => [id, nextFireAt])).toEqual([
      ["a", 2_000],
      ["b", 1_000], // its schedule is the same: only its limit is taken over
      ["c", 3_000],
    ]);
    await store.close();
    await other.close();
  });
});

function registrationOf(id: string, n: number): PipelineRegistration {
  return { id, scheduleKey: id, nextFireAt: n * 1_000, maxActiveRuns: n, overlap: "queue_one", pool: null };
}

describe("a start with many pipelines", () => {
  it("lets the event loop turn after every thousand", async () => {
    let turns = 0;
    const registered: (readonly [count: number, turn: number])[] = [];
    const inner = memoryStore();
    const store: Store = {
      ...bound(inner),
      register: (some, now) => {
        registered.push([some.length, turns]);
        return inner.register(some, now);
      },
    };
    const clock = Object.assign(fakeClock(START), {
      yield: async () => {
        turns++;
      },
    });
    const scheduler = createScheduler({ pipelines: pipelines(2_500), store, clock, logger: { log: () => {} } });
    await scheduler.start();
    expect(registered).toEqual([
      [1_000, 0],
      [1_000, 1],
      [500, 2],
    ]);
    await scheduler.stop();
  });
});
