import { describe, expect, it } from "vitest";
import { createTriggerApi } from "../../src/adapters/http/index.js";
import { condition, HeadgateError, memoryStore, pipeline, type Store } from "../../src/index.js";
import type { NewEvent } from "../../src/ports/store/events.js";
import { type Harness, harness } from "../support/harness.js";
import { ADMIN, sales } from "../support/service.js";

const EVIDENT = pipeline({
  id: "evident",
  execution: { maxActiveRuns: 100 },
  conditions: [condition("evident", () => ({ result: "pass", reason: "it is", evidence: { text: "y".repeat(7_000) } }))],
  run: () => {},
});

/** Opens a stream without a socket in between, so that what is not read is not buffered anywhere. */
async function open({ scheduler }: Harness, headers: Record<string, string> = {}) {
  const api = createTriggerApi(scheduler, { adminToken: ADMIN });
  const request = new Request("http://localhost/api/v1/events", { headers: { authorization: `Bearer ${ADMIN}`, ...headers } });
  const { body } = await api.fetch(request);
  const reader = (body as ReadableStream<Uint8Array>).getReader();
  /** The next block that holds this text. */
  const until = async (text: string): Promise<string> => {
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      const block = new TextDecoder().decode(read.value);
      if (block.includes(text)) return block;
    }
    throw new Error(`the stream ended before ${text}`);
  };
  return { api, reader, until };
}

const idOf = (block: string) => /^id: (.*)$/m.exec(block)?.[1] ?? "";
const seqOf = (block: string) => Number(/^id: .*-(\d+)$/m.exec(block)?.[1]);

describe("a reader that does not read", () => {
  it("is let go when it is a megabyte behind, and misses nothing when it comes back", async () => {
    const running = await harness([EVIDENT]);
    const { scheduler, clock } = running;
    const slow = await open(running);
    const first = await slow.until("retry:");
    const quick = await open(running);
    await quick.until("retry:");
    let seen = 0;
    for (let n = 0; n < 200; n++) {
      await scheduler.trigger("evident");
      await clock.settle();
      for (let m = 0; m < 3; m++) seen = seqOf(await quick.until("event:"));
    }
    await expect(slow.until("event:")).rejects.toThrow("1 MiB of events behind");
    const again = await open(running, { "last-event-id": idOf(first) });
    await again.until("retry:");
    const seqs = [];
    while (seqs.at(-1) !== seen) seqs.push(seqOf(await again.until("event:")));
    expect(seqs).toEqual(Array.from({ length: 600 }, (_, index) => index + 1));
    await scheduler.stop({ drain: 0 });
  });

  it("is let go after a minute without a read, though nothing happens", async () => {
    const running = await harness([sales()]);
    const { reader } = await open(running);
    await running.clock.advance("65s");
    await expect(reader.read()).rejects.toThrow("read nothing for 4 heartbeats");
    await running.scheduler.stop({ drain: 0 });
  });

  it("is let go while it catches up, too", async () => {
    const running = await harness([EVIDENT]);
    const first = await open(running);
    const id = idOf(await first.until("retry:"));
    for (let n = 0; n < 200; n++) await running.scheduler.trigger("evident");
    await running.clock.settle();
    const again = await open(running, { "last-event-id": id });
    await again.until("event: decision");
    await running.clock.advance("65s");
    await expect(again.reader.read()).rejects.toThrow("read nothing for 4 heartbeats");
    await running.scheduler.stop({ drain: 0 });
  });
});

describe("events", () => {
  it("have at most 8 kB and say what they leave out", async () => {
    const appended: NewEvent[] = [];
    const store = memoryStore();
    const { appendEvents } = store;
    store.appendEvents = (events, ...rest) => {
      appended.push(...events);
      return appendEvents.call(store, events, ...rest);
    };
    const large = (name: string, text: string) => condition(name, () => ({ result: "pass", reason: text, evidence: { text } }));
    const running = await harness(
      [
        pipeline({ id: "evidence", conditions: [large("c", "☃".repeat(3_000))], run: () => "x".repeat(50_000) }),
        pipeline({
          id: "findings",
          conditions: Array.from({ length: 30 }, (_, n) => large(`c${n}`, "\u0001".repeat(2_000))),
          execution: { retries: 1, retryDelay: "1s" },
          run: () => {
            throw new Error("\u0001".repeat(5_000));
          },
        }),
      ],
      { store },
    );
    await open(running);
    await running.scheduler.trigger("evidence");
    await running.scheduler.trigger("findings");
    await running.clock.advance("2s");
    expect(appended.length).toBeGreaterThanOrEqual(7);
    expect(Math.max(...appended.map(({ data }) => Buffer.byteLength(data)))).toBeLessThanOrEqual(8_192);
    for (const { data, size } of appended) expect(size).toBe(Buffer.byteLength(data));
    const omitted = appended.map(({ name, pipelineId, data }) => [name, pipelineId, JSON.parse(data).omitted]);
    expect(omitted).toContainEqual(["decision", "evidence", ["evidence"]]);
    expect(omitted).toContainEqual(["run.succeeded", "evidence", ["output"]]);
    expect(omitted).toContainEqual(["decision", "findings", ["findings"]]);
    expect(omitted).toContainEqual(["run.retrying", "findings", ["attempts", "error", "error.stack"]]);
    await running.scheduler.stop({ drain: 0 });
  });

  it("that the store does not take are followed by a reset, and never sent twice", async () => {
    const store: Store = memoryStore();
    const { appendEvents } = store;
    let failures = 0;
    store.appendEvents = async (...args) => {
      await appendEvents.apply(store, args); // it was committed, and the answer was lost
      if (failures-- > 0) throw new HeadgateError("STORE_UNAVAILABLE", "the connection was lost");
    };
    const running = await harness([sales()], { store });
    const { until } = await open(running);
    await until("retry:");
    failures = 1;
    await running.scheduler.trigger("sales");
    await running.clock.advance("2s");
    expect([await until("event:"), await until("event:"), await until("event:"), await until("event:")].map(seqOf)).toEqual([1, 2, 3, 4]);
    await running.scheduler.trigger("sales");
    await running.clock.settle();
    expect(await until("event:")).toContain("event: decision");
    expect((await store.listEvents(0, 100)).filter(({ name }) => name === "reset")).toHaveLength(1);
    expect(running.heard("error")).toEqual([]);
    await running.scheduler.stop({ drain: 0 });
  });

  it("that come faster than they are appended are dropped, with a reset, and the process is bounded", async () => {
    const store = memoryStore();
    const { appendEvents } = store;
    let release = () => {};
    let isHeld = true;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let most = 0;
    store.appendEvents = async (events, ...rest) => {
      most = Math.max(most, events.length);
      if (isHeld) await held;
      return appendEvents.call(store, events, ...rest);
    };
    const running = await harness([EVIDENT], { store });
    const { until } = await open(running);
    await until("retry:");
    for (let n = 0; n < 700; n++) await running.scheduler.trigger("evident"); // 4 MiB are 590 of these decisions
    for (let n = 0; n < 20; n++) await new Promise((resolve) => setImmediate(resolve));
    isHeld = false;
    release();
    await until("event: reset");
    await running.clock.settle();
    expect(most).toBeLessThanOrEqual(1_001);
    expect((await store.listEvents(0, 5_000)).length).toBeLessThan(2_100);
    await running.scheduler.stop({ drain: 0 });
  });

  it("that somebody has broken in the store are passed over and reported", async () => {
    const store: Store = memoryStore();
    const { listEvents } = store;
    store.listEvents = async (...args) =>
      (await listEvents.apply(store, args)).map((one) => (one.seq === 2 ? { ...one, data: "{broken" } : one));
    const running = await harness([sales()], { store });
    const { until } = await open(running);
    await running.scheduler.trigger("sales");
    await running.clock.settle();
    expect([await until("event:"), await until("event:")].map(seqOf)).toEqual([1, 3]);
    expect(running.heard("error").map(({ where }) => where)).toEqual(["event 2 of the store"]);
    await running.scheduler.stop({ drain: 0 });
  });

  it("that wait when the scheduler stops are appended, and their readers get them", async () => {
    const running = await harness([sales()], { store: Object.assign(memoryStore(), { pollMs: 1_000 }) });
    const { until } = await open(running);
    await running.scheduler.trigger("sales");
    await running.clock.settle();
    await running.scheduler.trigger("sales");
    await running.clock.settle(); // within 100 ms of the first append
    const heard = (async () => [await until("run.succeeded"), await until("run.succeeded")])();
    await running.scheduler.stop({ drain: "1s" });
    expect((await heard).map(seqOf)).toEqual([3, 6]);
  });
});

it("a store that fails while a reader catches up breaks its stream off, and nothing else", async () => {
  const store: Store = memoryStore();
  const { listEvents } = store;
  const running = await harness([EVIDENT], { store });
  const first = await open(running);
  const id = idOf(await first.until("retry:"));
  for (let n = 0; n < 200; n++) await running.scheduler.trigger("evident");
  await running.clock.settle();
  first.api.close();
  const again = await open(running, { "last-event-id": id });
  await again.until("retry:");
  store.listEvents = () => Promise.reject(new Error("a bug of the store"));
  await expect(again.until("event:")).rejects.toThrow("a bug of the store");
  expect(running.heard("error").map(({ where }) => where)).toContain("an event stream");
  store.listEvents = listEvents;
  const third = await open(running, { "last-event-id": id });
  expect(seqOf(await third.until("event:"))).toBe(1);
  await running.scheduler.stop({ drain: 0 });
  const { status } = await third.api.fetch(
    new Request("http://localhost/api/v1/events", { headers: { authorization: `Bearer ${ADMIN}` } }),
  );
  expect(status).toBe(503);
});
