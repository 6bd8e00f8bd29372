import { createHmac } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { afterEach, describe, expect, it } from "vitest";
import { createTriggerApi, type WebhookSource } from "../../src/adapters/http/index.js";
import { createScheduler, pipeline } from "../../src/index.js";
import { START } from "../support/harness.js";
import { type Service, sales, service } from "../support/service.js";

const SECRET = `whsec_${Buffer.from("a secret of thirty-two characters").toString("base64")}`;
const GITHUB = "a-secret-for-github-only";
const SOURCES: WebhookSource[] = [
  {
    source: "provider",
    pipelines: ["sales"],
    secret: SECRET,
    events: ["data_updated"],
    parameters: (payload) => (payload as { data: Record<string, unknown> }).data,
  },
  { source: "github", pipelines: ["stock"], secret: GITHUB, scheme: "github" },
  { source: "internal" },
];
const NOW_S = Date.parse(START) / 1_000;

let running: Service;
afterEach(() => running.close());
const start = async () => {
  running = await service([sales(), pipeline({ id: "stock", run: () => {} })], { webhooks: SOURCES });
  return running;
};

/** As the sender signs it. */
function signed(body: string, { id = "msg_1", at = NOW_S, secret = SECRET } = {}): Record<string, string> {
  return {
    authorization: "",
    "webhook-id": id,
    "webhook-timestamp": String(at),
    "webhook-signature": new Webhook(secret).sign(id, new Date(at * 1_000), body),
  };
}

async function send(path: string, body: string, { authorization, ...headers }: Record<string, string>) {
  const response = await fetch(`${running.url}${path}`, {
    method: "POST",
    body,
    headers: { "content-type": "application/json", ...headers, ...(authorization ? { authorization } : {}) },
  });
  return { status: response.status, json: (await response.json()) as Record<string, unknown> };
}

const PATH = "/api/v1/trigger/webhook";
const BODY = JSON.stringify({ source: "provider", event: "data_updated", data: { dataset: "phones", rows: 3 } });

describe("webhooks", () => {
  it("that are signed need no token, and their payload becomes the run's parameters", async () => {
    await start();
    const { status, json } = await send(PATH, BODY, signed(BODY));
    expect(status).toBe(202);
    expect(json).toMatchObject({
      pipeline: "sales",
      kind: "webhook",
      user: "webhook:provider",
      parameters: { dataset: "phones", rows: 3 },
    });
  });

  it("sent again under their id trigger once, and cannot mean something else", async () => {
    const { scheduler, clock } = await start();
    const [first, second] = [await send(PATH, BODY, signed(BODY)), await send(PATH, BODY, signed(BODY))];
    expect(second.json.id).toBe(first.json.id);
    await clock.advance("3m");
    expect((await send(PATH, BODY, signed(BODY, { at: NOW_S + 180 }))).json.id).toBe(first.json.id);
    const other = BODY.replace("phones", "tablets");
    expect(await send(PATH, other, signed(other, { at: NOW_S + 180 }))).toMatchObject({
      status: 422,
      json: { code: "IDEMPOTENCY_CONFLICT" },
    });
    expect((await scheduler.triggers({ kind: "webhook" })).items).toHaveLength(1);
  });

  it.each([
    ["with another secret", () => signed(BODY, { secret: `whsec_${Buffer.from("another secret of many letters").toString("base64")}` })],
    ["of another body", () => signed(`${BODY} `)],
    ["of another id", () => ({ ...signed(BODY), "webhook-id": "msg_2" })],
    ["that are too old", () => signed(BODY, { at: NOW_S - 301 })],
    ["from the future", () => signed(BODY, { at: NOW_S + 301 })],
    ["without a signature", () => ({ authorization: "" })],
    ["with a timestamp that is none", () => ({ ...signed(BODY), "webhook-timestamp": "yesterday" })],
  ])("%s are refused", async (_, headers) => {
    const { scheduler } = await start();
    expect(await send(PATH, BODY, headers())).toMatchObject({ status: 401, json: { code: "INVALID_SIGNATURE" } });
    expect((await scheduler.triggers()).items).toEqual([]);
  });

  it("of GitHub are known by X-Hub-Signature-256, in their own form, one delivery once", async () => {
    await start();
    const body = JSON.stringify({ ref: "refs/heads/main", commits: [] });
    const signature = (secret: string) => `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`;
    const headers = { "x-hub-signature-256": signature(GITHUB), "x-github-event": "push", "x-github-delivery": "72d3162e" };
    const first = await send("/api/v1/webhooks/github", body, headers);
    expect(first).toMatchObject({
      status: 202,
      json: { pipeline: "stock", reason: "webhook of github: push", parameters: { ref: "refs/heads/main", commits: [] } },
    });
    expect((await send("/api/v1/webhooks/github", body, headers)).json.id).toBe(first.json.id);
    expect(
      await send("/api/v1/webhooks/github", body, { ...headers, "x-hub-signature-256": signature("something else altogether") }),
    ).toMatchObject({ status: 401 });
  });

  it("come only from the sources that are allowed, for their pipelines and events", async () => {
    const { ask } = await start();
    expect(await ask("POST", PATH, { source: "stranger" })).toMatchObject({ status: 403, json: { code: "SOURCE_NOT_ALLOWED" } });
    expect(await ask("POST", PATH, { source: "provider", event: "data_updated", data: {}, pipeline: "stock" })).toMatchObject({
      status: 403,
    });
    expect(await ask("POST", PATH, { source: "provider", event: "data_deleted", data: {} })).toMatchObject({ status: 422 });
    expect(await ask("POST", PATH, { source: "internal", pipeline: "stock" })).toMatchObject({ status: 202 });
    expect(await send(PATH, JSON.stringify({ source: "internal", pipeline: "stock" }), {})).toMatchObject({
      status: 401,
      json: { code: "UNAUTHENTICATED" },
    });
    const foreign = JSON.stringify({ source: "provider", event: "data_updated", data: {}, pipeline: "stock" });
    expect(await send(PATH, foreign, signed(foreign))).toMatchObject({ status: 403 });
    expect(await ask("POST", PATH, { source: "provider", event: "data_updated" })).toMatchObject({ status: 202 });
  });

  it("of two sources with one token keep their ids apart, and ids that are too long are refused, not cut", async () => {
    const { ask } = await start();
    const sent = (source: string, key: string) =>
      ask("POST", PATH, { source, event: "data_updated", data: {}, pipeline: "sales" }, { "webhook-id": key });
    const [one, other] = [await sent("internal", "same"), await sent("provider", "same")];
    expect([one.status, other.status]).toEqual([202, 202]);
    expect(one.json.id).not.toBe(other.json.id);
    expect(await sent("internal", "x".repeat(129))).toMatchObject({ status: 400, json: { code: "INVALID_REQUEST" } });
  });

  it("of sources that are badly described are refused when the API is made", async () => {
    await start();
    const make =
      (...webhooks: WebhookSource[]) =>
      () =>
        createTriggerApi(createScheduler(), { adminToken: null, webhooks });
    expect(make({ source: "" })).toThrow(/source must be a name/);
    expect(make({ source: "a" }, { source: "a" })).toThrow(/is there twice/);
    expect(make({ source: "a", secret: "short" })).toThrow(/at least 16/);
    expect(make({ source: "a", secret: GITHUB, scheme: "gitlab" as "github" })).toThrow(/standard or github/);
  });
});
