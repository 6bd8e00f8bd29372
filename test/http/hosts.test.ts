import type { createServer } from "node:http";
import express, { type Express } from "express";
import express4 from "express4";
import fastify from "fastify";
import { Webhook } from "standardwebhooks";
import { afterEach, describe, expect, it } from "vitest";
import { createClient } from "../../src/adapters/http/client.js";
import { expressTriggerApi, keepRawBody } from "../../src/adapters/http/express.js";
import { fastifyTriggerApi } from "../../src/adapters/http/fastify.js";
import { createTriggerApi, type TriggerApi } from "../../src/adapters/http/index.js";
import { type Harness, harness, START } from "../support/harness.js";
import { ADMIN, askAt, listen, sales } from "../support/service.js";

const SECRET = `whsec_${Buffer.from("a secret of thirty-two characters").toString("base64")}`;
const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function made(): Promise<Harness & { api: TriggerApi }> {
  const inner = await harness([sales()]);
  closers.push(() => inner.scheduler.stop({ drain: 0 }));
  return { ...inner, api: createTriggerApi(inner.scheduler, { adminToken: ADMIN, webhooks: [{ source: "provider", secret: SECRET }] }) };
}

async function served(app: Parameters<typeof createServer>[1]): Promise<string> {
  const { url, close } = await listen(app as never);
  closers.push(close);
  return url;
}

async function webhookAt(url: string, body = JSON.stringify({ source: "provider", data: { "unicode ☃": [1, 2] } })) {
  const headers = { "webhook-id": "m1", "webhook-timestamp": String(Date.parse(START) / 1_000) };
  const signature = new Webhook(SECRET).sign("m1", new Date(START), body);
  const response = await fetch(`${url}/api/v1/trigger/webhook`, {
    method: "POST",
    body,
    headers: { ...headers, "webhook-signature": signature, "content-type": "application/json" },
  });
  return { status: response.status, json: (await response.json()) as Record<string, unknown> };
}

/** What every host must do, wherever the API is mounted. */
async function checkAll(url: string, prefix: string): Promise<void> {
  const manual = await askAt(url, "POST", `${prefix}/api/v1/trigger/manual`, { reason: "ask" });
  expect(manual).toMatchObject({ status: 202, json: { reason: "ask" } });
  expect(manual.headers.get("location")).toBe(`${prefix}/api/v1/trigger/status/${manual.json.id}`);
  expect(await askAt(url, "GET", manual.headers.get("location") ?? "")).toMatchObject({
    status: 200,
    json: { trigger: { id: manual.json.id } },
  });
  expect(await askAt(url, "PUT", `${prefix}/api/v1/schedule/config`, { max_concurrent_runs: 4 })).toMatchObject({ status: 200 });
  expect(await askAt(url, "POST", `${prefix}/api/v1/pipeline/pause`)).toMatchObject({ status: 200, json: { paused: true } });
  expect(await askAt(url, "POST", `${prefix}/api/v1/pipeline/resume`, {})).toMatchObject({ status: 200 });
  expect(await askAt(url, "GET", `${prefix}/health`)).toMatchObject({ status: 200 });
  expect(await askAt(url, "POST", `${prefix}/api/v1/trigger/manual`, { colour: 1 })).toMatchObject({
    status: 422,
    json: { errors: [{ pointer: "/colour" }] },
  });
  expect(await askAt(url, "POST", `${prefix}/api/v1/trigger/manual`, {}, { authorization: "" })).toMatchObject({ status: 401 });
  expect(await webhookAt(`${url}${prefix}`)).toMatchObject({
    status: 202,
    json: { parameters: { source: "provider", data: { "unicode ☃": [1, 2] } } },
  });
}

describe.each([
  ["Express 5", express],
  ["Express 4", express4],
])("%s", (_, make) => {
  const own = (app: Express) => app.get("/own", (_request, response) => void response.json({ own: true }));

  it.each(["", "/deep/prefix"])("mounts the API under %j, before its own parsers", async (prefix) => {
    const { api } = await made();
    const app = make();
    app.use(prefix === "" ? "/" : prefix, expressTriggerApi(api));
    app.use(make.json());
    own(app);
    const url = await served(app);
    await checkAll(url, prefix);
    expect((await askAt(url, "GET", "/own")).json).toEqual({ own: true });
    expect((await fetch(`${url}${prefix}/api/v2/other`)).status).toBe(404);
  });

  it("mounts it after its own parsers; signatures need the bytes", async () => {
    const { api } = await made();
    const app = make();
    app.use(make.json({ verify: keepRawBody }));
    app.use(expressTriggerApi(api));
    await checkAll(await served(app), "");
    const other = make();
    other.use(make.json());
    other.use(expressTriggerApi(api));
    const url = await served(other);
    expect(await askAt(url, "POST", "/api/v1/trigger/manual", { reason: "parsed before" })).toMatchObject({
      status: 202,
      json: { reason: "parsed before" },
    });
    expect(await webhookAt(url)).toMatchObject({ status: 500, json: { code: "RAW_BODY_MISSING" } });
  });
});

describe("Fastify 5", () => {
  it.each(["", "/deep/prefix"])("mounts the API under %j beside routes and parsers of its own", async (prefix) => {
    const { api } = await made();
    const app = fastify();
    app.addContentTypeParser("application/json", { parseAs: "string" }, (_request, body, done) => done(null, { mangled: body }));
    app.get("/own", async () => ({ own: true }));
    app.post("/own", async (request) => request.body);
    await app.register(fastifyTriggerApi, { api, prefix });
    await app.listen({ port: 0, host: "127.0.0.1" });
    closers.push(() => app.close());
    const url = app.listeningOrigin;
    await checkAll(url, prefix);
    expect((await askAt(url, "GET", "/own")).json).toEqual({ own: true });
    expect((await askAt(url, "POST", "/own", { a: 1 })).json).toEqual({ mangled: '{"a":1}' });
  });
});

describe("the client", () => {
  it("asks everything, with types, and throws what the service says", async () => {
    const { api, clock } = await made();
    const app = express();
    app.use("/scheduler", expressTriggerApi(api));
    const client = createClient({ baseUrl: `${await served(app)}/scheduler/`, token: ADMIN });
    const trigger = await client.trigger({ reason: "typed", priority: "high" }, { idempotencyKey: "k1" });
    expect((await client.trigger({ reason: "typed", priority: "high" }, { idempotencyKey: "k1" })).id).toBe(trigger.id);
    await clock.settle();
    expect((await client.triggerStatus(trigger.id)).run?.status).toBe("succeeded");
    expect((await client.runs("sales", { status: "succeeded", limit: 5 })).items[0]?.output).toBe("done");
    expect((await client.pipelines()).items.map(({ id }) => id)).toEqual(["sales"]);
    expect((await client.explain("sales", "2026-03-02T00:30:00Z")).answer).toBe("not_scheduled");
    expect((await client.upcoming("sales", { limit: 1 })).items).toMatchObject([{ at: "2026-03-02T01:00:00.000Z" }]);
    expect((await client.pause({ reason: "typed", duration_minutes: 5 })).paused).toBe(true);
    expect((await client.resume()).paused).toBe(false);
    expect((await client.changeSettings({ max_concurrent_runs: 7 })).max_concurrent_runs).toBe(7);
    const window = await client.addMaintenance({ start: "02:00", end: "03:00" });
    expect((await client.maintenance()).items).toHaveLength(1);
    expect((await client.removeMaintenance(window.id)).id).toBe(window.id);
    expect((await client.backfill("sales", { from: "2026-03-01T00:00:00Z", to: "2026-03-01T02:00:00Z" })).count).toBe(2);
    expect((await client.info()).phase).toBe("running");
    await expect(client.pipeline("nobody")).rejects.toMatchObject({
      name: "ApiError",
      status: 404,
      code: "UNKNOWN_PIPELINE",
      retryAfter: null,
    });
  });
});
