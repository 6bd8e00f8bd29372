import { afterEach, describe, expect, it } from "vitest";
import { createTriggerApi, nodeTriggerApi } from "../../src/adapters/http/index.js";
import { createScheduler, memoryStore, pipeline, type Scheduler } from "../../src/index.js";
import type { Store } from "../../src/ports/store.js";
import { fakeClock } from "../../src/testing/index.js";
import { ADMIN, listen, sales } from "../support/service.js";
import { places } from "../support/stores.js";

const { memory, sqlite, postgres } = await places();
const stores = [memory, sqlite, ...postgres];
const running: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const one of running.splice(0)) await one.close();
});

async function node(store: Store, clock = fakeClock("2026-03-02T02:00:00Z")) {
  const pipelines = [sales(), pipeline({ id: "stock", run: () => "done" })];
  const scheduler: Scheduler = createScheduler({ pipelines, store, clock });
  await scheduler.start();
  const api = createTriggerApi(scheduler, { adminToken: ADMIN, defaultPipeline: "sales" });
  const server = await listen(nodeTriggerApi(api));
  let isClosed = false;
  const close = async () => {
    if (isClosed) return;
    isClosed = true;
    await server.close();
    await scheduler.stop({ drain: 0 });
  };
  running.push({ close });
  const post = async (path: string, body: unknown, headers: Record<string, string>) => {
    const response = await fetch(`${server.url}${path}`, {
      method: "POST",
      headers: { authorization: `Bearer ${ADMIN}`, "content-type": "application/json", ...headers },
      body: JSON.stringify(body),
    });
    return { status: response.status, location: response.headers.get("location"), text: await response.text() };
  };
  return { scheduler, clock, post, close };
}

const KEY = { "idempotency-key": "fix-4711" };
const REQUESTS: readonly (readonly [string, string, unknown, unknown])[] = [
  ["a manual trigger", "/api/v1/trigger/manual", { reason: "fix", priority: "high" }, { reason: "fix", priority: "low" }],
  ["a later time", "/api/v1/trigger/manual", { not_before: "2026-03-02T02:00:01Z" }, { not_before: "2026-03-02T02:00:02Z" }],
  ["another pipeline", "/api/v1/trigger/manual", { pipeline: "sales" }, { pipeline: "stock" }],
  ["an immediate trigger", "/api/v1/trigger/immediate", { force: true }, { force: false }],
  ["a webhook", "/api/v1/trigger/webhook", { source: "shop", data: { n: 1 } }, { source: "shop", data: { n: 2 } }],
  [
    "a backfill",
    "/api/v1/pipelines/sales/backfill",
    { from: "2026-03-01T22:00:00Z" },
    { from: "2026-02-01T00:00:00Z", to: "2026-02-01T03:00:00Z" },
  ],
  [
    "a backfill of nothing",
    "/api/v1/pipelines/stock/backfill",
    { from: "2026-03-01T00:00:00Z" },
    { from: "2026-03-01T00:00:00Z", to: "2026-03-01T01:00:00Z" },
  ],
  [
    "a maintenance window",
    "/api/v1/schedule/maintenance",
    { start: "02:00", end: "04:00", user: "ana" },
    { start: "02:00", end: "04:00", user: "ben" },
  ],
];

describe.each(stores)("an idempotency key, on %s", (_, place) => {
  it.each(REQUESTS)("%s: the first answer whatever has happened since, a conflict for another body", async (__, path, body, other) => {
    const open = place();
    const store = open();
    let { post, clock, scheduler, close } = await node(store);
    const first = await post(path, body, KEY);
    expect(Math.floor(first.status / 100)).toBe(2);
    await clock.advance("3h");
    expect(await post(path, body, KEY)).toEqual(first);
    await close();
    ({ post, clock, scheduler } = await node(open(), fakeClock(clock.now())));
    expect(await post(path, body, KEY)).toEqual(first);
    expect(await post(path, other, KEY)).toMatchObject({ status: 422, text: expect.stringContaining("IDEMPOTENCY_CONFLICT") });
    const asked = (await scheduler.triggers({ limit: 100 })).items.filter(({ kind }) => kind !== "scheduled");
    expect(asked.map(({ createdAt }) => createdAt.toISOString()).filter((at) => at !== "2026-03-02T02:00:00.000Z")).toEqual([]);
  });
});

describe("an idempotency key", () => {
  it("is of its whole body, in whichever order, and of one route", async () => {
    const { post } = await node(memoryStore());
    const first = await post("/api/v1/trigger/manual", { reason: "fix", parameters: { a: 1, b: { c: 2, d: 3 } } }, KEY);
    expect(await post("/api/v1/trigger/manual", { parameters: { b: { d: 3, c: 2 }, a: 1 }, reason: "fix" }, KEY)).toEqual(first);
    expect((await post("/api/v1/trigger/immediate", { reason: "fix", parameters: { a: 1, b: { c: 2, d: 3 } } }, KEY)).status).toBe(422);
  });

  it("is free again when its request was refused", async () => {
    const { post, scheduler } = await node(memoryStore());
    await scheduler.pause();
    expect((await post("/api/v1/trigger/immediate", { reason: "now" }, KEY)).status).toBe(409);
    expect((await post("/api/v1/trigger/immediate", { reason: "now", force: true }, KEY)).status).toBe(202);
  });

  it("gives a trigger whose answer was lost in a crash its answer when it is asked for again, and that one from then on", async () => {
    const inner = memoryStore();
    let isCrashing = true;
    const store: Store = new Proxy(inner, {
      get: (target, name) => {
        const member = target[name as keyof Store];
        if (typeof member !== "function") return member;
        if (name !== "saveResponse") return member.bind(target);
        return (record: Parameters<Store["saveResponse"]>[0]) => {
          if (record.answer === null || !isCrashing) return target.saveResponse(record);
          isCrashing = false;
          throw new Error("the process ends here");
        };
      },
    });
    const { post, clock, scheduler } = await node(store);
    expect((await post("/api/v1/trigger/manual", { reason: "fix" }, KEY)).status).toBe(500);
    await clock.advance("1m");
    const again = await post("/api/v1/trigger/manual", { reason: "fix" }, KEY);
    expect(again.status).toBe(202);
    await clock.advance("1m");
    expect(await post("/api/v1/trigger/manual", { reason: "fix" }, KEY)).toEqual(again);
    expect((await scheduler.triggers({ kind: "manual" })).items).toHaveLength(1);
  });

  it("asked for by many at once has one answer", async () => {
    const { post } = await node(memoryStore());
    const answers = await Promise.all(Array.from({ length: 20 }, () => post("/api/v1/trigger/manual", { reason: "fix" }, KEY)));
    expect(new Set(answers.map((one) => JSON.stringify(one))).size).toBe(1);
  });

  it("is kept apart by token", async () => {
    const { post, scheduler } = await node(memoryStore());
    const { token } = await scheduler.tokens.issue({ role: "operator", pipelines: ["sales"] });
    const own = { ...KEY, authorization: `Bearer ${token}` };
    expect((await post("/api/v1/trigger/manual", { pipeline: "stock" }, KEY)).status).toBe(202);
    expect((await post("/api/v1/trigger/manual", { pipeline: "stock" }, own)).status).toBe(403);
    expect((await post("/api/v1/trigger/manual", { pipeline: "sales" }, own)).status).toBe(202);
  });

  it("keeps an answer to a backfill that has as many triggers as fit, without large parameters", async () => {
    const { post } = await node(memoryStore());
    const backfill = (parameters: unknown, key: string) => {
      const span = { from: "2026-01-01T00:00:00Z", to: "2026-02-14T00:00:00Z" };
      return post("/api/v1/pipelines/sales/backfill", { ...span, parameters }, { "idempotency-key": key });
    };
    const large = await backfill({ text: "x".repeat(100_000) }, "large");
    const { count, items } = JSON.parse(large.text) as { count: number; items: { parameters: unknown; omitted: unknown }[] };
    expect([count, items[0]?.parameters, items[0]?.omitted]).toEqual([1_056, null, ["parameters"]]);
    expect(large.text.length).toBeLessThan(1_100_000);
    const small = JSON.parse((await backfill({ text: "x".repeat(5_000) }, "small")).text) as { items: unknown[]; omitted: unknown };
    expect([small.items.length > 100, small.items.length < 250, small.omitted]).toEqual([true, true, ["items"]]);
  });
});
