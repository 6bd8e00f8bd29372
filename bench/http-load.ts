import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import autocannon from "autocannon";
import type { Scheduler } from "headgate";
import { createTriggerApi } from "headgate/http";

export const TOKEN = "a-token-for-the-benchmark-only";

export interface Served {
  readonly port: number;
  close(): Promise<unknown>;
}

/** The API without limits on who calls it how often. */
export function openApi(scheduler: Scheduler) {
  const most = { requests: 1e9, per: "1m" } as const;
  const count = { count: 1e9 };
  const queueLimits = { total: count, pipeline: count, token: count };
  return createTriggerApi(scheduler, { adminToken: TOKEN, tokenLimit: most, addressLimit: most, queueLimits });
}

export async function listen(listener: Parameters<typeof createServer>[1]): Promise<Served> {
  const server = createServer(listener as never).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** What is asked for, how often. */
export interface LoadOptions {
  readonly path: string;
  readonly seconds: number;
  readonly connections: number;
  /** Default: GET. */
  readonly body?: string;
  /** Requests a second; default as many as are answered. */
  readonly rate?: number;
}

/** Asks from a thread of its own. Fails unless every answer is a 2xx: one that is refused costs less than one that is right. */
export async function load({ port }: Served, options: LoadOptions): Promise<{ readonly rate: number; readonly p99: number }> {
  const { path, seconds, connections, body, rate } = options;
  const { non2xx, errors, requests, latency } = await autocannon({
    url: `http://127.0.0.1:${port}${path}`,
    headers: { authorization: `Bearer ${TOKEN}`, ...(body === undefined ? {} : { "content-type": "application/json" }) },
    ...(body === undefined ? {} : { method: "POST", body }),
    ...(rate === undefined ? {} : { overallRate: rate }),
    connections,
    duration: seconds,
    workers: 1,
  });
  if (non2xx > 0 || errors > 0 || requests.total === 0)
    throw new Error(`${path}: ${non2xx} answers were not 2xx, ${errors} errors, ${requests.total} requests`);
  return { rate: requests.average, p99: latency.p99 };
}
