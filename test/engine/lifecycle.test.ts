import { describe, expect, it } from "vitest";
import { type Clock, createScheduler, every, HeadgateError, memoryStore, pipeline, type Store } from "../../src/index.js";
import { fakeClock } from "../../src/testing/index.js";
import { bound } from "../support/bound-store.js";
import { START } from "../support/harness.js";

const SILENT = { log: () => {} };
const never = () => new Promise<never>(() => {});
const job = pipeline({ id: "a", schedule: every("1h"), run: () => "done" });

/** A store of which some methods never answer, and that heeds no signal. */
function stuck(...names: (keyof Store)[]): Store {
  const store = bound(memoryStore());
  return { ...store, ...Object.fromEntries(names.map((name) => [name, never])) };
}

/** A clock moved by hand that waits for nothing, and counts the timers that are set. */
function countingClock() {
  const fake = fakeClock(START);
  let timers = 0;
  const clock: Clock = {
    now: () => fake.now(),
    monotonic: () => fake.monotonic(),
    sleep: (ms, signal) => fake.sleep(ms, signal),
    setTimer: (ms, fn) => {
      let isSet = true;
      const unset = () => {
        if (isSet) timers--;
        isSet = false;
      };
      timers++;
      const stop = fake.setTimer(ms, () => {
        unset();
        fn();
      });
      return () => {
        unset();
        stop();
      };
    },
  };
  /** Lets what is ready happen. */
  const turn = async (turns = 20) => {
    for (let index = 0; index < turns; index++) await new Promise<void>((resolve) => setImmediate(resolve));
  };
  /** Moves on until the promise has settled; returns how long that took, ms. */
  const timeOf = async (work: Promise<unknown>) => {
    const from = fake.now();
    let isSettled = false;
    const mark = () => {
      isSettled = true;
    };
    work.then(mark, mark);
    while (!isSettled && fake.now() - from < 120_000) {
      await turn(5);
      if (!isSettled) await fake.advance("100ms");
    }
    expect(isSettled).toBe(true);
    return fake.now() - from;
  };
  return { clock, fake, turn, timeOf, timers: () => timers };
}

describe("a start that is stopped", () => {
  const METHODS: readonly (keyof Store)[] = ["open", "auditHead", "documents", "register", "globalPause", "claim"];

  it.each(METHODS)("ends at once where the store does not answer %s, with SCHEDULER_STOPPED, and leaves no timer", async (method) => {
    const { clock, turn, timeOf, timers } = countingClock();
    const scheduler = createScheduler({ pipelines: [job], clock, logger: SILENT, store: stuck(method) });
    const starting = scheduler.start();
    let error: unknown;
    starting.catch((problem: unknown) => {
      error = problem;
    });
    await turn();
    expect(scheduler.status().isReady).toBe(false);
    const stopping = scheduler.stop();
    await turn();
    expect(error).toMatchObject({ code: "SCHEDULER_STOPPED" });
    expect(await timeOf(stopping)).toBeLessThanOrEqual(2_600);
    expect(scheduler.status().phase).toBe("stopped");
    expect(timers()).toBe(0);
  });

  it("releases a store that opens after all", async () => {
    const store = bound(memoryStore());
    let [opens, closes] = [() => {}, 0];
    const late: Store = {
      ...store,
      open: () => new Promise<void>((resolve) => (opens = resolve)),
      close: async () => void closes++,
    };
    const scheduler = createScheduler({ pipelines: [job], logger: SILENT, store: late });
    const starting = scheduler.start();
    const stopping = scheduler.stop();
    await expect(starting).rejects.toMatchObject({ code: "SCHEDULER_STOPPED" });
    await stopping;
    expect(closes).toBe(1);
    opens();
    await expect.poll(() => closes).toBe(2);
  });

  it("can be tried again when it failed by itself, and holds nothing meanwhile", async () => {
    const store = bound(memoryStore());
    let [refusals, closes] = [1, 0];
    const { clock, timers } = countingClock();
    const scheduler = createScheduler({
      pipelines: [job],
      clock,
      logger: SILENT,
      store: {
        ...store,
        register: async (...args) => {
          if (refusals-- > 0) throw new HeadgateError("STORE_UNAVAILABLE", "away");
          return store.register(...args);
        },
        close: async () => void closes++,
      },
    });
    await expect(scheduler.start()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect([closes, timers(), scheduler.status().phase]).toEqual([1, 0, "created"]);
    await scheduler.start();
    expect(scheduler.status().isReady).toBe(true);
    await scheduler.stop();
  });
});

describe("a start", () => {
  it("resolves after the first round, however much is to do, and a stop ends the backlog's rounds", async () => {
    const store = bound(memoryStore());
    const { clock, turn, timers } = countingClock();
    let claims = 0;
    const busy: Store = {
      ...store,
      claim: async (...args) => {
        claims++;
        await turn(1);
        return { ...(await store.claim(...args)), isPartial: claims < 10_000 };
      },
    };
    const scheduler = createScheduler({ pipelines: [job], clock, store: busy, logger: SILENT });
    await scheduler.start();
    expect(claims).toBeLessThanOrEqual(2);
    expect(scheduler.status().isReady).toBe(true);
    await expect.poll(() => claims).toBeGreaterThan(3);
    const before = claims;
    await scheduler.stop();
    expect(claims - before).toBeLessThanOrEqual(1);
    expect(timers()).toBe(0);
  });
});

describe("a stop", () => {
  const GRACE_S = 3;

  it.each<keyof Store>(["heartbeat", "finish", "claim", "nextDueAt", "releaseCursors", "close"])(
    "ends within drain + grace + 7 s although the store does not answer %s any more",
    async (method) => {
      const { clock, fake, turn, timeOf, timers } = countingClock();
      const store = bound(memoryStore());
      let isStuck = false;
      const away = {
        ...store,
        [method]: (...args: unknown[]) => (isStuck ? never() : (store[method] as (...all: unknown[]) => unknown)(...args)),
      } as Store;
      const deaf = pipeline({ id: "deaf", schedule: every("1s"), execution: { maxActiveRuns: 100 }, run: () => never() });
      const scheduler = createScheduler({ pipelines: [deaf], clock, store: away, cancelGracePeriod: `${GRACE_S}s`, logger: SILENT });
      await scheduler.start();
      for (let second = 0; second < 3; second++) {
        await fake.advance("1s");
        await turn();
      }
      expect(scheduler.status().activeRuns).toBeGreaterThan(1);
      isStuck = true;
      const stopping = scheduler.stop({ drain: "2s" });
      expect(scheduler.status().notReadyReason).toContain("stopping");
      expect(await timeOf(stopping)).toBeLessThanOrEqual((2 + GRACE_S + 7) * 1_000 + 200);
      expect(timers()).toBe(0);
    },
  );
});
