import { describe, expect, it } from "vitest";
import { anyOf, cron, HeadgateError, maxPerPeriod, pipeline, type Store } from "../../src/index.js";
import { fakeClock } from "../../src/testing/index.js";
import { harness, START } from "../support/harness.js";
import { sharedStore } from "../support/shared-store.js";

const away = () => new HeadgateError("STORE_UNAVAILABLE", "too many clients already");

/** A store that refuses the reads of conditions so many times. */
function refusing(times: number): { store: Store; refused: () => number } {
  const store = sharedStore();
  let refused = 0;
  const recentStarts: Store["recentStarts"] = async (...query) => {
    if (refused >= times) return store.recentStarts(...query);
    refused++;
    throw away();
  };
  return { store: { ...store, recentStarts }, refused: () => refused };
}

const limited = (conditions = [maxPerPeriod({ count: 5, period: "1h" })]) =>
  pipeline({ id: "a", schedule: cron("0 * * * *"), conditions, onBlock: "hold", run: () => {} });

describe("a gate whose conditions read the store", () => {
  it("waits for a store that refuses for a moment, instead of holding the trigger for a quarter of an hour", async () => {
    const { store, refused } = refusing(2);
    const clock = fakeClock(START);
    const { scheduler, heard } = await harness([limited()], { store, clock });
    await clock.advance("1h1s");
    expect(refused()).toBe(2);
    const [run] = (await scheduler.runs()).items;
    expect(run?.startedAt).toEqual(new Date("2026-03-02T01:00:00.750Z"));
    expect(heard("trigger.held")).toEqual([]);
    expect(heard("error")).toEqual([]);
    await scheduler.stop();
  });

  it("is evaluated again when the claim has run out, if the store stays away; nothing is recorded of it, whatever onError says", async () => {
    const { store, refused } = refusing(4);
    const clock = fakeClock(START);
    const limit = { ...maxPerPeriod({ count: 5, period: "1h" }), onError: "pass" as const };
    const { scheduler, heard } = await harness([limited([anyOf(limit)])], { store, clock });
    await clock.advance("1h5s");
    expect([refused(), (await scheduler.runs()).items.length]).toEqual([4, 0]);
    expect(heard("error")).toMatchObject([{ error: { code: "STORE_UNAVAILABLE" } }]);
    expect((await scheduler.decisions()).items).toEqual([]);
    await clock.advance("1m");
    expect((await scheduler.runs()).items).toHaveLength(1);
    await scheduler.stop();
  });

  it("makes an explanation of the future fail with the store's error, instead of a wrong one", async () => {
    const { store } = refusing(1);
    const { scheduler } = await harness([limited()], { store, clock: fakeClock(START) });
    await expect(scheduler.explain("a", "2026-03-02T01:00:00Z")).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect((await scheduler.explain("a", "2026-03-02T01:00:00Z")).answer).toBe("will_run");
    await scheduler.stop();
  });
});
