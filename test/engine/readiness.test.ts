import { closeSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { createTriggerApi } from "../../src/adapters/http/index.js";
import { connect } from "../../src/adapters/shared/sqlite-driver.js";
import { sqliteStore } from "../../src/adapters/stores/sqlite/sqlite-store.js";
import { createScheduler, every, HeadgateError, memoryStore, nodeFailing, pipeline, type Scheduler, type Store } from "../../src/index.js";
import { fakeClock } from "../../src/testing/index.js";
import { bound } from "../support/bound-store.js";
import { harness, START } from "../support/harness.js";

const folder = mkdtempSync(join(tmpdir(), "headgate-readiness-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const job = pipeline({ id: "a", schedule: every("1m"), run: () => "done" });

async function ready(scheduler: Scheduler): Promise<{ status: number; body: { status: string; reason?: string } }> {
  const api = createTriggerApi(scheduler, {});
  const answer = await api.fetch(new Request("http://localhost/ready"));
  const health = await api.fetch(new Request("http://localhost/health"));
  expect(health.status).toBe(200); // liveness is another question
  api.close();
  return { status: answer.status, body: (await answer.json()) as { status: string; reason?: string } };
}

/** A memory store of which `claim` fails while `error` is set. */
function failing() {
  const memory = bound(memoryStore());
  const state: { error: unknown } = { error: null };
  const store: Store = {
    ...memory,
    claim: async (...args) => {
      if (state.error !== null) throw state.error;
      return memory.claim(...args);
    },
  };
  return { state, store };
}

describe("readiness", () => {
  it("is that of a scheduler that runs: not before it started, nor while it stops, nor afterwards", async () => {
    const clock = fakeClock(START);
    const scheduler = createScheduler({ pipelines: [job], clock, logger: { log: () => {} } });
    expect(await ready(scheduler)).toEqual({ status: 503, body: { status: "unavailable", reason: "the scheduler has not been started" } });
    const starting = scheduler.start();
    expect(scheduler.status().notReadyReason).toBe("the scheduler is starting");
    await starting;
    expect(await ready(scheduler)).toEqual({ status: 200, body: { status: "ok" } });
    expect(scheduler.status()).toMatchObject({ isReady: true, notReadyReason: null, lastRoundAt: new Date(START), roundFailure: null });
    const stopping = scheduler.stop();
    expect((await ready(scheduler)).body.reason).toMatch(/^the scheduler is stopping/);
    await stopping;
    expect((await ready(scheduler)).body.reason).toBe("the scheduler has stopped");
  });

  it("ends when each round throws: with the code or a hint alone, and since when; lastRoundAt is the last that succeeded", async () => {
    const { state, store } = failing();
    const { scheduler, clock, heard } = await harness([job], { store });
    await clock.advance("10m");
    const { lastRoundAt } = scheduler.status();
    state.error = new Error("secret detail: the claim broke");
    await clock.advance("5m");
    const answer = await ready(scheduler);
    expect(answer.status).toBe(503);
    expect(answer.body.reason).toMatch(/^its rounds have failed since 2026-03-02T00:1\d:\S+: an unexpected error; see the log$/);
    const status = scheduler.status();
    expect(status).toMatchObject({
      isReady: false,
      roundFailure: { error: "secret detail: the claim broke" },
      store: { isAvailable: true },
    });
    expect(status.lastRoundAt?.getTime()).toBeLessThanOrEqual(lastRoundAt === null ? 0 : lastRoundAt.getTime() + 60_000);
    expect(heard("error")).toHaveLength(1); // and not once a second
    state.error = null;
    await clock.advance("2s");
    expect(await ready(scheduler)).toEqual({ status: 200, body: { status: "ok" } });
    expect(scheduler.status().roundFailure).toBeNull();
    await scheduler.stop();
  });

  it("knows errors of the store that do not pass by themselves, told once", async () => {
    const { state, store } = failing();
    const { scheduler, clock, heard } = await harness([job], { store });
    state.error = new HeadgateError("STORE_CORRUPT", "the disk image is malformed");
    await clock.advance("5m");
    expect(scheduler.status().store).toMatchObject({ isAvailable: false, error: "the disk image is malformed" });
    expect((await ready(scheduler)).body.reason).toMatch(/: the store's data is damaged \(STORE_CORRUPT\)$/);
    expect(heard("store.unavailable")).toHaveLength(1);
    await scheduler.stop({ drain: 0 });
  });

  it("ends when no round has succeeded for longer than the longest sleep and 15 s", async () => {
    const memory = bound(memoryStore());
    let isStuck = false;
    const store: Store = { ...memory, claim: (...args) => (isStuck ? new Promise<never>(() => {}) : memory.claim(...args)) };
    const fake = fakeClock(START);
    const {
      track: _,
      yield: __,
      ...clock
    } = {
      track: null,
      yield: null,
      now: () => fake.now(),
      monotonic: () => fake.monotonic(),
      sleep: fake.sleep.bind(fake),
      setTimer: fake.setTimer.bind(fake),
    };
    const scheduler = createScheduler({ pipelines: [job], clock, store, logger: { log: () => {} } });
    await scheduler.start();
    isStuck = true;
    await fake.advance("40s");
    expect(scheduler.status().isReady).toBe(true);
    await fake.advance("35s");
    expect((await ready(scheduler)).body.reason).toMatch(/^its last successful round was at 2026-03-02T00:00:/);
    const stopping = scheduler.stop({ drain: 0 });
    let isStopped = false;
    void stopping.then(() => {
      isStopped = true;
    });
    while (!isStopped) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      await fake.advance("1s");
    }
  });

  it("ends with a SQLite file that is damaged while it is used", async () => {
    const file = join(folder, "damaged.db");
    const { scheduler, clock } = await harness([job], { store: sqliteStore({ file }) });
    await clock.advance("3m");
    const other = connect(file);
    other.exec("INSERT INTO meta (key, value) VALUES ('other', '1')"); // what the node has in memory no longer counts
    for (const name of [file, `${file}-wal`]) {
      const descriptor = openSync(name, "r+");
      writeSync(descriptor, Buffer.alloc(statSync(name).size, 0x5a), 0, undefined, 0);
      closeSync(descriptor);
    }
    await clock.advance("3m");
    const { status, body } = await ready(scheduler);
    expect([status, body.status]).toEqual([503, "unavailable"]);
    expect(body.reason).toMatch(/STORE_(CORRUPT|UNAVAILABLE)/);
    expect(scheduler.status().store.isAvailable).toBe(false);
    await scheduler.stop({ drain: 0 });
    other.close();
  });
});

describe("a node whose rounds fail", () => {
  it("raises the alert node_failing after a minute, which ends with the failure", async () => {
    const { state, store } = failing();
    const { scheduler, clock, heard } = await harness([job], { store, monitoring: { rules: [nodeFailing()], every: "10s" } });
    state.error = new Error("the claim broke");
    await clock.advance("65s");
    expect(heard("alert.fired")).toHaveLength(0);
    await clock.advance("90s");
    expect(heard("alert.fired").map(({ alert }) => alert.message)).toEqual([
      expect.stringMatching(/^the rounds of node node-1 have failed for .*: the claim broke$/),
    ]);
    state.error = null;
    await clock.advance("1m");
    expect(heard("alert.resolved")).toHaveLength(1);
    await scheduler.stop();
  });
});

describe("after an outage", () => {
  it("the store is asked again every 5 s at the latest, however long it was away", async () => {
    const { state, store } = failing();
    const { scheduler, clock, heard } = await harness([job], { store });
    state.error = new HeadgateError("STORE_UNAVAILABLE", "away");
    await clock.advance("2h");
    state.error = null;
    await clock.advance("5s");
    expect(heard("store.recovered")).toHaveLength(1);
    await scheduler.stop();
  });
});
