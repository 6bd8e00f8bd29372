/** POST trigger/manual beside a bare JSON echo route of the same framework with the same check of a token, 50 connections. */
import { createHash, timingSafeEqual } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getRequestListener } from "@hono/node-server";
import autocannon from "autocannon";
import express from "express";
import fastify from "fastify";
import { createScheduler, memoryStore, pipeline, type Store } from "headgate";
import { expressTriggerApi } from "headgate/express";
import { fastifyTriggerApi } from "headgate/fastify";
import { createTriggerApi, nodeTriggerApi } from "headgate/http";
import { sqliteStore } from "headgate/sqlite";
import { Hono } from "hono";
import { median, row } from "../support.js";

const TOKEN = "a-token-for-the-benchmark-only";
const digest = (text: string) => createHash("sha256").update(text).digest();
const expected = digest(TOKEN);
const isGood = (header = "") => timingSafeEqual(digest(header.slice(7)), expected);
const BODY = JSON.stringify({ reason: "benchmark", user: "bench", parameters: { dataset: "phones" } });
const ROUNDS = 3;
const SECONDS = 4;

interface Served {
  readonly port: number;
  close(): Promise<unknown>;
}

async function listen(listener: Parameters<typeof createServer>[1]): Promise<Served> {
  const server = createServer(listener as never).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  return {
    port: (server.address() as { port: number }).port,
    close: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

const ECHO = {
  node: () => {
    const app = new Hono();
    app.post("/echo", async (context) => {
      if (!isGood(context.req.header("authorization"))) return context.json({}, 401);
      return context.json(await context.req.json());
    });
    return listen(getRequestListener(app.fetch));
  },
  Express: () => {
    const app = express();
    app.post("/echo", express.json(), (request, response) => {
      if (!isGood(request.headers.authorization)) return void response.status(401).json({});
      response.json(request.body);
    });
    return listen(app);
  },
  Fastify: async () => {
    const app = fastify();
    app.post("/echo", async (request, reply) => (isGood(request.headers.authorization) ? request.body : reply.status(401).send({})));
    await app.listen({ port: 0, host: "127.0.0.1" });
    return { port: (app.addresses()[0] as { port: number }).port, close: () => app.close() };
  },
} as const;

async function headgate(host: keyof typeof ECHO, store: Store): Promise<Served> {
  const job = pipeline({ id: "job", execution: { maxActiveRuns: 10_000 }, run: () => {} });
  const scheduler = createScheduler({ pipelines: [job], store, logger: { log: () => {} } });
  await scheduler.start();
  await scheduler.pause();
  const api = createTriggerApi(scheduler, {
    adminToken: TOKEN,
    tokenLimit: { requests: 1e9, per: "1m" },
    addressLimit: { requests: 1e9, per: "1m" },
    queueLimits: { total: { count: 1e9 }, pipeline: { count: 1e9 }, token: { count: 1e9 } },
  });
  const stop = () => scheduler.stop({ drain: 0 });
  if (host === "Fastify") {
    const app = fastify();
    await app.register(fastifyTriggerApi, { api });
    await app.listen({ port: 0, host: "127.0.0.1" });
    return { port: (app.addresses()[0] as { port: number }).port, close: () => app.close().then(stop) };
  }
  const app = express();
  app.use(expressTriggerApi(api));
  const served = await listen(host === "Express" ? app : nodeTriggerApi(api));
  return { port: served.port, close: () => served.close().then(stop) };
}

async function load({ port }: Served, path: string): Promise<{ rate: number; p99: number }> {
  const fire = (duration: number) =>
    autocannon({
      url: `http://127.0.0.1:${port}${path}`,
      method: "POST",
      headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" },
      body: BODY,
      connections: 50,
      duration,
      workers: 1, // the load comes from a thread of its own
    });
  await fire(2);
  const results = [];
  for (let round = 0; round < ROUNDS; round++) results.push(await fire(SECONDS));
  const failed = results.find((one) => one.non2xx > 0 || one.errors > 0);
  if (failed !== undefined) throw new Error(`${path}: ${failed.non2xx} answers were not 2xx, ${failed.errors} errors`);
  return { rate: median(results.map(({ requests }) => requests.average)), p99: median(results.map(({ latency }) => latency.p99)) };
}

console.log("HTTP, 50 connections, POST /api/v1/trigger/manual, requests per second");
for (const host of ["node", "Express", "Fastify"] as const) {
  const bare = await ECHO[host]();
  const echo = await load(bare, "/echo");
  await bare.close();
  row(`bare JSON echo with a token: ${host}`, Math.round(echo.rate).toLocaleString("en"), `p99 ${echo.p99} ms`);
  const served = await headgate(host, memoryStore());
  const { rate, p99 } = await load(served, "/api/v1/trigger/manual");
  await served.close();
  row(
    `headgate on memory: ${host}`,
    Math.round(rate).toLocaleString("en"),
    `${((rate / echo.rate) * 100).toFixed(0)} % of the echo, target 60; p99 ${p99} ms, target 25`,
  );
}
const folder = mkdtempSync(join(tmpdir(), "headgate-bench-"));
const durable = await headgate("node", sqliteStore({ file: join(folder, "bench.db") }));
const { rate, p99 } = await load(durable, "/api/v1/trigger/manual");
row("headgate on SQLite: node", Math.round(rate).toLocaleString("en"), `p99 ${p99} ms`);
await durable.close();
rmSync(folder, { recursive: true });
process.exit(0);
