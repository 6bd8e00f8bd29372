import { gzipSync } from "node:zlib";
import express from "express";
import fastify from "fastify";
import { afterEach, describe, expect, it } from "vitest";
import { expressTriggerApi, keepRawBody } from "../../src/adapters/http/express.js";
import { fastifyTriggerApi } from "../../src/adapters/http/fastify.js";
import { createTriggerApi, nodeTriggerApi, type TriggerApi } from "../../src/adapters/http/index.js";
import { mounted } from "../../src/service/mount.js";
import { harness } from "../support/harness.js";
import { rawRequest } from "../support/raw-request.js";
import { ADMIN, listen, sales } from "../support/service.js";

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function made(): Promise<TriggerApi> {
  const { scheduler } = await harness([sales()]);
  closers.push(() => scheduler.stop({ drain: 0 }));
  return createTriggerApi(scheduler, { adminToken: ADMIN });
}

async function served(listener: unknown): Promise<string> {
  const { url, close } = await listen(listener as never);
  closers.push(close);
  return url;
}

const HOSTS: readonly (readonly [string, (api: TriggerApi, prefix: string) => Promise<string>])[] = [
  ["headgate serve", (api, prefix) => served(mounted(api, prefix, new Map()))],
  [
    "Express 5",
    (api, prefix) => {
      const app = express();
      app.use(prefix === "" ? "/" : prefix, expressTriggerApi(api));
      return served(app);
    },
  ],
  [
    "Fastify 5",
    async (api, prefix) => {
      const app = fastify();
      await app.register(fastifyTriggerApi, { api, prefix });
      await app.listen({ port: 0, host: "127.0.0.1" });
      closers.push(() => app.close());
      return app.listeningOrigin;
    },
  ],
];

describe.each(HOSTS)("requests on %s", (_, serve) => {
  it.each(["", "/etl"])("HEAD does what GET does, without the body, under %j", async (prefix) => {
    const url = await serve(await made(), prefix);
    for (const path of ["/health", "/ready", "/api/v1/info", "/api/v1/pipelines/sales", "/api/v1/runs/none"]) {
      const headers = { authorization: `Bearer ${ADMIN}` };
      const [head, full] = [
        await fetch(`${url}${prefix}${path}`, { method: "HEAD", headers }),
        await fetch(`${url}${prefix}${path}`, { headers }),
      ];
      expect([head.status, head.headers.get("content-length")]).toEqual([full.status, String((await full.text()).length)]);
      expect(await head.text()).toBe("");
    }
    expect((await fetch(`${url}${prefix}/api/v1/info`, { method: "HEAD" })).status).toBe(401);
    expect((await fetch(`${url}${prefix}/api/v1/trigger/manual`, { method: "HEAD" })).status).toBe(405);
    const events = await fetch(`${url}${prefix}/api/v1/events`, { method: "HEAD", headers: { authorization: `Bearer ${ADMIN}` } });
    expect([events.status, events.headers.get("content-type")]).toEqual([200, "text/event-stream"]);
  });

  it.each(["", "/etl"])("a whole URL as the request's target means its path, under %j", async (prefix) => {
    const url = await serve(await made(), prefix);
    const head = (method: string, path: string) => `${method} http://etl.example:5000${prefix}${path} HTTP/1.1\r\nHost: etl.example\r\n`;
    expect(await rawRequest(url, `${head("GET", "/health")}Connection: close\r\n\r\n`)).toMatch(/^HTTP\/1.1 200/);
    const authorized = `Authorization: Bearer ${ADMIN}\r\nConnection: close\r\n`;
    expect(await rawRequest(url, `${head("GET", "/api/v1/pipelines?limit=1")}${authorized}\r\n`)).toMatch(/^HTTP\/1.1 200[\s\S]*"sales"/);
    const answer = await rawRequest(
      url,
      `${head("POST", "/api/v1/trigger/manual")}${authorized}Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`,
    );
    expect(answer).toMatch(/^HTTP\/1.1 202/);
    expect(answer).toContain(`${prefix}/api/v1/trigger/status/`);
  });

  it("a body with an encoding is refused as such, and not as broken JSON", async () => {
    const url = await serve(await made(), "");
    const send = (encoding: string, body: Uint8Array | string) =>
      fetch(`${url}/api/v1/trigger/manual`, {
        method: "POST",
        body: body as string,
        headers: { authorization: `Bearer ${ADMIN}`, "content-type": "application/json", "content-encoding": encoding },
      });
    for (const encoding of ["gzip", "br", "identity, gzip"]) {
      const refused = await send(encoding, gzipSync("{}"));
      expect([refused.status, refused.headers.get("accept-encoding")]).toEqual([415, "identity"]);
      expect(await refused.json()).toMatchObject({ code: "UNSUPPORTED_MEDIA_TYPE", detail: expect.stringContaining("Content-Encoding") });
    }
    for (const encoding of ["identity", "Identity"]) expect((await send(encoding, "{}")).status).toBe(202);
  });
});

it("a path that is not percent-encoded is a bad request; names that nothing can have are not found", async () => {
  const url = await served(nodeTriggerApi(await made()));
  const statusOf = async (path: string) => {
    const response = await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${ADMIN}` } });
    return [response.status, ((await response.json()) as { code?: string }).code];
  };
  expect(await statusOf("/api/v1/pipelines/%E0%A4%A")).toEqual([400, "INVALID_REQUEST"]);
  expect(await statusOf("/api/v1/runs/%zz")).toEqual([400, "INVALID_REQUEST"]);
  expect(await statusOf("/api/v1/runs/%00")).toEqual([404, "NOT_FOUND"]);
  expect(await statusOf(`/api/v1/runs/${"r".repeat(256)}`)).toEqual([404, "NOT_FOUND"]);
});

it("a body that the host has decoded already is taken although its header says how it was sent", async () => {
  const app = express();
  app.use(express.json({ verify: keepRawBody }));
  app.use(expressTriggerApi(await made()));
  const url = await served(app);
  const response = await fetch(`${url}/api/v1/trigger/manual`, {
    method: "POST",
    body: gzipSync(JSON.stringify({ reason: "packed" })),
    headers: { authorization: `Bearer ${ADMIN}`, "content-type": "application/json", "content-encoding": "gzip" },
  });
  expect([response.status, ((await response.json()) as { reason: string }).reason]).toEqual([202, "packed"]);
});
