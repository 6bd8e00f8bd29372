import { describe, expect, it } from "vitest";
import { condition, pipeline } from "../../src/index.js";
import { fakeClock } from "../../src/testing/index.js";
import { harness, START } from "../support/harness.js";
import { sharedStore } from "../support/shared-store.js";

describe("the lease of an attempt", () => {
  it.each([1, 2])(
    "is the lease alone, however long a condition may take: attempt %i of a dead node is closed after it",
    async (lostAttempt) => {
      const store = sharedStore();
      const slow = condition("slow", async () => true, { timeout: "5m" });
      const job = (run: (attempt: number) => Promise<unknown>) =>
        pipeline({ id: "a", conditions: [slow], execution: { retries: 3, retryDelay: "5s" }, run: ({ attempt }) => run(attempt) });
      const dead = fakeClock(START);
      const never = new Promise<never>(() => {});
      const first = await harness([job(async (attempt) => (attempt < lostAttempt ? Promise.reject(new Error("down")) : never))], {
        clock: dead,
        store,
        leaseDuration: "10s",
      });
      await first.scheduler.trigger("a");
      await dead.advance("6s");
      const [running] = (await first.scheduler.runs()).items;
      expect(running).toMatchObject({ status: "running", attempt: lostAttempt });
      // from here on the first node is silent
      const alive = fakeClock(new Date(dead.now()).toISOString());
      const second = await harness([job(async () => "done")], { clock: alive, store, node: "node-2", leaseDuration: "10s" });
      await alive.advance("16s");
      expect(second.heard("run.lost")).toHaveLength(1);
      await alive.advance("1m");
      expect((await second.scheduler.runs()).items[0]).toMatchObject({ status: "succeeded", attempt: lostAttempt + 1, node: "node-2" });
      await second.scheduler.stop();
    },
  );
});
