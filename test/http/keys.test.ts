import { Webhook } from "standardwebhooks";
import { afterEach, describe, expect, it } from "vitest";
import { composedKey } from "../../src/adapters/http/idempotency-key.js";
import { START } from "../support/harness.js";
import { type Service, sales, service } from "../support/service.js";
import { places } from "../support/stores.js";

const { memory, sqlite, postgres } = await places();
const SECRET = `whsec_${Buffer.from("a secret of thirty-two characters").toString("base64")}`;
const LONG = "s".repeat(128);
const TOKENS = [
  { id: "oa", role: "operator", token: "the-token-of-operator-oa", pipelines: null },
  { id: "oa2", role: "operator", token: "the-token-of-operator-oa2", pipelines: null },
  { id: "shop", role: "operator", token: "the-token-of-operator-shop", pipelines: null },
] as const;
const as = (id: string) => ({ authorization: `Bearer the-token-of-operator-${id}` });

const running: Service[] = [];
afterEach(async () => {
  for (const one of running.splice(0)) await one.close();
});

describe.each([memory, sqlite, ...postgres])("keys, on %s", (_, place) => {
  async function made(): Promise<Service> {
    const options = { tokens: TOKENS, webhooks: [{ source: LONG, secret: SECRET }, { source: "shop" }, { source: "oa2" }] };
    const one = await service([sales()], options, { store: place()() });
    await one.scheduler.pause();
    running.push(one);
    return one;
  }

  it("a source in the path that is longer than a source may be is not found, and never reaches an index", async () => {
    const { ask } = await made();
    for (const length of [129, 255, 2_800, 7_000]) {
      const source = Array.from({ length }, (__, index) => ((index * 7919) % 36).toString(36)).join("");
      const answer = await ask("POST", `/api/v1/webhooks/${source}?pipeline=sales`, {}, { "idempotency-key": "k" });
      expect(answer).toMatchObject({ status: 404, json: { code: "NOT_FOUND" } });
    }
    expect((await ask("GET", `/api/v1/runs/${"r".repeat(5_000)}`)).status).toBe(404);
  });

  it.each([119, 128])("a signed webhook of a source of 128 characters with an id of %i is accepted, once", async (length) => {
    const { ask } = await made();
    const id = "i".repeat(length);
    const body = JSON.stringify({ source: LONG, pipeline: "sales", data: { n: 1 } });
    const signature = new Webhook(SECRET).sign(id, new Date(START), body);
    const headers = { "webhook-id": id, "webhook-timestamp": String(Date.parse(START) / 1_000), "webhook-signature": signature };
    const first = await ask("POST", "/api/v1/trigger/webhook", body, { ...headers, authorization: "" });
    expect(first.status).toBe(401); // an empty header is no token, and no signature either
    const send = () => fetchSigned(running.at(-1)?.url ?? "", body, headers);
    const [one, again] = [await send(), await send()];
    expect([one.status, again.status]).toEqual([202, 202]);
    expect(again.id).toBe(one.id);
    const other = await fetchSigned(running.at(-1)?.url ?? "", body, headersFor(`${"i".repeat(length - 1)}j`, body));
    expect(other.status).toBe(202);
    expect(other.id).not.toBe(one.id);
  });

  it("keys of two tokens, two sources, or of a token and a source never meet", async () => {
    const { ask } = await made();
    const webhook = (source: string, key: string, token: string) =>
      ask("POST", "/api/v1/trigger/webhook", { source, data: { token } }, { ...as(token), "idempotency-key": key });
    const manual = (key: string, token: string) =>
      ask("POST", "/api/v1/trigger/manual", { parameters: { token } }, { ...as(token), "idempotency-key": key });
    const answers = [
      await webhook("oa2", "k9", "oa"),
      await manual("oa:k9", "oa2"),
      await webhook("shop", "k9", "oa"),
      await manual("oa:k9", "shop"),
      await manual("oa%3Ak9", "shop"),
      await manual("source:shop:oa:k9", "oa"),
      await webhook("shop", "oa:k9", "shop"),
    ];
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 202));
    expect(new Set(answers.map(({ json }) => json.id)).size).toBe(answers.length);
  });
});

function headersFor(id: string, body: string): Record<string, string> {
  const signature = new Webhook(SECRET).sign(id, new Date(START), body);
  return { "webhook-id": id, "webhook-timestamp": String(Date.parse(START) / 1_000), "webhook-signature": signature };
}

async function fetchSigned(url: string, body: string, headers: Record<string, string>): Promise<{ status: number; id: string }> {
  const response = await fetch(`${url}/api/v1/trigger/webhook`, {
    method: "POST",
    body,
    headers: { ...headers, "content-type": "application/json" },
  });
  const { id } = (await response.json()) as { id: string };
  return { status: response.status, id };
}

describe("composedKey", () => {
  it("makes different keys of different parts, none longer than 200 characters", () => {
    const parts = ["", "a", "a:b", "a%3Ab", ":", "%", "x".repeat(100), "x".repeat(199), "x".repeat(200), "x".repeat(300)];
    const keys = new Map<string, string>();
    for (const one of parts)
      for (const other of parts)
        for (const third of [null, ...parts]) {
          const list = third === null ? [one, other] : [one, other, third];
          const key = composedKey(...list);
          expect(key.length).toBeLessThanOrEqual(200);
          expect(keys.get(key) ?? JSON.stringify(list)).toBe(JSON.stringify(list));
          keys.set(key, JSON.stringify(list));
        }
    expect(keys.size).toBe(parts.length ** 2 * (parts.length + 1));
  });
});
