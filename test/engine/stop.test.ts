import { describe, expect, it } from "vitest";
import { condition, every, HeadgateError, memoryStore, pipeline } from "../../src/index.js";
import { fakeClock } from "../../src/testing/index.js";
import { harness, START } from "../support/harness.js";

describe("stop", () => {
  it("lets running work finish within drain, claims nothing more, and twice is harmless", async () => {
    const { scheduler, clock } = await harness([
      pipeline({ id: "a", execution: { maxActiveRuns: 1 }, run: ({ clock: time }) => time.sleep("20s") }),
    ]);
    await scheduler.trigger("a");
    await scheduler.trigger("a");
    await clock.settle();
    const stopping = scheduler.stop({ drain: "1m" });
    expect(scheduler.stop()).toBe(stopping);
    await clock.advance("30s");
    await stopping;
    expect((await scheduler.runs()).items.map(({ status }) => status)).toEqual(["succeeded"]);
    expect((await scheduler.triggers({ status: "pending" })).items).toHaveLength(1);
    expect(scheduler.status().phase).toBe("stopped");
    await expect(scheduler.trigger("a")).rejects.toMatchObject({ code: "SCHEDULER_STOPPED" });
    await expect(scheduler.start()).rejects.toMatchObject({ code: "SCHEDULER_STOPPED" });
  });

  it("aborts what outlasts drain; the attempt is lost and retried by whoever starts next", async () => {
    const store = memoryStore();
    const clock = fakeClock(START);
    const starts: number[] = [];
    const long = pipeline({
      id: "long",
      execution: { retries: 1, retryDelay: "1m" },
      run: ({ attempt, clock: time }) => {
        starts.push(attempt);
        return time.sleep("10m");
      },
    });
    const first = await harness([long], { clock, store });
    await first.scheduler.trigger("long");
    await clock.advance("1m");
    const stopping = first.scheduler.stop({ drain: "5s" });
    await clock.advance("6s");
    await stopping;
    expect(first.heard("run.lost")).toHaveLength(1);
    const second = await harness([long], { clock, store, node: "node-2" });
    await clock.advance("15m");
    const [run] = (await second.scheduler.runs()).items;
    expect(run).toMatchObject({ status: "succeeded", attempt: 2, node: "node-2" });
    expect(run?.attempts).toMatchObject([{ outcome: "lost", node: "node-1", error: { code: "RUN_LOST" } }]);
    expect(starts).toEqual([1, 2]);
    await second.scheduler.stop();
  });

  it("waits for what a claim begins whose answer comes after it, and records its end", async () => {
    const store = memoryStore();
    let answer = () => {};
    const answered = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const claim: typeof store.claim = async (request, now) => {
      const claimed = await store.claim(request, now);
      if (claimed.decided.length > 0) await answered;
      return claimed;
    };
    const member = (name: string | symbol): unknown => {
      const found: unknown = Reflect.get(store, name, store);
      return typeof found === "function" ? found.bind(store) : found;
    };
    const slow = new Proxy(store, { get: (_, name) => (name === "claim" ? claim : member(name)) });
    const { scheduler, clock, heard } = await harness([pipeline({ id: "a", run: ({ clock: time }) => time.sleep("20s") })], {
      store: slow,
    });
    const accepted = await scheduler.trigger("a");
    while ((await store.trigger(accepted.id))?.status !== "running") await new Promise((resolve) => setImmediate(resolve));
    let hasStopped = false;
    const stopping = scheduler.stop({ drain: "1m" }).then(() => {
      hasStopped = true;
    });
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    answer();
    await clock.advance("10s");
    expect(hasStopped).toBe(false);
    await clock.advance("15s");
    await stopping;
    expect((await store.trigger(accepted.id))?.status).toBe("succeeded");
    expect(heard("error")).toEqual([]);
  });

  it("before start, and start twice, are harmless", async () => {
    const { scheduler } = await harness([pipeline({ id: "a", schedule: every("1h"), run: () => {} })]);
    await scheduler.start();
    await scheduler.stop();
    const { createScheduler } = await import("../../src/index.js");
    const never = createScheduler({ clock: fakeClock(START) });
    await never.stop();
    expect(never.status().phase).toBe("stopped");
  });
});

describe("a node that did not extend its lease in time", () => {
  it("has its run taken over with a higher fencing token, and its late result is refused and told", async () => {
    const store = memoryStore();
    const dead = fakeClock(START);
    const alive = fakeClock(START);
    let finishLate = () => {};
    const slow = pipeline({
      id: "slow",
      execution: { retries: 2, retryDelay: "10s" },
      run: () => new Promise<void>((resolve) => (finishLate = resolve)),
    });
    const quick = pipeline({ id: "slow", execution: { retries: 2, retryDelay: "10s" }, run: () => "done by the other" });
    const first = await harness([slow], { clock: dead, store, node: "node-1", leaseDuration: "30s" });
    await first.scheduler.trigger("slow");
    await dead.settle();
    const second = await harness([quick], { clock: alive, store, node: "node-2", leaseDuration: "30s" });
    await alive.advance("25s");
    expect((await second.scheduler.runs()).items[0]).toMatchObject({ status: "running", node: "node-1" });
    await alive.advance("1m");
    const [run] = (await second.scheduler.runs()).items;
    expect(run).toMatchObject({ status: "succeeded", node: "node-2", attempt: 2, output: "done by the other" });
    expect(run?.attempts).toMatchObject([{ outcome: "lost", node: "node-1" }]);
    expect(second.heard("run.lost")).toHaveLength(1);
    finishLate();
    await dead.settle();
    expect(first.heard("run.late_result")).toMatchObject([{ runId: run?.id, attempt: 1 }]);
    expect((await second.scheduler.runs()).items[0]).toMatchObject({ status: "succeeded", node: "node-2" });
    await first.scheduler.stop();
    await second.scheduler.stop();
  });

  it("learns from its heartbeat that the run is no longer its own, and aborts it", async () => {
    const store = memoryStore();
    const hung = fakeClock(START);
    const alive = fakeClock(START);
    let reason: unknown;
    const slow = pipeline({
      id: "slow",
      execution: { retries: 0 },
      run: ({ signal }) =>
        new Promise<void>((resolve) =>
          signal.addEventListener("abort", () => {
            reason = (signal.reason as { code: string }).code;
            resolve();
          }),
        ),
    });
    const first = await harness([slow], { clock: hung, store, node: "node-1", leaseDuration: "30s" });
    await first.scheduler.trigger("slow");
    await hung.settle();
    const second = await harness([slow], { clock: alive, store, node: "node-2", leaseDuration: "30s" });
    await alive.advance("1m");
    expect((await second.scheduler.runs()).items[0]?.status).toBe("failed");
    await hung.advance("1m");
    expect(reason).toBe("RUN_LOST");
    await first.scheduler.stop();
    await second.scheduler.stop();
  });

  it("and no second node loses a run whose node only slept with the clock", async () => {
    const { scheduler, clock } = await harness([
      pipeline({ id: "a", execution: { timeout: "10h" }, run: ({ clock: time }) => time.sleep("2h") }),
    ]);
    await scheduler.trigger("a");
    await clock.settle();
    clock.jump(3_600_000);
    await clock.advance("3h");
    expect((await scheduler.runs()).items[0]).toMatchObject({ status: "succeeded", attempt: 1 });
    await scheduler.stop();
  });

  it("starts a run with a whole lease although its decision waited long for the store", async () => {
    const memory = memoryStore();
    let refusals = 7;
    const decide = memory.decide.bind(memory);
    const store = Object.assign(memory, {
      decide: async (...args: Parameters<typeof decide>) => {
        if (refusals-- > 0) throw new HeadgateError("STORE_UNAVAILABLE", "away");
        return decide(...args);
      },
    });
    const open = condition("open", async () => true);
    const job = pipeline({ id: "a", conditions: [open], run: ({ clock: time }) => time.sleep("5m") });
    const { scheduler, clock } = await harness([job], { store, leaseDuration: "10s" });
    await scheduler.trigger("a");
    await clock.settle();
    let run = null;
    while (run === null) {
      await clock.advance("100ms");
      [run = null] = await memory.listRuns({ limit: 1 });
    }
    expect(clock.now() - Date.parse(START)).toBeGreaterThan(5_000);
    expect(run.leaseUntil - run.startedAt).toBe(10_000);
    await clock.advance("6m");
    expect((await scheduler.runs()).items[0]).toMatchObject({ status: "succeeded", attempt: 1 });
    await scheduler.stop();
  });
});
