import { describe, expect, it } from "vitest";
import { every, pipeline } from "../../src/index.js";
import { type FakeClock, fakeClock } from "../../src/testing/index.js";
import { bound } from "../support/bound-store.js";
import { harness, START, timeOf } from "../support/harness.js";
import { sharedStore } from "../support/shared-store.js";
import { wallClock } from "../support/wall-clock.js";

const job = () => pipeline({ id: "job", schedule: every("1m"), execution: { catchup: "latest" }, run: () => {} });

/** The clock of a process that can be stopped, and goes on with all timers that were due meanwhile. */
function stoppable(truth: FakeClock) {
  const due: (() => void)[] = [];
  let isStopped = false;
  return {
    ...wallClock(truth),
    setTimer: (ms: number, fn: () => void) => truth.setTimer(ms, () => void (isStopped ? due.push(fn) : fn())),
    stop: () => {
      isStopped = true;
    },
    goOn: () => {
      isStopped = false;
      for (const fn of due.splice(0)) fn();
    },
  };
}

describe("a node that was stopped for a while", () => {
  it("drops nothing that another node has fired, although it learns where the schedule stands while it asks the store", async () => {
    const truth = fakeClock(START);
    const store = sharedStore();
    const process = stoppable(truth);
    let isAsked = false;
    const firesMade: typeof store.firesMade = async (...args) => {
      const made = await store.firesMade(...args);
      if (!isAsked) await stopped.scheduler.settings.change("job", { maxActiveRuns: 2 });
      isAsked = true;
      return made;
    };
    const stopped = await harness([job()], { clock: process, store: { ...bound(store), firesMade }, node: "stopped" });
    const other = await harness([job()], { clock: wallClock(truth), store, node: "other" });
    process.stop();
    await truth.advance("5m");
    process.goOn();
    await truth.advance("3m");
    expect(isAsked).toBe(true);
    const fired = (await other.scheduler.triggers()).items.map(({ scheduledFor }) => timeOf(scheduledFor)).toReversed();
    expect(fired).toEqual([1, 2, 3, 4, 5, 6, 7, 8].map((minute) => `00:0${minute}:00`));
    expect((await other.scheduler.decisions({ outcome: "skip" })).items.map(({ scheduledFor }) => timeOf(scheduledFor))).toEqual([]);
    await stopped.scheduler.stop({ drain: 0 });
    await other.scheduler.stop({ drain: 0 });
  });
});
