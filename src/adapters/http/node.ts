import type { IncomingMessage, ServerResponse } from "node:http";
import { getRequestListener } from "@hono/node-server";
import type { Connection, TriggerApi } from "./api.js";

/** A request that a host may have had its hands on. */
export interface HostRequest extends IncomingMessage {
  /** The bytes of the body, if the host keeps them. */
  rawBody?: unknown;
  /** The body as the host's own parser made it. */
  body?: unknown;
  /** Where the host has mounted what answers now. */
  baseUrl?: string;
}

/**
 * The API as a listener of `node:http` and `node:https` servers.
 *
 * @example
 * createServer(nodeTriggerApi(api)).listen(5000);
 */
export function nodeTriggerApi(api: TriggerApi): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  const listener = getRequestListener((request, { incoming }) => api.fetch(request, connectionOf(incoming as HostRequest)), {
    overrideGlobalObjects: false,
  });
  return async (request, response) => {
    const host: HostRequest = request;
    if (host.rawBody === undefined && host.readableEnded && host.body !== undefined) restore(host);
    await listener(request, response);
  };
}

const parsed = new WeakSet<HostRequest>();

/** A body that was read and parsed before is written again; it is as good as the original for everything but a signature. */
function restore(request: HostRequest): void {
  parsed.add(request);
  const { body } = request;
  request.rawBody = Buffer.isBuffer(body) ? body : Buffer.from(typeof body === "string" ? body : JSON.stringify(body));
}

function connectionOf(request: HostRequest): Connection {
  return { address: request.socket.remoteAddress, prefix: request.baseUrl ?? "", isParsed: parsed.has(request) };
}
