import { describe, expect, it } from "vitest";
import { condition, createScheduler, cron, memoryStore, pipeline, type RunOutcome, type Store } from "../../src/index.js";
import { fakeClock } from "../../src/testing/index.js";
import { bound } from "../support/bound-store.js";
import { harness, START } from "../support/harness.js";
import { sharedStore } from "../support/shared-store.js";
import { places } from "../support/stores.js";

const once = { retries: 0 } as const;
const work = pipeline({ id: "work", execution: once, run: ({ clock }) => clock.sleep("5m").then(() => ({ rows: 3 })) });
const stores = await places();

/** A store that counts how often triggers and runs are read. */
function counted(store: Store) {
  const reads = { count: 0 };
  const members = bound(store);
  const counting: Store = {
    ...members,
    pollMs: store.pollMs,
    trigger: (id) => {
      reads.count++;
      return members.trigger(id);
    },
    run: (id) => {
      reads.count++;
      return members.run(id);
    },
  };
  return { store: counting, reads };
}

function shown({ status, reason, run, output, error }: RunOutcome): string {
  return [status, `run ${run?.status ?? "none"}`, JSON.stringify(output), error?.message ?? "-", reason ?? "-"].join(" | ");
}

describe("waiting for a run", () => {
  it("ends with its output", async () => {
    const { scheduler, clock } = await harness([work]);
    const outcome = scheduler.run(work, { user: "ana" });
    await clock.advance("5m");
    expect(await outcome).toMatchObject({
      status: "succeeded",
      output: { rows: 3 },
      error: null,
      trigger: { user: "ana" },
      run: { attempt: 1 },
    });
    expect((await scheduler.waitFor((await outcome).trigger)).status).toBe("succeeded");
    await scheduler.stop();
  });

  it("ends when the last attempt has failed or timed out, and with its error", async () => {
    const failing = pipeline({
      id: "failing",
      execution: { retries: 1, retryDelay: "1m" },
      run: ({ attempt }) => {
        throw new Error(`boom ${attempt}`);
      },
    });
    const slow = pipeline({ id: "slow", execution: { ...once, timeout: "1m" }, run: ({ clock }) => clock.sleep("1h") });
    const { scheduler, clock } = await harness([failing, slow]);
    const both = Promise.all([scheduler.run(failing), scheduler.run("slow")]);
    await clock.advance("3m");
    expect((await both).map(shown)).toEqual([
      "failed | run failed | null | boom 2 | boom 2",
      "timed_out | run timed_out | null | attempt 1 took longer than 1m | attempt 1 took longer than 1m",
    ]);
    await scheduler.stop();
  });

  it("ends when it is cancelled, running or waiting", async () => {
    const { scheduler, clock } = await harness([work]);
    const running = await scheduler.trigger("work");
    await clock.settle();
    const waiting = await scheduler.trigger("work");
    const both = Promise.all([scheduler.waitFor(running), scheduler.waitFor(waiting.id)]);
    await clock.settle();
    for (const { id } of [running, waiting]) await scheduler.cancel(id, { user: "ana", reason: "no need" });
    await clock.settle();
    expect((await both).map(({ status, run }) => `${status} ${run?.status ?? "without a run"}`)).toEqual([
      "cancelled cancelled",
      "cancelled without a run",
    ]);
    await scheduler.stop();
  });

  it("ends when there will be no run: skipped, expired, superseded, or its pipeline retired", async () => {
    const gated = (id: string, onBlock: "skip" | "hold") =>
      pipeline({ id, conditions: [condition("open", () => false)], onBlock, holdFor: "1h", recheckInterval: "10m", run: () => {} });
    const hourly = pipeline({ id: "hourly", schedule: cron("0 * * * *"), execution: once, run: ({ clock }) => clock.sleep("150m") });
    const { scheduler, clock, heard } = await harness([gated("skips", "skip"), gated("holds", "hold"), hourly, work]);
    const ends = [scheduler.run("skips"), scheduler.run("holds")];
    await clock.advance("2h");
    const fired = heard("trigger.created")
      .map(({ trigger }) => trigger)
      .filter(({ kind }) => kind === "scheduled");
    expect(fired).toHaveLength(2);
    ends.push(scheduler.waitFor(fired[1]?.id ?? ""));
    await clock.advance("1h");
    await scheduler.trigger("work");
    await clock.settle();
    ends.push(scheduler.run("work"));
    await clock.settle();
    await scheduler.retire("work", { user: "ana" });
    expect((await Promise.all(ends)).map((outcome) => `${outcome.status}: ${outcome.reason}`)).toMatchInlineSnapshot(`
      [
        "skipped: open: open does not hold",
        "expired: held for as long as holdFor allows",
        "superseded: a newer fire time took its place",
        "cancelled: its pipeline was retired",
      ]
    `);
    await scheduler.stop({ drain: 0 });
  });

  it("rejects for what does not exist, and for what is no option", async () => {
    const { scheduler } = await harness([work]);
    await expect(scheduler.waitFor("nothing")).rejects.toMatchObject({ code: "NOT_FOUND", details: { triggerId: "nothing" } });
    await expect(scheduler.run("nothing")).rejects.toMatchObject({ code: "UNKNOWN_PIPELINE" });
    await expect(scheduler.waitFor(undefined as never)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(scheduler.run(work, { transaction: {} } as never)).rejects.toThrow(/run: transaction: unknown option/);
    await expect(scheduler.run(work, { signal: "soon" as never })).rejects.toThrow(/run: signal: must be an AbortSignal/);
    expect((await scheduler.triggers()).items).toEqual([]);
    await scheduler.stop();
  });
});

describe("waiting ends early", () => {
  it("when its signal aborts; the run goes on", async () => {
    const { scheduler, clock } = await harness([work]);
    const giving = new AbortController();
    const outcome = scheduler.run("work", { signal: giving.signal });
    const patient = scheduler.run("work", { signal: new AbortController().signal });
    await clock.advance("1m");
    giving.abort(new Error("enough"));
    await expect(outcome).rejects.toThrow("enough");
    await expect(scheduler.run("work", { signal: giving.signal })).rejects.toThrow("enough");
    await clock.advance("9m");
    expect((await patient).status).toBe("succeeded");
    expect((await scheduler.triggers({ status: "succeeded" })).items).toHaveLength(2); // the refused one was never requested
    await scheduler.stop();
  });

  it("when the scheduler has stopped, but not while it lets runs finish", async () => {
    const { scheduler, clock } = await harness([work]);
    const finishing = scheduler.run("work");
    const paused = scheduler.run("work");
    const failed = expect(paused).rejects.toMatchObject({ code: "SCHEDULER_STOPPED" });
    await clock.advance("1m");
    const stopping = scheduler.stop({ drain: "10m" });
    await clock.advance("10m");
    await stopping;
    expect((await finishing).status).toBe("succeeded");
    await failed;
    await expect(scheduler.waitFor("anything")).rejects.toMatchObject({ code: "SCHEDULER_STOPPED" });
  });
});

describe("waiting costs", () => {
  it("three reads and no timer on a store without other nodes", async () => {
    const { store, reads } = counted(memoryStore());
    const { scheduler, clock } = await harness([work], { store });
    const outcomes = Promise.all(Array.from({ length: 4 }, () => scheduler.run("work")));
    await clock.advance("20m");
    expect((await outcomes).map(({ status }) => status)).toEqual(Array(4).fill("succeeded"));
    expect(reads.count).toBe(4 * 3);
    await scheduler.stop();
  });

  it("one read in 30 s while the run is on this node, and one in each poll while it is on another", async () => {
    const kept = sharedStore();
    const clock = fakeClock(START);
    const [here, there] = [counted(kept), counted(kept)];
    const first = await harness([work], { clock, store: here.store, node: "a" });
    const second = await harness([], { clock, store: there.store, node: "b" });
    const outcome = first.scheduler.run("work");
    await clock.advance("10s");
    const { items } = await second.scheduler.triggers();
    const elsewhere = second.scheduler.waitFor(items[0]?.id ?? "");
    await clock.advance("10m");
    expect([await outcome, await elsewhere].map(({ status, output }) => [status, output])).toEqual(
      Array(2).fill(["succeeded", { rows: 3 }]),
    );
    expect(here.reads.count).toBeLessThanOrEqual(3 + 300 / 30 + 1);
    expect(there.reads.count).toBeLessThanOrEqual(3 + 300);
    expect(there.reads.count).toBeGreaterThan(250);
    await Promise.all([first.scheduler.stop(), second.scheduler.stop()]);
  });

  it("one read in 100 ms when notices of other nodes come, which also end the waiting before the next poll", async () => {
    const kept = { ...sharedStore(), pollMs: 60_000 };
    const clock = fakeClock(START);
    const first = await harness([work], { clock, store: kept, node: "a" });
    const notices = new Set<() => void>();
    const { store, reads } = counted(kept);
    store.subscribe = (onChange) => {
      notices.add(onChange);
      return () => notices.delete(onChange);
    };
    const second = await harness([], { clock, store, node: "b" });
    const { id } = await first.scheduler.trigger("work");
    let endedAt = 0;
    const outcome = second.scheduler.waitFor(id).finally(() => {
      endedAt = clock.now();
    });
    await clock.advance("4m 30s");
    const { count } = reads;
    expect(count).toBeLessThan(10);
    for (let ms = 0; ms < 1_000; ms += 10) {
      for (const notice of notices) notice();
      await clock.advance(10);
    }
    expect(reads.count - count).toBeGreaterThan(8);
    expect(reads.count - count).toBeLessThanOrEqual(11);
    await clock.advance("29s");
    for (const notice of notices) notice();
    await clock.advance("1s");
    expect((await outcome).status).toBe("succeeded");
    expect(endedAt - Date.parse(START)).toBeLessThan(5 * 60_000 + 1_000);
    expect(notices.size).toBe(1); // the loop's own
    await Promise.all([first.scheduler.stop(), second.scheduler.stop()]);
  });

  it("nothing once it is over", async () => {
    const { store, reads } = counted(sharedStore());
    const { scheduler, clock } = await harness([work], { store });
    const outcome = scheduler.run("work");
    await clock.advance("5m");
    await outcome;
    const { count } = reads;
    await clock.advance("1h");
    expect(reads.count).toBe(count);
    await scheduler.stop();
  });
});

describe.each([stores.sqlite, ...stores.postgres])("waiting for a run of another node on %s", (_, place) => {
  it("ends with its output", async () => {
    const made = place();
    const quick = pipeline({ id: "quick", execution: once, run: ({ clock }) => clock.sleep(300).then(() => ({ rows: 3 })) });
    const quiet = { log: () => {} };
    const runs = createScheduler({ pipelines: [quick], store: made(), logger: quiet, node: "runs" });
    await runs.start();
    const waits = createScheduler({ store: made(), logger: quiet, node: "waits" });
    await waits.start();
    const trigger = await runs.trigger(quick);
    const outcome = await waits.waitFor(trigger, { signal: AbortSignal.timeout(30_000) });
    expect(outcome).toMatchObject({ status: "succeeded", output: { rows: 3 }, run: { node: "runs" } });
    await Promise.all([runs.stop(), waits.stop()]);
  });
});
