import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { createTriggerApi, limitServer, nodeTriggerApi, type ServerLimits, type TriggerApiOptions } from "../../src/adapters/http/index.js";
import { pipeline } from "../../src/index.js";
import { type Harness, harness } from "../support/harness.js";
import { rawRequest } from "../support/raw-request.js";
import { ADMIN, sales } from "../support/service.js";

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function made(limits: ServerLimits = {}, options: TriggerApiOptions = {}): Promise<Harness & { url: string; server: Server }> {
  const inner = await harness([sales(), pipeline({ id: "large", run: () => "done" })]);
  const api = createTriggerApi(inner.scheduler, { adminToken: ADMIN, defaultPipeline: "sales", ...options });
  const server = limitServer(createServer({ connectionsCheckingInterval: 20 }, nodeTriggerApi(api)), limits).listen(0, "127.0.0.1");
  await once(server, "listening");
  closers.push(async () => {
    server.closeAllConnections();
    server.close();
    await inner.scheduler.stop({ drain: 0 });
  });
  return { ...inner, server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

function open(url: string): Socket {
  const { port, hostname } = new URL(url);
  const socket = connect(Number(port), hostname).on("error", () => {});
  closers.push(async () => socket.destroy());
  return socket;
}

describe("a connection whose body nobody wants is closed soon, after its answer", () => {
  it.each([
    ["401", {}, "Authorization: Bearer wrong-wrong-wrong\r\n", /^HTTP\/1.1 401/],
    ["403", {}, "Authorization: Bearer the-token-of-a-viewer\r\n", /^HTTP\/1.1 403/],
    ["413", { bodyLimit: 10 }, `Authorization: Bearer ${ADMIN}\r\n`, /^HTTP\/1.1 413/],
    ["429", { addressLimit: { requests: 1, per: "1m" } }, `Authorization: Bearer ${ADMIN}\r\n`, /^HTTP\/1.1 429/],
    ["404", {}, "X-Path: /nothing\r\n", /^HTTP\/1.1 404/],
  ] as const)("%s", async (status, options, header, expected) => {
    const tokens = [{ id: "viewer", role: "viewer", token: "the-token-of-a-viewer", pipelines: null }] as const;
    const { url, clock } = await made({}, { tokens, ...options });
    if (status === "429") await fetch(`${url}/api/v1/info`);
    const path = status === "404" ? "/nothing" : "/api/v1/trigger/manual";
    const socket = open(url);
    let answer = "";
    socket.on("data", (chunk) => {
      answer += chunk.toString();
    });
    socket.write(`POST ${path} HTTP/1.1\r\nHost: x\r\n${header}Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"reason":"`);
    await once(socket, "data");
    expect(answer).toMatch(expected);
    expect(answer.toLowerCase()).toContain("connection: close");
    socket.write("x".repeat(50)); // goes on and on
    const closed = once(socket, "close");
    const look = async () => {
      await clock.advance("500ms");
      if (!socket.destroyed) setImmediate(() => void look());
    };
    void look();
    await closed;
    expect(answer.split("\r\n\r\n")[1]).toContain('"request_id"');
  });

  it("a client that sends its whole body gets the refusal too", async () => {
    const { url } = await made();
    for (let turn = 0; turn < 20; turn++) {
      const response = await fetch(`${url}/api/v1/trigger/manual`, {
        method: "POST",
        body: JSON.stringify({ reason: "x".repeat(700_000) }),
        headers: { authorization: "Bearer wrong-wrong-wrong", "content-type": "application/json" },
      });
      expect(response.status).toBe(401);
      expect(await response.json()).toMatchObject({ code: "UNAUTHENTICATED" });
    }
  });
});

describe("limitServer", () => {
  it("closes a connection whose head does not come, and one whose body does not", async () => {
    const { url } = await made({ headersTimeoutMs: 50, requestTimeoutMs: 100 });
    expect(await rawRequest(url, "GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: ")).toMatch(/^HTTP\/1.1 408/);
    const head = `POST /api/v1/trigger/manual HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ADMIN}\r\nContent-Type: application/json\r\n`;
    expect(await rawRequest(url, `${head}Content-Length: 100\r\n\r\n{"rea`)).toMatch(/^HTTP\/1.1 408/);
  });

  it("closes connections without a request, and those with too many", async () => {
    const { url } = await made({ keepAliveTimeoutMs: 50, maxRequestsPerConnection: 2 });
    const one = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
    expect(await rawRequest(url, one)).toMatch(/^HTTP\/1.1 200/); // ends because the connection does
    const answer = await rawRequest(url, one.repeat(3));
    expect(answer.match(/HTTP\/1.1 200/g)).toHaveLength(2);
    expect(answer.toLowerCase()).toContain("connection: close");
  });

  it("one address cannot take all connections; others are closed at once beyond the limit", async () => {
    const { url, server } = await made({ maxConnections: 20, maxConnectionsPerAddress: 5 });
    const sockets = Array.from({ length: 12 }, () => open(url));
    await Promise.all(sockets.slice(5).map((socket) => once(socket, "close")));
    expect(await new Promise((resolve) => server.getConnections((_, count) => resolve(count)))).toBe(5);
    sockets[0]?.destroy();
    await once(sockets[0] as Socket, "close");
    let status = 0;
    for (let turn = 0; status !== 200 && turn < 100; turn++) status = (await fetch(`${url}/health`).catch(() => ({ status: 0 }))).status;
    expect(status).toBe(200);
  });

  it.each([
    [{ maxConnections: 0 }, /maxConnections: must be an integer ≥ 1 \(got 0\)/],
    [{ maxConnectionsPerAddress: 1.5 }, /maxConnectionsPerAddress/],
    [{ headersTimeoutMs: Number.NaN }, /headersTimeoutMs/],
    [{ headersTimeoutMs: 2, requestTimeoutMs: 1 }, /must not exceed/],
  ])("refuses %j", (limits, message) => expect(() => limitServer(createServer(), limits)).toThrow(message));
});

describe("answers that are not read", () => {
  const turn = () => new Promise((resolve) => setImmediate(resolve));

  /** Asks eight times on each of some connections, and reads nothing. */
  async function askAndNotRead({ url, scheduler }: Awaited<ReturnType<typeof made>>, sockets: number): Promise<void> {
    await scheduler.pause();
    const { id } = await scheduler.trigger("large", { parameters: { blob: "x".repeat(990_000) } });
    const request = `GET /api/v1/trigger/status/${id} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ADMIN}\r\n\r\n`;
    for (let index = 0; index < sockets; index++) open(url).pause().write(request.repeat(8));
  }

  it("are given up after a minute, so that they do not hold memory for ever", async () => {
    const one = await made();
    const { url, clock, server } = one;
    const count = () => new Promise<number>((resolve) => server.getConnections((_, found) => resolve(found)));
    await askAndNotRead(one, 12);
    while ((await fetch(`${url}/health`)).status !== 200 || (await count()) < 12) await turn();
    for (let seconds = 0; (await count()) > 1 && seconds < 5_000; seconds++) {
      await clock.advance("1s");
      await turn();
    }
    expect(await count()).toBeLessThanOrEqual(1); // that of fetch
  });

  it("are given up at once beyond 64 MiB, the oldest first", { timeout: 60_000 }, async () => {
    const one = await made({}, { tokenLimit: null, addressLimit: null });
    const { url, server } = one;
    let closed = 0;
    server.on("connection", (socket) => socket.once("close", () => closed++));
    await askAndNotRead(one, 150);
    while (closed < 30) await turn();
    expect((await fetch(`${url}/health`)).status).toBe(200);
  });
});
