import assert from "node:assert/strict";
import type { StatisticsRollUp } from "../../ports/store/statistics.js";
import { type Case, MINUTE, T0 } from "./fixtures.js";

const row = (pipelineId: string, until: number): StatisticsRollUp => ({ pipelineId, until, windowMs: MINUTE, state: { until } });

/** Rolled-up statistics. */
export const ROLL_UPS: readonly Case[] = [
  [
    "keeps roll-ups of statistics, written under the current token of their lease and no other",
    async (store) => {
      const first = await store.claimLease("rolls", "node-1", T0 + MINUTE, T0);
      const lease = { name: "rolls", token: first?.token ?? 0 };
      assert.deepEqual(await store.rollUps({ pipelineIds: ["", "a"] }), []);
      assert.equal(await store.saveRollUps(lease, [row("", T0), row("b", T0), row("a", T0)]), true);
      assert.equal(await store.saveRollUps(lease, [row("c", T0 + 1), row("a", T0 + 1)]), true);
      assert.deepEqual(await store.rollUps({ pipelineIds: ["a", "nobody"] }), [row("a", T0 + 1)]);
      const page = await store.rollUps({ after: null, limit: 2 });
      assert.deepEqual(page, [row("", T0), row("a", T0 + 1)]);
      assert.deepEqual(await store.rollUps({ after: "a", limit: 9 }), [row("b", T0), row("c", T0 + 1)]);
      const second = await store.claimLease("rolls", "node-2", T0 + 3 * MINUTE, T0 + 2 * MINUTE);
      assert.equal(await store.saveRollUps(lease, [row("a", T0 + 9)]), false);
      assert.equal(await store.saveRollUps({ name: "nothing", token: 0 }, [row("a", T0 + 9)]), false);
      assert.deepEqual(await store.rollUps({ pipelineIds: ["a"] }), [row("a", T0 + 1)]);
      assert.equal(await store.saveRollUps({ name: "rolls", token: second?.token ?? 0 }, [row("a", T0 + 9)]), true);
      await store.releaseLease({ name: "rolls", token: second?.token ?? 0 });
      assert.equal(await store.saveRollUps({ name: "rolls", token: second?.token ?? 0 }, [row("a", T0 + 10)]), false);
      assert.deepEqual(await store.rollUps({ pipelineIds: ["a"] }), [row("a", T0 + 9)]);
    },
  ],
];
