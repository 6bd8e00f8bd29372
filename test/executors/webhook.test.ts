import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Webhook } from "standardwebhooks";
import { afterEach, describe, expect, it } from "vitest";
import { webhookExecutor } from "../../src/adapters/executors/webhook/webhook.js";
import { createScheduler, HeadgateError, memoryStore, type Pipeline, pipeline, type Run, type Scheduler } from "../../src/index.js";
import type { ContractWork } from "../../src/testing/index.js";

const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const servers = new Set<Server>();
const schedulers = new Set<Scheduler>();
afterEach(async () => {
  for (const one of schedulers) await one.stop({ drain: 0 });
  for (const one of servers) {
    one.closeAllConnections();
    one.close();
  }
  servers.clear();
  schedulers.clear();
});

async function listening(listener: (request: IncomingMessage, response: ServerResponse) => unknown): Promise<string> {
  const server = createServer((request, response) => void listener(request, response)).listen(0, "127.0.0.1");
  servers.add(server);
  await new Promise((resolve) => server.once("listening", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

interface Asked {
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
  readonly data: { run_id: string; attempt: number; parameters: ContractWork; callback_url?: string; timeout_ms: number };
}

/** A service that carries runs out: it checks signatures, and answers as a function says. */
async function service(answer: (asked: Asked, count: number) => { status: number; body?: unknown } | "drop") {
  const asked: Asked[] = [];
  const url = await listening(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString();
    new Webhook(SECRET).verify(body, request.headers as Record<string, string>);
    const one = { headers: request.headers, body, data: JSON.parse(body).data };
    asked.push(one);
    const said = answer(one, asked.length);
    if (said === "drop") request.socket.destroy();
    else response.writeHead(said.status).end(said.body === undefined ? "" : JSON.stringify(said.body));
  });
  return { url, asked };
}

async function started(url: string, rest: Partial<Parameters<typeof pipeline>[0]> = {}, options: object = {}) {
  let callbacks: ((request: IncomingMessage, response: ServerResponse) => Promise<void>) | undefined;
  const callbackUrl = await listening((request, response) => callbacks?.(request, response));
  const executor = webhookExecutor({ url, secret: SECRET, callbackUrl: `${callbackUrl}/callbacks` });
  const job: Pipeline = pipeline({ id: "job", executor, execution: { retries: 1, retryDelay: "50ms" }, ...rest });
  const scheduler = createScheduler({ pipelines: [job], logger: { log: () => {} }, leaseDuration: "2s", ...options });
  schedulers.add(scheduler);
  callbacks = executor.callbacks(scheduler);
  await scheduler.start();
  const ended = () =>
    new Promise<Run>((resolve) => {
      for (const name of ["run.succeeded", "run.failed", "run.timed_out", "run.cancelled"] as const)
        scheduler.on(name, ({ run }) => resolve(run));
    });
  return { scheduler, ended, callbackUrl };
}
const call = async (url: string, body: unknown, method = "POST") => {
  const response = await fetch(url, {
    method,
    ...(method === "GET" ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  return { status: response.status, ...((await response.json()) as { code?: string }) };
};
const asked = async (list: readonly Asked[], count = 1) => {
  while (list.length < count) await new Promise((resolve) => setTimeout(resolve, 5));
  return list[count - 1] as Asked;
};

describe("a run that is posted", () => {
  it("is signed, and the answer is its result", async () => {
    const { url, asked: seen } = await service(() => ({ status: 200, body: { rows: 12 } }));
    const { scheduler, ended } = await started(url);
    const done = ended();
    await scheduler.trigger("job", { parameters: { day: "2026-03-01" } });
    expect(await done).toMatchObject({ status: "succeeded", output: { rows: 12 }, attempt: 1 });
    expect(seen[0]?.data).toMatchObject({ attempt: 1, parameters: { day: "2026-03-01" }, timeout_ms: expect.any(Number) });
    expect(seen[0]?.headers["webhook-id"]).toBe(`${seen[0]?.data.run_id}-1`);
  });

  it("is posted again under the same id while the service is away, and only then", async () => {
    const { url, asked: seen } = await service((_, count) => (count === 1 ? "drop" : count === 2 ? { status: 503 } : { status: 204 }));
    const { scheduler, ended } = await started(url);
    const done = ended();
    await scheduler.trigger("job");
    expect(await done).toMatchObject({ status: "succeeded", output: null, attempt: 1 });
    expect(new Set(seen.map(({ headers }) => headers["webhook-id"])).size).toBe(1);
    expect(seen.length).toBe(3);
  });

  it("that the service refuses is not tried again", async () => {
    const { url, asked: seen } = await service(() => ({ status: 422, body: { detail: "no such day" } }));
    const { scheduler, ended } = await started(url);
    const done = ended();
    await scheduler.trigger("job");
    expect(await done).toMatchObject({
      status: "failed",
      attempt: 1,
      error: { message: 'the service responded with 422: {"detail":"no such day"}' },
    });
    expect(seen.length).toBe(1);
  });
});

describe("a run whose service calls back", () => {
  it("tells progress, then its end, once, by an address that nobody can guess", async () => {
    const { url, asked: seen } = await service(() => ({ status: 202 }));
    const { scheduler, ended, callbackUrl } = await started(url);
    const done = ended();
    await scheduler.trigger("job");
    const { callback_url: back = "", run_id } = (await asked(seen)).data;
    expect(back).toMatch(new RegExp(`^${callbackUrl}/callbacks/${run_id}/1/[\\w-]{43}$`));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await call(back, { status: "running", progress: { percent: 50 } })).toMatchObject({ status: "ok" });
    for (const wrong of [
      `${back.slice(0, -1)}x`,
      back.replace("/1/", "/2/"),
      `${callbackUrl}/callbacks/x/1/${"a".repeat(43)}`,
      callbackUrl,
    ])
      expect(await call(wrong, { status: "succeeded" })).toMatchObject({ code: "UNAUTHENTICATED" });
    for (const [body, code] of [
      ["{broken", "INVALID_REQUEST"],
      [{ status: "finished" }, "INVALID_REQUEST"],
      [{ status: "succeeded", colour: 1 }, "INVALID_REQUEST"],
      ["x".repeat(2_000_000), "INVALID_REQUEST"],
    ] as const)
      expect(await call(back, body)).toMatchObject({ code });
    const unquoted = "the body is not JSON: expected a value at line 1, column 11";
    expect(await call(back, '{"output":hunter2}')).toMatchObject({ detail: unquoted });
    expect(await call(back, null, "GET")).toMatchObject({ code: "METHOD_NOT_ALLOWED" });
    expect(await call(back, { status: "succeeded", output: { rows: 7 } })).toMatchObject({ status: "ok" });
    expect(await done).toMatchObject({ status: "succeeded", output: { rows: 7 }, progress: { percent: 50 } });
    expect(await call(back, { status: "failed", error: { message: "too late" } })).toMatchObject({ code: "ALREADY_FINISHED" });
  });

  it("may fail, and is then tried again under another address, unless it says that is not worth it", async () => {
    const { url, asked: seen } = await service(() => ({ status: 202 }));
    const { scheduler, ended } = await started(url);
    const done = ended();
    await scheduler.trigger("job");
    const first = (await asked(seen)).data.callback_url ?? "";
    await call(first, { status: "failed", error: { message: "the source is late", code: "LATE" } });
    const second = (await asked(seen, 2)).data.callback_url ?? "";
    expect(second).not.toBe(first);
    expect(await call(first, { status: "succeeded" })).toMatchObject({ code: "ALREADY_FINISHED" });
    await call(second, { status: "failed", error: { message: "no such day" }, retryable: false });
    expect(await done).toMatchObject({ status: "failed", attempt: 2, error: { message: "no such day" } });
  });

  it("may call any node: what it tells another one counts, and the one that watched lets go", async () => {
    const store = memoryStore();
    const { url, asked: seen } = await service(() => ({ status: 202 }));
    const first = await started(url, {}, { store, node: "n1" });
    const second = await started(url, {}, { store, node: "n2" });
    const told: string[] = [];
    first.scheduler.on("run.late_result", () => told.push("late"));
    const started_ = new Promise<Run>((resolve) => {
      first.scheduler.once("run.started", ({ run }) => resolve(run));
      second.scheduler.once("run.started", ({ run }) => resolve(run));
    });
    await first.scheduler.trigger("job");
    const { node } = await started_;
    const other = node === "n1" ? second : first;
    const watching = node === "n1" ? first : second;
    const done = other.ended();
    const back = (await asked(seen)).data.callback_url ?? "";
    await new Promise((resolve) => setTimeout(resolve, 50));
    const path = new URL(back).pathname;
    expect(await call(`${other.callbackUrl}${path}`, { status: "succeeded", output: 1 })).toMatchObject({ status: "ok" });
    expect(await done).toMatchObject({ status: "succeeded", output: 1 });
    while (watching.scheduler.status().activeRuns > 0) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(told).toEqual([]);
  });

  it("is waited for by whoever starts next", async () => {
    const store = memoryStore();
    const { url, asked: seen } = await service(() => ({ status: 202 }));
    const first = await started(url, {}, { store, node: "n1" });
    await first.scheduler.trigger("job");
    const back = (await asked(seen)).data.callback_url ?? "";
    await new Promise((resolve) => setTimeout(resolve, 100));
    await first.scheduler.stop();
    const second = await started(url, {}, { store, node: "n2" });
    const done = second.ended();
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(await call(`${second.callbackUrl}${new URL(back).pathname}`, { status: "succeeded", output: 2 })).toMatchObject({
      status: "ok",
    });
    expect(await done).toMatchObject({ status: "succeeded", output: 2, attempt: 1 });
    expect(seen.length).toBe(1);
  });

  it("times out when nobody calls", async () => {
    const { url } = await service(() => ({ status: 202 }));
    const { scheduler, ended } = await started(url, { execution: { retries: 0, timeout: "200ms" } });
    const done = ended();
    await scheduler.trigger("job");
    expect(await done).toMatchObject({ status: "timed_out" });
  });
});

it("the webhook executor says what is wrong with its options", () => {
  expect(() => webhookExecutor({ url: "file:///x", secret: SECRET })).toThrow(HeadgateError);
  expect(() => webhookExecutor({ url: "http://x", secret: "short" })).toThrow(/16 characters/);
  expect(() => webhookExecutor({ url: "http://x", secret: SECRET, callbackUrl: "nowhere" })).toThrow(/callbackUrl/);
});
