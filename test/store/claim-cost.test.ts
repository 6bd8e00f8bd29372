import { afterAll, describe, expect, it } from "vitest";
import { postgresDatabase } from "../../src/adapters/stores/postgres/postgres-database.js";
import type { Database, Session } from "../../src/adapters/stores/sql/database.js";
import { sqlStore } from "../../src/adapters/stores/sql/sql-store.js";
import type { Store } from "../../src/index.js";
import type { PipelineRegistration } from "../../src/ports/store.js";
import { claim, decideAll, registration, request, T0 } from "../../src/testing/contract/fixtures.js";
import { dropSchemas, freshSchema, testDatabaseUrl } from "../support/postgres.js";

afterAll(dropSchemas);
const url = await testDatabaseUrl();
const FEW = 200;
const MANY = 2_000;

/** The cost of a claim: rows that PostgreSQL fetched from tables for it, and statements. */
interface Cost {
  readonly rows: number;
  readonly statements: number;
}

function counted(database: Database, onClaim: (cost: Cost) => void): Database {
  const claiming: Database["claiming"] = (work, isLosable) =>
    database.claiming(async (session) => {
      let statements = 0;
      const query: Session["query"] = (...args) => {
        statements++;
        return session.query(...args);
      };
      const fetched = async () => {
        const [row] = await session.query(
          "SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)) AS n FROM pg_stat_xact_user_tables WHERE schemaname LIKE 'headgate%'",
        );
        return Number(row?.n ?? 0);
      };
      const before = await fetched();
      const answer = await work({ ...session, query });
      onClaim({ rows: (await fetched()) - before, statements });
      return answer;
    }, isLosable);
  return { ...database, claiming };
}

interface Backlog {
  readonly pipelines: number;
  readonly registration?: Partial<PipelineRegistration>;
  readonly pools?: ReadonlyMap<string, number>;
  /** Makes everything that waits wait for something. */
  readonly hold: (store: Store, ids: readonly string[]) => Promise<void>;
}

const BACKLOGS: readonly (readonly [title: string, backlog: Backlog])[] = [
  ["of one pipeline whose slots are taken", { pipelines: 1, hold: (store) => startOne(store) }],
  ["of many pipelines that are paused", { pipelines: 100, hold: pauseAll }],
  ["of a pool that is full", { pipelines: 20, registration: { pool: "shut" }, pools: new Map([["shut", 0]]), hold: async () => {} }],
  ["of triggers that are held", { pipelines: 20, registration: { maxActiveRuns: MANY }, hold: holdAll }],
];

async function startOne(store: Store): Promise<void> {
  const { triggers } = await claim(store, T0, { limit: 1 });
  await decideAll(store, triggers, "run", T0);
}

async function pauseAll(store: Store, ids: readonly string[]): Promise<void> {
  for (const id of ids) await store.pause([{ pipelineId: id, pause: { at: T0, until: null, reason: null, user: null } }]);
}

async function holdAll(store: Store): Promise<void> {
  for (;;) {
    const { triggers } = await claim(store, T0, { limit: 500 });
    if (triggers.length === 0) return;
    await decideAll(store, triggers, "hold", T0);
  }
}

/** The cost of a claim that finds one trigger behind all that wait. */
async function costBehind({ pipelines, registration: rest, pools = new Map(), hold }: Backlog, waiting: number): Promise<Cost> {
  let cost: Cost = { rows: 0, statements: 0 };
  const database = counted(postgresDatabase({ connectionString: url as string, schema: freshSchema() }), (last) => {
    cost = last;
  });
  const store = sqlStore(database);
  await store.open();
  const ids = Array.from({ length: pipelines }, (_, index) => `p${index}`);
  await store.register([...ids.map((id) => registration(id, rest)), registration("free", { maxActiveRuns: 10 })], T0);
  for (let made = 0; made < waiting; made += FEW)
    await store.enqueue(
      Array.from({ length: FEW }, (_, index) => request(ids[(made + index) % ids.length] as string)),
      T0,
    );
  await hold(store, ids);
  while ((await claim(store, T0 + 1, { limit: 1, pools })).isPartial === true);
  await claim(store, T0 + 1, { limit: 1, pools });
  await store.enqueue([request("free")], T0 + 2);
  const found = await claim(store, T0 + 2, { limit: 1, pools });
  expect(found.triggers.map(({ pipelineId }) => pipelineId)).toEqual(["free"]);
  expect(await store.countWaiting(waiting + 1)).toBeGreaterThanOrEqual(waiting);
  await store.close();
  return cost;
}

describe.skipIf(url === null)("a claim costs the same behind a backlog", () => {
  for (const [title, backlog] of BACKLOGS) {
    it(`${title}, of ${FEW} triggers or of ${MANY}`, async () => {
      const few = await costBehind(backlog, FEW);
      const many = await costBehind(backlog, MANY);
      expect(many.rows, `${many.rows} rows, ${few.rows} with few`).toBeLessThanOrEqual(few.rows * 1.2 + 5);
      expect(many.statements).toBe(few.statements);
      expect(many.rows).toBeLessThan(250);
    }, 300_000);
  }

  it("and the trigger that waited behind it all comes out in the end", async () => {
    const store = sqlStore(postgresDatabase({ connectionString: url as string, schema: freshSchema() }));
    await store.open();
    await store.register([registration("a", { overlap: "queue" })], T0);
    const requests = Array.from({ length: 120 }, () => request("a"));
    await store.enqueue(requests, T0);
    const order: string[] = [];
    for (let round = 0; order.length < requests.length && round < 1_000; round++) {
      const { triggers } = await claim(store, T0 + round, { limit: 10 });
      await decideAll(store, triggers, "skip", T0 + round);
      order.push(...triggers.map(({ id }) => id));
    }
    expect(order).toEqual(requests.map(({ id }) => id));
    await store.close();
  }, 60_000);
});
