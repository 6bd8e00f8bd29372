import { afterAll, describe, expect, it } from "vitest";
import { postgresStore } from "../../src/adapters/stores/postgres/postgres-store.js";
import { createScheduler, every, pipeline } from "../../src/index.js";
import { hasPgbouncer, pgbouncer } from "../support/pgbouncer.js";
import { dropSchemas, freshSchema, testDatabaseUrl } from "../support/postgres.js";

const url = await testDatabaseUrl();
afterAll(dropSchemas);

describe.skipIf(url === null || !hasPgbouncer)("PostgreSQL behind PgBouncer as it comes", () => {
  it.each(["session", "transaction"] as const)("in %s mode two nodes share the work, and no result is lost", async (mode) => {
    const bouncer = await pgbouncer(new URL(url ?? ""), mode);
    const schema = freshSchema();
    const ran: string[] = [];
    const errors: string[] = [];
    const nodes = ["a", "b"].map((node) => {
      const run = () => void ran.push(node);
      const scheduler = createScheduler({
        pipelines: [
          pipeline({ id: "tick", schedule: every("100ms"), execution: { maxActiveRuns: 5 }, run }),
          pipeline({ id: "asked", execution: { maxActiveRuns: 5 }, run }),
        ],
        store: postgresStore({ connectionString: bouncer.url, schema }),
        node,
        logger: { log: () => {} },
      });
      scheduler.on("error", ({ error, where }) => errors.push(`${where}: ${String(error)}`));
      scheduler.on("store.unavailable", ({ error }) => errors.push(String(error)));
      return scheduler;
    });
    await Promise.all(nodes.map((one) => one.start()));
    const asked = await Promise.all(Array.from({ length: 60 }, (_, n) => nodes[n % 2]?.trigger("asked", { idempotencyKey: `k${n}` })));
    const ended = async () => {
      const states = await Promise.all(asked.map((one) => nodes[0]?.getTrigger(one?.id ?? "")));
      return states.every((one) => one?.status === "succeeded");
    };
    for (let turn = 0; turn < 200 && !(await ended()); turn++)
      await new Promise<void>((resolve) => nodes[0]?.once("run.succeeded", () => resolve()));
    expect(await ended()).toBe(true);
    await Promise.all(nodes.map((one) => one.stop()));
    expect(errors).toEqual([]);
    expect(new Set(ran)).toEqual(new Set(["a", "b"]));
    bouncer.stop();
  });

  it("in statement mode it is refused at the start, and says why", async () => {
    const bouncer = await pgbouncer(new URL(url ?? ""), "statement");
    const scheduler = createScheduler({ store: postgresStore({ connectionString: bouncer.url, schema: freshSchema() }) });
    await expect(scheduler.start()).rejects.toThrow(/statement pooling/);
    bouncer.stop();
  });
});
