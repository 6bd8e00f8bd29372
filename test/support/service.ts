import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { createTriggerApi, nodeTriggerApi, type TriggerApi, type TriggerApiOptions } from "../../src/adapters/http/index.js";
import { every, type Pipeline, pipeline, type SchedulerOptions } from "../../src/index.js";
import { type Harness, harness } from "./harness.js";

export const ADMIN = "an-admin-token-for-tests-only";

/** A real server, and a scheduler on a fake clock behind it. */
export interface Service extends Harness {
  readonly api: TriggerApi;
  readonly url: string;
  /** Asks as the admin unless headers say otherwise. */
  ask(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Reply>;
  close(): Promise<void>;
}

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: what a server answers is looked at field by field
  readonly json: any;
}

export const sales = () => pipeline({ id: "sales", schedule: every("1h"), run: () => "done" });

export async function listen(listener: RequestListener): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

export async function askAt(
  url: string,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Reply> {
  const isRaw = typeof body === "string" || body instanceof Uint8Array;
  const response = await fetch(`${url}${path}`, {
    method,
    headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), authorization: `Bearer ${ADMIN}`, ...headers },
    ...(body === undefined ? {} : { body: isRaw ? (body as string) : JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, json: text === "" ? null : JSON.parse(text) };
}

export async function service(
  pipelines: readonly Pipeline[] = [sales()],
  options: TriggerApiOptions = {},
  schedulerOptions: SchedulerOptions = {},
): Promise<Service> {
  const inner = await harness(pipelines, schedulerOptions);
  const api = createTriggerApi(inner.scheduler, { adminToken: ADMIN, ...options });
  const { url, close } = await listen(nodeTriggerApi(api));
  return {
    ...inner,
    api,
    url,
    ask: (method, path, body, headers) => askAt(url, method, path, body, headers),
    close: async () => {
      await close();
      await inner.scheduler.stop({ drain: 0 });
    },
  };
}
