import { connect } from "node:net";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTriggerApi } from "../../src/adapters/http/index.js";
import { postgresStore } from "../../src/adapters/stores/postgres/postgres-store.js";
import { memoryStore, pipeline } from "../../src/index.js";
import { dropSchemas, freshSchema, testDatabaseUrl } from "../support/postgres.js";
import { ADMIN, type Service, sales, service } from "../support/service.js";

const database = await testDatabaseUrl();
const stores = [
  ["memory", () => memoryStore()] as const,
  ...(database === null ? [] : [["PostgreSQL", () => postgresStore({ connectionString: database, schema: freshSchema() })] as const]),
];
afterAll(dropSchemas);

let running: Service;
beforeAll(async () => {
  running = await service([sales(), pipeline({ id: "stock", run: () => {} })], {
    tokenLimit: null,
    addressLimit: null,
    queueLimits: { total: { count: 100_000 }, pipeline: { count: 100_000 }, token: { count: 100_000 } },
    defaultPipeline: "sales",
  });
  await running.scheduler.pause();
});
afterAll(() => running.close());

const PATH = "/api/v1/trigger/manual";

describe("bad input", () => {
  const deep = `${'{"a":'.repeat(10_000)}1${"}".repeat(10_000)}`;
  it.each([
    ["broken JSON", '{"reason":', 400, "BAD_JSON"],
    ["nothing where something must be", "", 202, null],
    ["a list", "[]", 422, "INVALID_REQUEST"],
    ["null", "null", 422, "INVALID_REQUEST"],
    ["a wrong type", '{"reason":7}', 422, "INVALID_REQUEST"],
    ["an unknown field", '{"colour":"red"}', 422, "INVALID_REQUEST"],
    ["an unknown priority", '{"priority":"urgent"}', 422, "INVALID_REQUEST"],
    ["__proto__", '{"parameters":{"__proto__":{"polluted":1}}}', 422, "INVALID_REQUEST"],
    ["an escaped __proto__", '{"parameters":{"\\u005f_proto__":{"polluted":1}}}', 422, "INVALID_REQUEST"],
    ["constructor", '{"constructor":{"prototype":{}}}', 422, "INVALID_REQUEST"],
    ["NUL", '{"reason":"a\\u0000b"}', 422, "INVALID_REQUEST"],
    ["a huge number", '{"parameters":{"n":1e999}}', 422, "INVALID_REQUEST"],
    ["a long reason", JSON.stringify({ reason: "x".repeat(1_001) }), 422, "INVALID_REQUEST"],
    ["10,000 levels", deep, 400, "BAD_JSON"],
    ["10,000 levels of lists", `${"[".repeat(10_000)}${"]".repeat(10_000)}`, 400, "BAD_JSON"],
    ["a body over the limit", JSON.stringify({ reason: "x".repeat(1_100_000) }), 413, "BODY_TOO_LARGE"],
    ["an unknown pipeline", '{"pipeline":"nobody"}', 404, "UNKNOWN_PIPELINE"],
    ["two pipelines", '{"pipeline":"sales","dag_id":"stock"}', 422, "AMBIGUOUS_PIPELINE"],
    ["an instant that is none", '{"not_before":"tomorrow"}', 422, "INVALID_REQUEST"],
  ])("%s is told what is wrong", async (_, body, status, code) => {
    const { status: answered, json, headers } = await running.ask("POST", PATH, body);
    expect([answered, json.code ?? null]).toEqual([status, code]);
    if (code === null) return;
    expect(headers.get("content-type")).toBe("application/problem+json");
    expect(json).toMatchObject({
      type: "about:blank",
      status,
      title: expect.any(String),
      detail: expect.any(String),
      request_id: headers.get("x-request-id"),
    });
    expect(JSON.stringify(json)).not.toMatch(/\.ts:|\.js:|node_modules/);
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });

  it("names every field that is wrong", async () => {
    const { json } = await running.ask("POST", PATH, { reason: "", priority: "urgent", colour: 1, "a/b~c": 2 });
    expect(json.errors.map(({ pointer }: { pointer: string }) => pointer).sort()).toEqual(["/a~1b~0c", "/colour", "/priority", "/reason"]);
  });

  it.each([
    [new Uint8Array([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]), {}, 400, "BAD_JSON"],
    ["{}", { "content-type": "text/plain" }, 415, "UNSUPPORTED_MEDIA_TYPE"],
    ["{}", { "content-type": "application/x-www-form-urlencoded" }, 415, "UNSUPPORTED_MEDIA_TYPE"],
    ["{}", { "idempotency-key": "has space" }, 400, "INVALID_REQUEST"],
    ["{}", { "idempotency-key": "x".repeat(200) }, 400, "INVALID_REQUEST"],
  ])("%#: bytes, types and headers too", async (body, headers, status, code) => {
    expect(await running.ask("POST", PATH, body, headers)).toMatchObject({ status, json: { code } });
  });

  it("queries are checked, unknown ones named", async () => {
    expect(await running.ask("GET", "/api/v1/triggers/pending?limit=0")).toMatchObject({
      status: 422,
      json: { errors: [{ pointer: "?limit" }] },
    });
    expect(await running.ask("GET", "/api/v1/triggers/pending?order=asc")).toMatchObject({
      status: 422,
      json: { errors: [{ pointer: "?order" }] },
    });
    expect(await running.ask("GET", "/api/v1/pipelines/sales/explain?at=yesterday")).toMatchObject({ status: 422 });
    expect(await running.ask("GET", "/api/v1/triggers/pending?cursor=%00")).toMatchObject({ status: 422 });
  });

  it("paths and methods that are not there are told", async () => {
    expect(await running.ask("GET", "/api/v1/nothing")).toMatchObject({ status: 404, json: { code: "NOT_FOUND" } });
    const { status, headers, json } = await running.ask("DELETE", PATH);
    expect([status, headers.get("allow"), json.code]).toEqual([405, "POST", "METHOD_NOT_ALLOWED"]);
    expect((await running.ask("GET", "/api/v1/trigger/status/%2e%2e%2f%00")).status).toBe(404);
    expect((await running.ask("GET", `/api/v1/runs/${"x".repeat(5_000)}`)).status).toBe(404);
  });

  it("a line of header after a line end never gets out", async () => {
    const { headers } = await running.ask("POST", PATH, {}, { "x-request-id": "a b;c" });
    expect(headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
    const raw = await new Promise<string>((resolve) => {
      const socket = connect(Number(new URL(running.url).port), "127.0.0.1", () =>
        socket.write(`GET /health HTTP/1.1\r\nHost: x\r\nX-Request-Id: a\rSet-Cookie: b\r\n\r\n`),
      );
      let text = "";
      socket.on("data", (chunk) => (text += chunk.toString()));
      socket.on("close", () => resolve(text));
    });
    expect(raw).toMatch(/^HTTP\/1.1 400/);
    expect(raw).not.toMatch(/Set-Cookie: b/i);
  });

  it.each(stores)("of any kind gets an answer below 500 on %s", async (_, makeStore) => {
    const fuzzed = await service(
      [sales()],
      {
        tokenLimit: null,
        addressLimit: null,
        queueLimits: { total: { count: 100_000 }, pipeline: { count: 100_000 }, token: { count: 100_000 } },
      },
      { store: makeStore() },
    );
    await fuzzed.scheduler.pause();
    const bodies = fc.oneof(
      fc.json(),
      fc.string({ maxLength: 2_000 }),
      fc.uint8Array({ maxLength: 2_000 }).map((bytes) => Buffer.from(bytes)),
      fc
        .object({
          key: fc.constantFrom(
            "reason",
            "user",
            "priority",
            "parameters",
            "pipeline",
            "source",
            "start",
            "end",
            "days",
            "force",
            "__proto__",
            "role",
          ),
        })
        .map((value) => JSON.stringify(value)),
    );
    const guarded = fuzzed.api.routes
      .filter(({ role, id }) => role !== "public" && id !== "events")
      .map(({ method, path }) => `${method} ${path}`);
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...guarded), bodies, fc.string({ maxLength: 40 }), async (route, body, id) => {
        const [method = "", path = ""] = route.split(" ");
        const name = id === "" || id === "." || id === ".." ? "x" : encodeURIComponent(id);
        const url = `${fuzzed.url}${path.replace(/\{\w+\}/, name)}${method === "GET" ? `?cursor=${encodeURIComponent(id)}` : ""}`;
        const response = await fetch(url, {
          method,
          ...(method === "GET" ? {} : { body }),
          headers: { authorization: `Bearer ${ADMIN}`, "content-type": "application/json" },
        });
        const text = await response.text();
        expect(response.status, `${method} ${path} ${text}`).toBeLessThan(500);
        expect(text).not.toMatch(/\.ts:\d|\.js:\d/);
      }),
      { numRuns: 400 },
    );
    await fuzzed.close();
  });
});

describe("limits", () => {
  it("of requests are told in headers, and end in 429", async () => {
    const small = await service([sales()], { tokenLimit: { requests: 2, per: "1m" } });
    const first = await small.ask("GET", "/api/v1/info");
    expect(first.headers.get("ratelimit")).toMatch(/^"token";r=1;t=\d+$/);
    expect(first.headers.get("ratelimit-policy")).toBe('"token";q=2;w=60');
    await small.ask("GET", "/api/v1/info");
    const refused = await small.ask("GET", "/api/v1/info");
    expect(refused).toMatchObject({ status: 429, json: { code: "RATE_LIMITED" } });
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    await small.close();
  });

  it("hold per address before the token is looked at, and believe only the proxies that are said to be there", async () => {
    const behind = await service([sales()], { addressLimit: { requests: 1, per: "1m" }, trustProxy: 1 });
    const from = (chain: string) =>
      behind.ask("GET", "/api/v1/info", undefined, { "x-forwarded-for": chain, authorization: "Bearer wrong" });
    expect((await from("6.6.6.6, 10.0.0.1")).status).toBe(401);
    expect((await from("7.7.7.7, 10.0.0.1")).status).toBe(429);
    expect((await from("7.7.7.7, 10.0.0.2")).status).toBe(401);
    await behind.clock.advance("1m");
    expect((await behind.scheduler.audit.list({ limit: 5 })).map(({ address, outcome }) => `${address} ${outcome}`)).toEqual([
      "10.0.0.2 401 UNAUTHENTICATED",
      "10.0.0.1 429 RATE_LIMITED",
      "10.0.0.1 401 UNAUTHENTICATED",
    ]);
    await behind.close();
    const direct = await service([sales()], { addressLimit: { requests: 1, per: "1m" } });
    await direct.ask("GET", "/api/v1/info", undefined, { "x-forwarded-for": "10.0.0.1" });
    expect((await direct.ask("GET", "/api/v1/info", undefined, { "x-forwarded-for": "10.0.0.2" })).status).toBe(429);
    await direct.close();
  });

  it("of the line end in 503", async () => {
    const full = await service([sales()], { queueLimits: { total: { count: 2 }, reserved: { count: 0 } } });
    await full.scheduler.pause();
    await full.scheduler.trigger("sales");
    await full.scheduler.trigger("sales");
    const refused = await full.ask("POST", PATH, {});
    expect(refused).toMatchObject({ status: 503, json: { code: "QUEUE_FULL" } });
    expect(refused.headers.get("retry-after")).toBe("30");
    expect((await full.ask("GET", "/api/v1/triggers/pending")).json.items).toHaveLength(2);
    await full.close();
  });

  it("of time hold for a body that trickles in", async () => {
    const { hostname, port } = new URL(running.url);
    const answer = await new Promise<string>((resolve) => {
      const socket = connect(Number(port), hostname, () => {
        socket.write(
          `POST ${PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ADMIN}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"rea`,
        );
        const look = async () => {
          await running.clock.advance("11s");
          if (!socket.destroyed) setImmediate(() => void look());
        };
        void look();
      });
      let text = "";
      socket.on("data", (chunk) => {
        text += chunk.toString();
        socket.destroy();
      });
      socket.on("close", () => resolve(text));
    });
    expect(answer).toMatch(/^HTTP\/1.1 408/);
    expect(answer).toContain("BODY_TIMED_OUT");
  });
});

describe("headers", () => {
  it("keep browsers from guessing, framing and caching; no other origin is let in unless it is named", async () => {
    const { headers } = await running.ask("GET", "/health", undefined, { origin: "https://evil.example" });
    expect(Object.fromEntries(headers)).toMatchObject({
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      "x-frame-options": "DENY",
    });
    expect(headers.get("access-control-allow-origin")).toBeNull();
    const open = createTriggerApi(running.scheduler, { adminToken: ADMIN, cors: ["https://ops.example"], hsts: true });
    const preflight = await open.fetch(
      new Request("http://x/api/v1/trigger/manual", { method: "OPTIONS", headers: { origin: "https://ops.example" } }),
    );
    expect([preflight.status, preflight.headers.get("access-control-allow-methods")]).toEqual([204, "POST"]);
    const other = await open.fetch(
      new Request("http://x/api/v1/trigger/manual", { method: "OPTIONS", headers: { origin: "https://evil.example" } }),
    );
    expect([other.status, other.headers.get("access-control-allow-origin")]).toEqual([405, null]);
    expect((await open.fetch(new Request("http://x/health"))).headers.get("strict-transport-security")).toMatch(/max-age/);
  });
});
