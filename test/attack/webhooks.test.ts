import { createHmac } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { afterEach, describe, expect, it } from "vitest";
import type { StaticToken, WebhookSource } from "../../src/adapters/http/index.js";
import { pipeline } from "../../src/index.js";
import { START } from "../support/harness.js";
import { type Service, service } from "../support/service.js";
import { places } from "../support/stores.js";
import { Generator } from "./generator.js";
import { SEED, scaled } from "./scale.js";

const secretOf = (text: string) => `whsec_${Buffer.from(`${text} of thirty-two characters`).toString("base64")}`;
const [PROVIDER, OTHER, THIRD] = [
  secretOf("a secret of the provider"),
  secretOf("a secret of the other one"),
  secretOf("a secret of a third source"),
];
const GITHUB = "a-secret-for-github-only";
const LONGEST = "s".repeat(128);
const SOURCES: WebhookSource[] = [
  { source: "provider", pipelines: ["sales", "stock"], secret: PROVIDER, events: ["data_updated"] },
  { source: "other", pipelines: ["stock"], secret: OTHER },
  { source: "github", pipelines: ["sales", "stock"], secret: GITHUB, scheme: "github", events: ["push"] },
  { source: LONGEST, pipelines: ["sales"], secret: THIRD },
  { source: "open" },
];
const NOW_S = Date.parse(START) / 1_000;

let running: Service;
afterEach(() => running.close());
const start = async (webhooks: WebhookSource[] = SOURCES, tokens: StaticToken[] = []) => {
  const parts = ["sales", "stock"].map((id) => pipeline({ id, run: () => {} }));
  running = await service(parts, { webhooks, tokens, tokenLimit: null, addressLimit: null, defaultPipeline: "sales" });
};

type Headers = Readonly<Record<string, string>>;
interface Delivery {
  readonly path: string;
  readonly body: string;
  readonly headers: Headers;
}

const signed = (body: string, { id = "msg_1", at = NOW_S, secret = PROVIDER } = {}): Headers => ({
  "webhook-id": id,
  "webhook-timestamp": String(at),
  "webhook-signature": new Webhook(secret).sign(id, new Date(at * 1_000), body),
});
const bySource = JSON.stringify({ source: "provider", event: "data_updated", data: { rows: 3 } });
const push = JSON.stringify({ ref: "refs/heads/main", before: "0122", after: "0123", commits: [], pusher: { name: "somebody" } });
const hub = (body: string, secret = GITHUB): Headers => ({
  "x-hub-signature-256": `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`,
});
const DELIVERIES: Readonly<Record<string, Delivery>> = {
  standard: { path: "/api/v1/trigger/webhook", body: bySource, headers: signed(bySource) },
  "standard in its sender's form": { path: "/api/v1/webhooks/other", body: push, headers: signed(push, { secret: OTHER }) },
  github: {
    path: "/api/v1/webhooks/github",
    body: push,
    headers: { ...hub(push), "x-github-event": "push", "x-github-delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958" },
  },
};

async function send({ path, body, headers }: Delivery) {
  const request = new Request(`http://headgate.test${path}`, {
    method: "POST",
    body,
    headers: { "content-type": "application/json", ...headers },
  });
  const response = await running.api.fetch(request);
  return { status: response.status, json: (await response.json()) as { id?: string; code?: string } };
}

const triggers = async () => (await running.scheduler.triggers({ limit: 1_000 })).items;
const without = (headers: Headers, ...names: readonly string[]) =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !names.includes(name)));

describe.each(Object.entries(DELIVERIES))("a delivery (%s) that somebody has captured", (_, delivery) => {
  const { headers, path, body } = delivery;
  const relabelled: readonly [string, Delivery][] = [
    ["as it is", delivery],
    ...["webhook-id", "x-github-delivery", "idempotency-key", "x-github-event", "x-github-hook-id", "x-request-id", "x-webhook-id"].flatMap(
      (name): [string, Delivery][] => [
        [`with another ${name}`, { ...delivery, headers: { ...headers, [name]: "push" } }],
        [`with a random ${name}`, { ...delivery, headers: { ...headers, [name]: "f00" } }],
        [`without ${name}`, { ...delivery, headers: without(headers, name) }],
      ],
    ),
    ["without any id", { ...delivery, headers: without(headers, "webhook-id", "x-github-delivery", "idempotency-key") }],
    [
      "with ids of all kinds",
      {
        ...delivery,
        headers: {
          ...headers,
          "idempotency-key": "a",
          "x-github-delivery": "b",
          ...("webhook-id" in headers ? {} : { "webhook-id": "c" }),
        },
      },
    ],
    ["for another pipeline", { ...delivery, path: `${path}?pipeline=stock` }],
    ["for another pipeline still", { ...delivery, path: `${path}?pipeline=sales` }],
    ["of another source", { ...delivery, path: "/api/v1/webhooks/provider" }],
    ["of a third source", { ...delivery, path: "/api/v1/webhooks/other" }],
    ["of an open source", { ...delivery, path: "/api/v1/webhooks/open" }],
    ["with a byte order mark", { ...delivery, body: `\ufeff${body}` }],
    ["with white space", { ...delivery, body: `${body}\n` }],
    ["with another content type", { ...delivery, headers: { ...headers, "content-type": "application/cloudevents+json" } }],
    [
      "with two signatures",
      {
        ...delivery,
        headers: "webhook-signature" in headers ? { ...headers, "webhook-signature": `v1,AAAA ${headers["webhook-signature"]}` } : headers,
      },
    ],
    ["with a later time", { ...delivery, headers: { ...headers, "webhook-timestamp": String(NOW_S + 1) } }],
  ];

  it.each(relabelled)("cannot trigger again %s", async (_name, changed) => {
    await start();
    const first = await send(delivery);
    expect(first.status).toBe(202);
    for (const wait of scaled(0, 1) === 0 ? ["0s", "301s", "1d"] : ["0s", "299s", "2s", "1h", "1d", "14d"]) {
      await running.clock.advance(wait);
      const { status, json } = await send(changed);
      if (status === 202) expect(json.id).toBe(first.json.id);
      else expect([400, 401, 403, 409, 415, 422]).toContain(status);
      expect(await triggers()).toHaveLength(1);
    }
  });
});

describe("a webhook", () => {
  it("of GitHub cannot be passed off as another event: a signed ping is no push", async () => {
    await start();
    const ping = JSON.stringify({ zen: "Keep it logically awesome.", hook_id: 1, hook: { type: "Repository", events: ["push"] } });
    const captured = {
      path: "/api/v1/webhooks/github",
      body: ping,
      headers: { ...hub(ping), "x-github-event": "ping", "x-github-delivery": "one" },
    };
    expect((await send(captured)).status).toBe(422);
    expect(
      (await send({ ...captured, headers: { ...captured.headers, "x-github-event": "push", "x-github-delivery": "two" } })).status,
    ).not.toBe(202);
    expect(await triggers()).toEqual([]);
  });

  it("that is signed does not get its event from a header that is not", async () => {
    await start();
    const body = JSON.stringify({ type: "data_deleted", data: {} });
    const delivery = { path: "/api/v1/webhooks/provider", body, headers: { ...signed(body), "x-github-event": "data_updated" } };
    expect((await send(delivery)).status).not.toBe(202);
    expect(await triggers()).toEqual([]);
  });

  it.each([
    ["a standard source", "provider", hub(push, PROVIDER)],
    ["a standard source, without whsec_", "provider", hub(push, PROVIDER.slice("whsec_".length))],
    ["a GitHub source", "github", signed(push, { secret: `whsec_${Buffer.from(GITHUB).toString("base64")}` })],
    ["a GitHub source by SHA-1", "github", { "x-hub-signature": `sha1=${createHmac("sha1", GITHUB).update(push).digest("hex")}` }],
    ["a GitHub source without a scheme", "github", { "x-hub-signature-256": createHmac("sha256", GITHUB).update(push).digest("hex") }],
    ["a GitHub source in capitals", "github", { "x-hub-signature-256": (hub(push)["x-hub-signature-256"] ?? "").toUpperCase() }],
    ["a GitHub source, cut off", "github", { "x-hub-signature-256": (hub(push)["x-hub-signature-256"] ?? "").slice(0, -1) }],
    ["a source, of another's secret", "provider", signed(push, { secret: OTHER })],
    ["a source without a secret", "open", signed(push)],
    ["a source that is not there", "nobody", signed(push)],
    ["a source of a nasty name", "__proto__", signed(push)],
  ])("does not open %s by a signature of another kind", async (_, source, headers) => {
    await start();
    expect((await send({ path: `/api/v1/webhooks/${source}`, body: push, headers: { ...headers, "x-github-event": "push" } })).status).toBe(
      401,
    );
    expect(await triggers()).toEqual([]);
  });

  it("signed for one source opens no other, whatever the body or the path says", async () => {
    await start();
    for (const source of ["provider", "other", "github", LONGEST]) {
      const body = JSON.stringify({ source, event: "data_updated", data: {} });
      for (const [signer, secret] of [
        ["provider", PROVIDER],
        ["other", OTHER],
      ] as const) {
        if (signer === source) continue;
        expect(
          (await send({ path: "/api/v1/trigger/webhook", body, headers: signed(body, { secret }) })).status,
          `${signer} as ${source}`,
        ).toBe(401);
      }
    }
    expect(await triggers()).toEqual([]);
  });

  it("without a right signature is not parsed: broken JSON is answered as a wrong signature is", async () => {
    await start();
    for (const body of ["{", "[".repeat(1_000), '{"__proto__":1}'])
      expect(
        await send({
          path: "/api/v1/webhooks/provider",
          body,
          headers: { "webhook-id": "x", "webhook-timestamp": String(NOW_S), "webhook-signature": "v1,AAAA" },
        }),
      ).toMatchObject({
        status: 401,
        json: { code: "INVALID_SIGNATURE" },
      });
  });

  it.each([118, 119, 128])("of the longest source, with an id of %i characters, is not refused", async (length) => {
    await start();
    const body = JSON.stringify({ any: "thing" });
    const headers = signed(body, { id: "i".repeat(length), secret: THIRD });
    expect(await send({ path: `/api/v1/webhooks/${LONGEST}`, body, headers })).toMatchObject({ status: 202 });
  });

  it("with any mix of signature headers is either refused or the one that was signed", async () => {
    await start();
    const generator = new Generator(SEED);
    const pieces = Object.values(DELIVERIES).flatMap(({ headers }) => Object.entries(headers));
    for (let count = 0; count < scaled(300, 5_000); count++) {
      const headers = Object.fromEntries(generator.some(6, () => generator.pick(pieces)));
      const mutated = Object.fromEntries(
        Object.entries(headers).map(([name, value]) => [name, generator.chance(0.1) ? `${value}0` : value]),
      );
      const { body } = generator.pick(Object.values(DELIVERIES));
      const path = generator.pick([
        "/api/v1/trigger/webhook",
        ...["provider", "other", "github", "open"].map((source) => `/api/v1/webhooks/${source}`),
      ]);
      expect([202, 400, 401, 403, 422]).toContain((await send({ path, body, headers: mutated })).status);
    }
    // one at most for each source and body that was signed
    expect((await triggers()).length).toBeLessThanOrEqual(Object.keys(DELIVERIES).length);
  });
});

describe("keys", () => {
  it("of different tokens and sources never meet, however they are spelt", async () => {
    const callers = ["oa", "oa2", "o", "o-a", "webhook", "source", "oa.3A", "oa_"];
    const tokens = callers.map((id): StaticToken => ({ id, role: "operator", token: `a-token-of-the-caller-${id}`, pipelines: null }));
    await start([], tokens);
    const sources = ["oa2", "oa", "a", "o:a", "a:o", "open", "oa2:oa", "%3A"];
    const keys = ["k9", "oa:k9", ":k9", "k9:", "a:k9", "oa2:k9", "open:k9", "oa:oa:k9", "%3Ak9"];
    const seen = new Map<string, string>();
    for (const caller of callers) {
      const headers = (key: string) => ({ authorization: `Bearer a-token-of-the-caller-${caller}`, "idempotency-key": key });
      for (const key of keys) {
        const sent: [string, Delivery][] = [
          ["manual", { path: "/api/v1/trigger/manual", body: JSON.stringify({ reason: `${caller} ${key}` }), headers: headers(key) }],
          ...sources.map((source): [string, Delivery] => [
            source,
            {
              path: "/api/v1/trigger/webhook",
              body: JSON.stringify({ source, pipeline: "sales", data: `${caller} ${key}` }),
              headers: headers(key),
            },
          ]),
        ];
        for (const [source, delivery] of sent) {
          const about = `${caller} with ${key} of ${source}`;
          const { status, json } = await send(delivery);
          expect([about, status, json.code]).toEqual([about, 202, undefined]);
          expect(seen.get(json.id ?? ""), about).toBeUndefined();
          seen.set(json.id ?? "", about);
        }
      }
    }
  });
});

const { postgres, sqlite } = await places();
describe.each([sqlite, ...postgres])("on %s", (_, place) => {
  it("a source of any length in the path is no error of the service", async () => {
    running = await service([pipeline({ id: "sales", run: () => {} })], {}, { store: place()() });
    for (const length of [127, 128, 129, 2_700, 2_800, 8_000]) {
      const path = `/api/v1/webhooks/${new Generator(SEED).letters(length)}?pipeline=sales`;
      const { status } = await running.ask("POST", path, { any: "thing" }, { "idempotency-key": "k" });
      expect(status, `${length} letters`).toBeLessThan(500);
    }
  });
});
