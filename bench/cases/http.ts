/** POST trigger/manual beside a bare JSON echo route of the same framework with the same check of a token, 50 connections. */
import { createHash, timingSafeEqual } from "node:crypto";
import { getRequestListener } from "@hono/node-server";
import express from "express";
import fastify, { type FastifyInstance } from "fastify";
import { createScheduler, pipeline } from "headgate";
import { expressTriggerApi } from "headgate/express";
import { fastifyTriggerApi } from "headgate/fastify";
import { nodeTriggerApi } from "headgate/http";
import { Hono } from "hono";
import { listen, load, openApi, type Served, TOKEN } from "../http-load.js";
import type { MakeCase, Participant, Target } from "../model.js";
import { type StoreKind, storeKinds } from "../stores.js";
import { SILENT } from "../support.js";

const CONNECTIONS = 50;
const BODY = JSON.stringify({ reason: "benchmark", user: "bench", parameters: { dataset: "phones" } });
const TARGETS: Readonly<Record<string, Target>> = { rate: { ratio: 0.6 }, p99: { value: 25 } };

const digest = (text: string) => createHash("sha256").update(text).digest();
const expected = digest(TOKEN);
const isGood = (header = "") => timingSafeEqual(digest(header.slice(7)), expected);

async function listenFastify(app: FastifyInstance): Promise<Served> {
  await app.listen({ port: 0, host: "127.0.0.1" });
  return { port: (app.addresses()[0] as { port: number }).port, close: () => app.close() };
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
  Fastify: () => {
    const app = fastify();
    app.post("/echo", async (request, reply) => (isGood(request.headers.authorization) ? request.body : reply.status(401).send({})));
    return listenFastify(app);
  },
} as const;
type Host = keyof typeof ECHO;

async function serve(host: Host, api: ReturnType<typeof openApi>): Promise<Served> {
  if (host === "Fastify") {
    const app = fastify();
    await app.register(fastifyTriggerApi, { api });
    return listenFastify(app);
  }
  return listen(host === "Express" ? express().use(expressTriggerApi(api)) : nodeTriggerApi(api));
}

function headgate(host: Host, { name, make }: StoreKind, measure: (served: Served, path: string) => ReturnType<typeof load>): Participant {
  return {
    name: `headgate on ${name}`,
    group: host,
    ...(name === "memory" ? { targets: TARGETS } : {}),
    turn: async () => {
      const place = make();
      const job = pipeline({ id: "job", execution: { maxActiveRuns: 10_000 }, run: () => {} });
      const scheduler = createScheduler({ pipelines: [job], store: place.open(), logger: SILENT });
      await scheduler.start();
      await scheduler.pause();
      const served = await serve(host, openApi(scheduler));
      const figures = await measure(served, "/api/v1/trigger/manual");
      await served.close();
      await scheduler.stop({ drain: 0 });
      await place.remove();
      return figures;
    },
  };
}

const makeCase: MakeCase = (options) => {
  const measure = async (served: Served, path: string) => {
    const shared = { path, body: BODY, connections: CONNECTIONS };
    await load(served, { ...shared, seconds: 1 });
    return load(served, { ...shared, seconds: options.isShort ? 1 : 4 });
  };
  const echo = (host: Host): Participant => ({
    name: "a bare echo",
    group: host,
    isReference: true,
    turn: async () => {
      const served = await ECHO[host]();
      const figures = await measure(served, "/echo");
      await served.close();
      return figures;
    },
  });
  const hosts = Object.keys(ECHO) as Host[];
  const kinds = storeKinds(options);
  return {
    title: `POST /api/v1/trigger/manual, ${CONNECTIONS} connections`,
    measures: [
      { name: "rate", unit: "requests per s", better: "higher" },
      { name: "p99", unit: "ms", better: "lower" },
    ],
    participants: hosts.flatMap((host) => [
      echo(host),
      ...kinds.filter(({ name }) => name === "memory" || host === "node").map((kind) => headgate(host, kind, measure)),
    ]),
    rounds: options.isShort ? 1 : 3,
  };
};
export default makeCase;
