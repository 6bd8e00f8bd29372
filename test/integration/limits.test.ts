import { setTimeout as wait } from "node:timers/promises";
import { afterAll, describe, expect, it, vi } from "vitest";
import { postgresStore } from "../../src/adapters/stores/postgres/postgres-store.js";
import { createScheduler, maxPerPeriod, pipeline } from "../../src/index.js";
import { dropSchemas, freshSchema, testDatabaseUrl } from "../support/postgres.js";

const connectionString = await testDatabaseUrl();
afterAll(dropSchemas);

describe.skipIf(connectionString === null)("limits over several nodes on PostgreSQL, under load", () => {
  it("of a pipeline, of a pool and of everything are reached, and never exceeded", async () => {
    const schema = freshSchema();
    const active = new Map<string, number>();
    const most = new Map<string, number>();
    const count = (name: string, by: number) => {
      const now = (active.get(name) ?? 0) + by;
      active.set(name, now);
      most.set(name, Math.max(most.get(name) ?? 0, now));
    };
    const job = (id: string, maxActiveRuns: number, pool?: string) =>
      pipeline({
        id,
        execution: { maxActiveRuns, ...(pool === undefined ? {} : { pool }) },
        run: async () => {
          const names = [id, "all", ...(pool === undefined ? [] : [pool])];
          for (const name of names) count(name, 1);
          await wait(2 + Math.random() * 6);
          for (const name of names) count(name, -1);
        },
      });
    const pipelines = () => [job("a", 3), job("b", 100, "disk"), job("c", 100, "disk"), job("d", 100)];
    const nodes = ["n1", "n2", "n3", "n4"].map((node) =>
      createScheduler({
        pipelines: pipelines(),
        store: postgresStore({ connectionString: connectionString ?? "", schema }),
        node,
        pools: { disk: 2 },
        maxActiveRuns: 9,
        logger: { log: () => {} },
      }),
    );
    await Promise.all(nodes.map((one) => one.start()));
    let left = 600;
    const done = new Promise<void>((resolve) => {
      for (const one of nodes) one.on("run.succeeded", () => --left === 0 && resolve());
    });
    await Promise.all(
      Array.from({ length: 600 }, (_, n) => (nodes[n % 4] as (typeof nodes)[number]).trigger("abcd"[Math.floor(n / 4) % 4] as string)),
    );
    await done;
    expect(Object.fromEntries(most)).toMatchObject({ a: 3, disk: 2, all: 9 });
    await Promise.all(nodes.map((one) => one.stop()));
  });

  it("on starts per period are never exceeded in any window, by the recorded starts", async () => {
    const schema = freshSchema();
    const limited = () =>
      pipeline({
        id: "api",
        execution: { maxActiveRuns: 50 },
        conditions: [maxPerPeriod({ count: 5, period: "1s" })],
        onBlock: "hold",
        run: () => {},
      });
    const nodes = ["n1", "n2", "n3"].map((node) =>
      createScheduler({
        pipelines: [limited()],
        store: postgresStore({ connectionString: connectionString ?? "", schema }),
        node,
        logger: { log: () => {} },
      }),
    );
    await Promise.all(nodes.map((one) => one.start()));
    await Promise.all(Array.from({ length: 24 }, (_, n) => (nodes[n % 3] as (typeof nodes)[number]).trigger("api")));
    const [first] = nodes as [(typeof nodes)[number]];
    const starts = await vi.waitFor(
      async () => {
        const { items } = await first.runs({ pipelineId: "api", limit: 100 });
        expect(items).toHaveLength(24);
        return items.map(({ startedAt }) => startedAt.getTime()).sort((a, b) => a - b);
      },
      { timeout: 50_000, interval: 200 },
    );
    for (const [index, at] of starts.slice(0, -5).entries()) expect((starts[index + 5] ?? 0) - at).toBeGreaterThanOrEqual(1_000);
    expect(new Set((await first.runs({ pipelineId: "api", limit: 100 })).items.map(({ node }) => node)).size).toBeGreaterThan(1);
    await Promise.all(nodes.map((one) => one.stop()));
  });
});
