import type { createServer, IncomingMessage, ServerResponse } from "node:http";
import { connect } from "node:net";
import express from "express";
import express4 from "express4";
import fastify from "fastify";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { expressTriggerApi } from "../../src/adapters/http/express.js";
import { fastifyTriggerApi } from "../../src/adapters/http/fastify.js";
import { createTriggerApi, nodeTriggerApi, type TriggerApi, type TriggerApiOptions } from "../../src/adapters/http/index.js";
import { mounted } from "../../src/service/mount.js";
import { type Harness, harness } from "../support/harness.js";
import { ADMIN, listen, sales } from "../support/service.js";

const closers: (() => Promise<unknown>)[] = [];
const escaped: unknown[] = [];
const note = (error: unknown) => void escaped.push(error);

beforeEach(() => {
  process.on("unhandledRejection", note).on("uncaughtException", note);
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  await new Promise((resolve) => setImmediate(resolve));
  process.off("unhandledRejection", note).off("uncaughtException", note);
  expect(escaped.splice(0)).toEqual([]);
});

/** Prepares a request before the API sees it, as a host's own middleware does. */
type Before = (request: IncomingMessage, response: ServerResponse) => void;
const NOTHING: Before = () => {};

const HOSTS: readonly (readonly [string, (api: TriggerApi, before?: Before) => Promise<string>])[] = [
  [
    "node:http",
    async (api, before = NOTHING) => {
      const answer = nodeTriggerApi(api);
      return served((request, response) => {
        before(request, response);
        void answer(request, response);
      });
    },
  ],
  [
    "headgate serve",
    async (api, before = NOTHING) => {
      const answer = mounted(api, "", new Map());
      return served((request, response) => {
        before(request, response);
        void answer(request, response);
      });
    },
  ],
  ...([express, express4] as const).map(
    (make, index) =>
      [
        index === 0 ? "Express 5" : "Express 4",
        async (api: TriggerApi, before: Before = NOTHING) => {
          const app = make();
          app.use((request, response, next) => {
            before(request, response);
            next();
          });
          app.use(expressTriggerApi(api));
          return served(app as never);
        },
      ] as const,
  ),
  [
    "Fastify 5",
    async (api, before = NOTHING) => {
      const app = fastify();
      app.addHook("onRequest", async (request, reply) => before(request.raw, reply.raw));
      await app.register(fastifyTriggerApi, { api });
      await app.listen({ port: 0, host: "127.0.0.1" });
      closers.push(() => app.close());
      return app.listeningOrigin;
    },
  ],
];

async function served(listener: Parameters<typeof createServer>[1]): Promise<string> {
  const { url, close } = await listen(listener as never);
  closers.push(close);
  return url;
}

async function made(options: TriggerApiOptions = {}): Promise<Harness & { api: TriggerApi }> {
  const inner = await harness([sales()]);
  closers.push(() => inner.scheduler.stop({ drain: 0 }));
  return { ...inner, api: createTriggerApi(inner.scheduler, { adminToken: ADMIN, ...options }) };
}

/** The same API, one method of which goes wrong. */
function broken(api: TriggerApi, parts: Partial<Record<keyof TriggerApi, unknown>>): TriggerApi {
  return new Proxy(api, {
    get: (target, name) => {
      if (Object.hasOwn(parts, name)) return parts[name as keyof TriggerApi];
      const value = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

const ask = (url: string, path = "/api/v1/info", headers: Record<string, string> = {}) =>
  fetch(`${url}${path}`, { headers: { authorization: `Bearer ${ADMIN}`, ...headers } });

async function expectFailed(response: Response): Promise<void> {
  expect(response.status).toBe(500);
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  const text = await response.text();
  expect(JSON.parse(text)).toMatchObject({ status: 500, code: "INTERNAL", request_id: response.headers.get("x-request-id") });
  expect(text).not.toContain("planted");
}

describe.each(HOSTS)("no error in the API can end the process on %s", (_, serve) => {
  it.each([
    [
      "throws",
      () => {
        throw new Error("planted");
      },
    ],
    ["rejects", () => Promise.reject(new Error("planted"))],
    ["answers with headers that cannot be sent", async () => ({ status: 200, headers: { "x-bad": "a\nplanted" }, body: "", stream: null })],
    ["answers with a status that there is not", async () => ({ status: 9_999, headers: {}, body: "planted", stream: null })],
    ["answers with nothing", async () => undefined],
  ])("an answer that %s is a 500, is reported, and the next one is right", async (__, answer) => {
    const { api, heard } = await made();
    let isBroken = true;
    const url = await serve(
      broken(api, { answer: (...call: Parameters<TriggerApi["answer"]>) => (isBroken ? answer() : api.answer(...call)) }),
    );
    await expectFailed(await ask(url));
    expect(heard("error")).toHaveLength(1);
    isBroken = false;
    expect((await ask(url)).status).toBe(200);
  });

  it("a property of the host's request that throws is a 500", async () => {
    const { api, heard } = await made();
    const url = await serve(api, (request) => {
      Object.defineProperty(request, "rawBody", {
        get: () => {
          throw new Error("planted");
        },
      });
    });
    await expectFailed(await ask(url));
    expect(heard("error")).toHaveLength(1);
  });

  it("metrics that are no text, or of a type that is no header, are a 500", async () => {
    const bad: { contentType: string; metrics: () => Promise<string> } = {
      contentType: "text/plain",
      metrics: async () => JSON.parse("7"),
    };
    const { api, heard } = await made({ metrics: bad });
    const url = await serve(api);
    await expectFailed(await ask(url, "/metrics"));
    bad.metrics = async () => "a 1\n";
    bad.contentType = "text/plain\n";
    await expectFailed(await ask(url, "/metrics"));
    bad.contentType = "text/plain";
    expect(await (await ask(url, "/metrics")).text()).toBe("a 1\n");
    expect(heard("error")).toHaveLength(2);
  });

  it("an error after the head was sent closes the connection", async () => {
    const { api, heard } = await made();
    const stream = () =>
      new ReadableStream<Uint8Array>({
        start: (controller) => controller.enqueue(new TextEncoder().encode("first\n")),
        pull: () => new Promise((__, reject) => setImmediate(() => reject(new Error("planted")))),
      });
    const url = await serve(broken(api, { answer: async () => ({ status: 200, headers: {}, body: null, stream: stream() }) }));
    const response = await ask(url);
    expect(response.status).toBe(200);
    await expect(response.text()).rejects.toThrow();
    expect(heard("error")).toHaveLength(1);
  });

  it("a socket that dies while its request is read or answered harms nothing", async () => {
    const { api } = await made();
    let release = () => {};
    const waiting = new Promise<void>((resolve) => {
      release = resolve;
    });
    const asked: string[] = [];
    const url = await serve(
      broken(api, {
        answer: async (...[request, connection]: Parameters<TriggerApi["answer"]>) => {
          asked.push(request.url);
          if (request.url.startsWith("/api/v1/info")) await waiting;
          return api.answer(request, connection);
        },
      }),
    );
    const { port, hostname } = new URL(url);
    const die = (text: string) =>
      new Promise<void>((resolve) => {
        const socket = connect(Number(port), hostname, () => socket.write(text));
        const look = () => (asked.length > 0 ? socket.destroy() : setImmediate(look));
        socket.once("close", () => resolve()).once("error", () => {});
        look();
      });
    const head = `Host: x\r\nAuthorization: Bearer ${ADMIN}\r\nContent-Type: application/json\r\n`;
    await die(`POST /api/v1/trigger/manual HTTP/1.1\r\n${head}Content-Length: 100\r\n\r\n{"rea`);
    asked.length = 0;
    await die(`GET /api/v1/info HTTP/1.1\r\n${head}\r\n`);
    release();
    expect((await ask(url)).status).toBe(200);
  });
});

describe("fetch", () => {
  it("answers 500 to a request that throws", async () => {
    const { api, heard } = await made();
    const request = new Request("http://x/api/v1/info");
    Object.defineProperty(request, "headers", {
      get: () => {
        throw new Error("planted");
      },
    });
    await expectFailed(await api.fetch(request));
    expect(heard("error")).toHaveLength(1);
  });
});

it("a logger that throws does not turn a 500 into the end of the process", async () => {
  const { scheduler } = await harness([sales()], {
    logger: {
      log: (level) => {
        if (level === "error") throw new Error("the disk is full");
      },
    },
  });
  closers.push(() => scheduler.stop({ drain: 0 }));
  const metrics = { contentType: "text/plain", metrics: () => Promise.reject(new Error("planted")) };
  const api = createTriggerApi(scheduler, { adminToken: ADMIN, metrics });
  const url = await served(nodeTriggerApi(api));
  await expectFailed(await ask(url, "/metrics"));
});
