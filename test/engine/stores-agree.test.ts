import { describe, expect, it } from "vitest";
import { createScheduler, type Store } from "../../src/index.js";
import { fakeClock } from "../../src/testing/index.js";
import {
  comparable,
  comparableEvents,
  differences,
  emittedEnds,
  endEvents,
  eventsOf,
  RandomWorld,
  recordsOf,
} from "../support/random-world.js";
import { places } from "../support/stores.js";

const { memory, sqlite, postgres } = await places();

/** Lives one world on a store, and returns its records and events without what differs from time to time. */
async function lived(seed: number, store: Store): Promise<readonly string[]> {
  const world = new RandomWorld(seed, {
    pipelines: 3,
    hours: 3,
    overlaps: ["queue", "queue_one", "skip", "cancel_running", "cancel_running"],
    canCancel: true,
    isSlow: true,
    hasJitter: false,
  });
  const clock = fakeClock(world.from - 1, { onUnsettled: "reject", patience: "60s" });
  const scheduler = createScheduler({
    pipelines: world.pipelines(clock),
    pools: world.pools,
    clock,
    store,
    logger: { log: () => {} },
    random: () => 0.5,
  });
  const emitted = eventsOf(scheduler);
  await scheduler.start();
  await world.live(scheduler, clock);
  const records = await recordsOf(scheduler);
  expect(emittedEnds(emitted), "every end is emitted, once").toEqual(endEvents(records));
  const lines = [...comparable(records), ...comparableEvents(emitted, records)];
  await scheduler.stop({ drain: 0 });
  return lines;
}

describe("the same world leaves the same records, and emits the same events in the same order per trigger", () => {
  const seeds = (process.env.HEADGATE_SEEDS ?? "1-3").split("-").map(Number);
  const all = Array.from({ length: (seeds[1] ?? 3) - (seeds[0] ?? 1) + 1 }, (_, index) => (seeds[0] ?? 1) + index);

  it("in memory and on SQLite", async () => {
    for (const seed of all)
      expect(differences(await lived(seed, memory[1]()()), await lived(seed, sqlite[1]()())), `seed ${seed}`).toBe("");
  }, 600_000);

  it.skipIf(postgres.length === 0)(
    "and, a few of them, on PostgreSQL",
    async () => {
      for (const seed of all.slice(0, 1))
        for (const [, place] of postgres)
          expect(differences(await lived(seed, memory[1]()()), await lived(seed, place()())), `seed ${seed}`).toBe("");
    },
    600_000,
  );
});
