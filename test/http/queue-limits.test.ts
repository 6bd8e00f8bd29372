import { createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import { createTriggerApi } from "../../src/adapters/http/index.js";
import { every, pipeline, type Store } from "../../src/index.js";
import { sales, service } from "../support/service.js";
import { places } from "../support/stores.js";

const { memory, sqlite, postgres } = await places();
const OPS = "a-token-of-ops-for-tests";
const CI = "a-token-of-ci-for-tests-";
const tokens = [
  { id: "ops", role: "operator" as const, token: OPS, pipelines: null, actsForOthers: true },
  { id: "ci", role: "operator" as const, token: CI, pipelines: ["a"] },
];
const as = (token: string, key?: string) => ({
  authorization: `Bearer ${token}`,
  ...(key === undefined ? {} : { "idempotency-key": key }),
});
const pair = () => ["a", "b"].map((id) => pipeline({ id, schedule: every("1m"), run: () => {} }));

async function paused(place: () => () => Store, options: Parameters<typeof service>[1] = {}) {
  const running = await service(pair(), { tokens, ...options }, { store: place()() });
  await running.scheduler.pause();
  return running;
}

describe.each([memory, sqlite, ...postgres])("the queue's limits, on %s", (_, place) => {
  it("let nobody close the door for others: a backfill that fills the total leaves every other pipeline and token its share", async () => {
    const { ask, close } = await paused(place, { queueLimits: { total: { count: 600 }, reserved: { count: 3 } } });
    const span = { from: "2026-01-01T00:00:00Z", to: "2026-01-01T10:00:00Z" };
    expect((await ask("POST", "/api/v1/pipelines/a/backfill", span, as(CI))).json.count).toBe(600);
    const one = await ask("POST", "/api/v1/trigger/manual", { pipeline: "a" }, as(CI));
    expect([one.status, one.json.code, one.json.limit, one.headers.get("retry-after")]).toEqual([503, "QUEUE_FULL", "total", "30"]);
    for (let n = 0; n < 3; n++) expect((await ask("POST", "/api/v1/trigger/manual", { pipeline: "b" }, as(OPS))).status).toBe(202);
    expect((await ask("POST", "/api/v1/trigger/manual", { pipeline: "b" }, as(OPS))).status).toBe(503);
    await close();
  });

  it("accept a backfill as a whole or not at all", async () => {
    const { ask, close, scheduler } = await paused(place, { queueLimits: { pipeline: { count: 100 } } });
    const until = (to: string) => ask("POST", "/api/v1/pipelines/a/backfill", { from: "2026-01-01T00:00:00Z", to }, as(OPS));
    expect((await until("2026-01-01T01:41:00Z")).json).toMatchObject({ code: "QUEUE_FULL", limit: "pipeline", unit: "count", most: 100 });
    expect((await scheduler.triggers()).items).toEqual([]);
    expect((await until("2026-01-01T01:40:00Z")).json.count).toBe(100);
    await close();
  });

  it("answer 429 to a token that has too much waiting, also in bytes, and go on for others", async () => {
    const { ask, close } = await paused(place, { queueLimits: { token: { count: 3, bytes: 5_000 } } });
    const text = "x".repeat(3_000);
    const add = (token: string, parameters: object) => ask("POST", "/api/v1/trigger/manual", { pipeline: "a", parameters }, as(token));
    expect((await add(CI, { text })).status).toBe(202);
    const large = await add(CI, { text });
    expect([large.status, large.json.limit, large.json.unit]).toEqual([429, "token", "bytes"]);
    for (let n = 0; n < 2; n++) expect((await add(CI, {})).status).toBe(202);
    expect((await add(CI, {})).json).toMatchObject({ status: 429, code: "QUEUE_FULL", unit: "count" });
    expect((await add(OPS, { text })).status).toBe(202);
    await close();
  });

  it("refuse no request that was accepted before under its key, nor a fire time", async () => {
    const { ask, close, scheduler, clock } = await paused(place, { queueLimits: { pipeline: { count: 1 } } });
    const first = await ask("POST", "/api/v1/trigger/manual", { pipeline: "a" }, as(OPS, "k"));
    const again = await ask("POST", "/api/v1/trigger/manual", { pipeline: "a" }, as(OPS, "k"));
    expect([again.status, again.json.id]).toEqual([202, first.json.id]);
    expect((await ask("POST", "/api/v1/trigger/manual", { pipeline: "a" }, as(OPS, "l"))).status).toBe(503);
    await scheduler.cancel(first.json.id);
    expect((await ask("POST", "/api/v1/trigger/manual", { pipeline: "a" }, as(OPS, "l"))).status).toBe(202);
    await scheduler.resume();
    await clock.advance("1m");
    expect((await scheduler.runs({ pipelineId: "b" })).items).toHaveLength(1);
    await close();
  });
});

describe("who requested a trigger", () => {
  it("is the token or the webhook's source, whatever user the request names, and not what is triggered in code", async () => {
    const secret = "a-secret-of-github-for-tests";
    const { ask, close, scheduler } = await service([sales()], { tokens, webhooks: [{ source: "github", scheme: "github", secret }] });
    const manual = await ask("POST", "/api/v1/trigger/manual", { user: "ceo" }, as(OPS));
    expect([manual.json.user, manual.json.requested_by]).toEqual(["ceo", "ops"]);
    const body = JSON.stringify({ ref: "main" });
    const signature = `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`;
    const signed = await unauthenticated(scheduler, secret, body, signature);
    expect(signed.requested_by).toBe("webhook:github");
    expect((await scheduler.trigger("sales")).requestedBy).toBeNull();
    await close();
  });
});

/** A request without any token, which `fetch` of the helper always sends. */
async function unauthenticated(scheduler: Parameters<typeof createTriggerApi>[0], secret: string, body: string, signature: string) {
  const api = createTriggerApi(scheduler, { webhooks: [{ source: "github", scheme: "github", secret }] });
  const headers = { "content-type": "application/json", "x-hub-signature-256": signature };
  const response = await api.fetch(new Request("http://x/api/v1/webhooks/github", { method: "POST", headers, body }));
  return JSON.parse(await response.text());
}

describe("queueLimits", () => {
  it.each([
    [{ pipeline: { count: -1 } }, "queueLimits.pipeline.count: must be an integer ≥ 0 (got -1)"],
    [{ total: { bytes: 1.5 } }, "queueLimits.total.bytes: must be an integer ≥ 0 (got 1.5)"],
    [{ all: {} }, "queueLimits.all: unknown option"],
    [{ token: { size: 1 } }, "queueLimits.token.size: unknown option"],
  ])("%j is refused by name", async (queueLimits, problem) => {
    const { scheduler, close } = await service();
    const options: object = { queueLimits };
    expect(() => createTriggerApi(scheduler, options)).toThrow(problem);
    await close();
  });
});
