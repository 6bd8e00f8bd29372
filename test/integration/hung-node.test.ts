import { afterAll, describe, expect, it } from "vitest";
import { postgresStore } from "../../src/adapters/stores/postgres/postgres-store.js";
import { createScheduler, every, pipeline } from "../../src/index.js";
import { freezingProxy } from "../support/freezing-proxy.js";
import { dropSchemas, freshSchema, testDatabaseUrl } from "../support/postgres.js";

const url = await testDatabaseUrl();
const SILENT = { log: () => {} };
const LEASE_MS = 3_000;
afterAll(dropSchemas);

/** A run of the node that is cut off keeps its slot until its lease has run out; there are others. */
const TICK = { id: "tick", schedule: every("200ms"), execution: { maxActiveRuns: 10 } };

/** Only the other node runs it, so that each of the statements comes soon, however few runs of the common one it gets. */
const OWN = { id: "own", schedule: every("200ms"), execution: { maxActiveRuns: 10 } };

/** Statements at which the other node is cut off, by a part of their text. */
const STATEMENTS: readonly (readonly [string, RegExp])[] = [
  ["a claim that has the lock", /pg_advisory_xact_lock/],
  ["a claim that has read the limits", /AS what, pipeline_id/],
  ["a fire", /UPDATE[^;]*next_fire_at/],
  ["a decision or the start of a run", /INSERT INTO[^;]*"runs"/],
  ["the end of a run", /UPDATE[^;]*"attempts" = /],
  ["any transaction that has begun", /BEGIN; SET LOCAL/],
];

describe.skipIf(url === null)("a node that is cut off without a word", () => {
  it.concurrent.each(STATEMENTS)(
    "at %s holds up the others for no longer than lease + 2 s, and costs them no run",
    async (_, pattern) => {
      const schema = freshSchema();
      const starts: number[] = [];
      const lost: string[] = [];
      const tick = pipeline({ ...TICK, run: () => void starts.push(performance.now()) });
      const long = pipeline({ id: "long", run: ({ clock }) => clock.sleep("8s") });
      const healthy = createScheduler({
        pipelines: [tick, long],
        store: postgresStore({ connectionString: url ?? "", schema }),
        node: "healthy",
        leaseDuration: LEASE_MS,
        logger: SILENT,
      });
      await healthy.start();
      healthy.on("run.lost", ({ run }) => lost.push(`${run.pipelineId} of ${run.node}`));
      await healthy.trigger("long");

      const proxy = await freezingProxy(new URL(url ?? ""), pattern);
      const other = createScheduler({
        pipelines: [pipeline({ ...TICK, run: () => {} }), pipeline({ ...OWN, run: () => {} })],
        store: postgresStore({ connectionString: proxy.url, schema }),
        node: "other",
        leaseDuration: LEASE_MS,
        logger: SILENT,
      });
      const starting = other.start().catch(() => {}); // it may be cut off while it starts
      await proxy.frozen;
      const cutAt = performance.now();
      while (performance.now() - cutAt < LEASE_MS + 4_000)
        await new Promise<void>((resolve) => healthy.once("run.succeeded", () => resolve()));
      const after = [cutAt, ...starts.filter((at) => at >= cutAt), performance.now()];
      const longest = Math.max(...after.slice(1).map((at, index) => at - (after[index] ?? at)));
      expect(longest).toBeLessThanOrEqual(LEASE_MS + 2_000);
      expect(lost.filter((one) => one.endsWith("healthy"))).toEqual([]);
      proxy.close();
      await starting;
      await Promise.all([healthy.stop({ drain: 0 }), other.stop({ drain: 0 })]);
    },
    60_000,
  );
});
