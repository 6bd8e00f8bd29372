import { createHmac } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import { Webhook } from "standardwebhooks";
import { afterEach, describe, expect, it } from "vitest";
import { createTriggerApi, type TriggerApiOptions, type WebhookSource } from "../../src/adapters/http/index.js";
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
const start = async (webhooks: readonly WebhookSource[] = SOURCES, options: TriggerApiOptions = {}) => {
  running = await service([sales(), pipeline({ id: "stock", run: () => {} })], { webhooks, ...options });
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

const GITHUB_PATH = "/api/v1/webhooks/github";
const PUSH = JSON.stringify({ ref: "refs/heads/main", before: "0a1b", after: "2c3d", commits: [], pusher: { name: "ana" } });
const PING = JSON.stringify({ zen: "Keep it logically awesome.", hook_id: 1, hook: { type: "Repository", events: ["push"] } });

/** As GitHub sends it. */
function github(body: string, { secret = GITHUB, event = "push", ...more }: Record<string, string> = {}): Record<string, string> {
  const signature = createHmac("sha256", secret).update(body).digest("hex");
  return { "x-hub-signature-256": `sha256=${signature}`, "x-github-event": event, "x-github-delivery": "72d3162e", ...more };
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
    ["with a timestamp that is none", () => ({ ...signed(BODY), "webhook-timestamp": "yesterday" })],
    ["with the signature of another scheme", () => ({ "x-hub-signature-256": github(BODY)["x-hub-signature-256"] ?? "" })],
  ])("%s are refused", async (_, headers) => {
    const { scheduler } = await start();
    expect(await send(PATH, BODY, headers())).toMatchObject({ status: 401, json: { code: "INVALID_SIGNATURE" } });
    expect((await scheduler.triggers()).items).toEqual([]);
  });

  it("without a signature, or with an id that is too long, are refused", async () => {
    await start();
    expect(await send(PATH, BODY, {})).toMatchObject({ status: 401, json: { code: "UNAUTHENTICATED" } });
    const tooLong = signed(BODY, { id: "x".repeat(129) });
    expect(await send(PATH, BODY, tooLong)).toMatchObject({ status: 400, json: { code: "INVALID_REQUEST" } });
  });

  it("of GitHub are known by X-Hub-Signature-256, in their own form, one delivery once", async () => {
    await start();
    const first = await send(GITHUB_PATH, PUSH, github(PUSH));
    expect(first).toMatchObject({
      status: 202,
      json: { pipeline: "stock", reason: "webhook of github: push", parameters: { ref: "refs/heads/main", commits: [] } },
    });
    expect((await send(GITHUB_PATH, PUSH, github(PUSH))).json.id).toBe(first.json.id);
    expect(await send(GITHUB_PATH, PUSH, github(PUSH, { secret: "something else altogether" }))).toMatchObject({ status: 401 });
  });

  it.each<readonly [string, Record<string, string>]>([
    ["under another delivery id", { "x-github-delivery": "another" }],
    ["with a webhook-id that GitHub does not send", { "webhook-id": "another" }],
    ["with an Idempotency-Key that GitHub does not send", { "idempotency-key": "another" }],
    ["without any id", { "x-github-delivery": "" }],
  ])("of GitHub cannot be repeated %s, nor a month later", async (_, changes) => {
    const { scheduler, clock } = await start();
    const first = await send(GITHUB_PATH, PUSH, github(PUSH));
    const again = Object.fromEntries(Object.entries(github(PUSH, changes)).filter(([, value]) => value !== ""));
    expect(await send(GITHUB_PATH, PUSH, again)).toMatchObject({ status: 202, json: { id: first.json.id } });
    await clock.advance("30d");
    expect((await send(GITHUB_PATH, PUSH, again)).json.id).toBe(first.json.id);
    expect((await scheduler.triggers({ kind: "webhook" })).items).toHaveLength(1);
  });

  it("of GitHub cannot be sent on to another pipeline or another route", async () => {
    const { scheduler } = await start([{ source: "github", secret: GITHUB, scheme: "github" }]);
    const body = JSON.stringify({ source: "github", pipeline: "stock" });
    expect(await send(PATH, body, github(body))).toMatchObject({ status: 202 });
    const conflict = { status: 422, json: { code: "IDEMPOTENCY_CONFLICT" } };
    expect(await send(`${GITHUB_PATH}?pipeline=sales`, body, github(body))).toMatchObject(conflict);
    expect(await send(`${GITHUB_PATH}?pipeline=stock`, body, github(body))).toMatchObject(conflict);
    expect((await scheduler.triggers({ kind: "webhook" })).items).toHaveLength(1);
  });

  it("of GitHub cannot be relabelled: a ping is never a push, and an unsigned event counts for nothing", async () => {
    const only = (...events: string[]): WebhookSource[] => [
      { source: "github", pipelines: ["stock"], secret: GITHUB, scheme: "github", events },
    ];
    const { scheduler } = await start(only("push"));
    expect(await send(GITHUB_PATH, PING, github(PING))).toMatchObject({
      status: 422,
      json: { detail: /signed payload is of the event ping/ },
    });
    expect(await send(GITHUB_PATH, PING, github(PING, { event: "ping" }))).toMatchObject({
      status: 422,
      json: { detail: /not by "ping"/ },
    });
    const strange = JSON.stringify({ action: "made", wonder: {} });
    expect(await send(GITHUB_PATH, strange, github(strange))).toMatchObject({ status: 422, json: { detail: /not of that event/ } });
    expect(await send(GITHUB_PATH, strange, github(strange, { event: "wonder" }))).toMatchObject({ status: 422 });
    expect((await scheduler.triggers()).items).toEqual([]);
    expect(await send(GITHUB_PATH, PUSH, github(PUSH))).toMatchObject({ status: 202 });
    expect(() => createTriggerApi(createScheduler(), { adminToken: null, webhooks: only("push", "team_add") })).toThrow(
      /team_add cannot be recognised by the payload; allowed: check_run/,
    );
  });

  it("of Standard Webhooks take their event from what is signed, and only their own id counts", async () => {
    const { scheduler } = await start();
    const path = "/api/v1/webhooks/provider";
    const body = (type: string) => JSON.stringify({ type, data: { rows: 1 } });
    const deleted = body("data_deleted");
    expect(await send(path, deleted, { ...signed(deleted), "x-github-event": "data_updated" })).toMatchObject({ status: 422 });
    const updated = body("data_updated");
    const first = await send(path, updated, { ...signed(updated), "x-github-event": "data_deleted" });
    expect(first).toMatchObject({ status: 202, json: { reason: "webhook of provider: data_updated" } });
    const again = { ...signed(updated), "x-github-delivery": "another", "idempotency-key": "another" };
    expect((await send(path, updated, again)).json.id).toBe(first.json.id);
    expect((await scheduler.triggers()).items).toHaveLength(1);
  });

  it("of a source with several secrets are accepted under each of them, and under none that was taken out", async () => {
    const [old, next] = ["the-old-secret-of-github", "the-new-secret-of-github"];
    const standard = (text: string) => `whsec_${Buffer.from(text).toString("base64")}`;
    const sources = (...github: string[]): WebhookSource[] => [
      { source: "github", pipelines: ["stock"], secret: github, scheme: "github" },
      { source: "provider", pipelines: ["sales"], secret: github.map(standard) },
    ];
    await start(sources(next, old));
    expect(await send(GITHUB_PATH, PUSH, github(PUSH, { secret: old }))).toMatchObject({ status: 202 });
    expect(await send(GITHUB_PATH, PING, github(PING, { secret: next, event: "ping" }))).toMatchObject({ status: 202 });
    expect(await send(PATH, BODY, signed(BODY, { id: "1", secret: standard(old) }))).toMatchObject({ status: 202 });
    expect(await send(PATH, BODY, signed(BODY, { id: "2", secret: standard(next) }))).toMatchObject({ status: 202 });
    await running.close();
    await start(sources(next));
    expect(await send(GITHUB_PATH, PUSH, github(PUSH, { secret: old }))).toMatchObject({ status: 401 });
    expect(await send(PATH, BODY, signed(BODY, { secret: standard(old) }))).toMatchObject({ status: 401 });
    expect(await send(PATH, BODY, signed(BODY, { secret: standard(next) }))).toMatchObject({ status: 202 });
  });

  it("are not parsed before their signature is verified, and not read without one", async () => {
    await start(SOURCES, { addressLimit: null });
    const deep = `{"source":"provider","data":${"[".repeat(500_000)}`;
    const junk = { ...signed(deep), "webhook-signature": "v1,bm90IGl0" };
    for (const path of [PATH, "/api/v1/webhooks/provider"])
      expect(await send(path, deep, junk)).toMatchObject({ status: 401, json: { code: "INVALID_SIGNATURE" } });
    expect(await send(GITHUB_PATH, deep, github(deep, { secret: "not the secret of github" }))).toMatchObject({ status: 401 });
    expect(await send(PATH, deep, signed(deep))).toMatchObject({ status: 400, json: { code: "BAD_JSON" } });
    const socket = connect(Number(new URL(running.url).port), "127.0.0.1");
    socket.write(`POST ${PATH} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 1000000\r\n\r\n{`);
    expect(String((await once(socket, "data"))[0])).toMatch(/^HTTP\/1\.1 401 /); // the rest of the body was never waited for
    socket.destroy();
  });

  it.each([
    ["nested before it", '{"data":{"source":"other","list":[{"source":"other"}]},"source":"provider","event":"data_updated"}', 202],
    ["written with escapes", '{ "\\u0073ource" : "prov\\u0069der", "event": "data_updated", "data": {} }', 202],
    ["named twice", '{"source":"provider","source":"github","event":"data_updated"}', 401],
    ["named twice, hidden by a list", '{"source":["github"],"source":"provider","event":"data_updated"}', 401],
    ["that is no text", '{"source":1,"event":"data_updated"}', 401],
    ["in a text", '{"event":"\\"source\\":\\"provider\\""}', 401],
  ])("have the source that is signed: one %s", async (_, body, status) => {
    await start();
    expect((await send(PATH, body, signed(body))).status).toBe(status);
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
    expect(make({ source: "a" }, { source: "a" })).toThrow(/is declared twice/);
    expect(make({ source: "a", secret: "short" })).toThrow(/at least 16/);
    expect(make({ source: "a", secret: [SECRET, "short"] })).toThrow(/at least 16/);
    expect(make({ source: "a", secret: [] })).toThrow(/an array of 1 to 5/);
    expect(make({ source: "a", secret: Array.from({ length: 6 }, (_, nth) => `${SECRET.slice(0, -4)}AAA${nth}`) })).toThrow(/1 to 5/);
    expect(make({ source: "a", secret: "whsec_not base64 at all" })).toThrow(/whsec_ followed by base64/);
    expect(make({ source: "a", secret: SECRET }, { source: "b", secret: [SECRET] })).toThrow(/its secret is also used by "a"/);
    expect(make({ source: "a", secret: GITHUB, scheme: "gitlab" as "github" })).toThrow(/standard or github/);
  });
});
