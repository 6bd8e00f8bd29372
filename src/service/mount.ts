import type { IncomingMessage, ServerResponse } from "node:http";
import type { TriggerApi } from "../adapters/http/api.js";
import { nodeTriggerApi } from "../adapters/http/node.js";

export type Listener = (request: IncomingMessage, response: ServerResponse) => unknown;

/** The API under a path, and by their own paths those who take calls back from whoever carries runs out. */
export function mounted(api: TriggerApi, prefix: string, callbacks: ReadonlyMap<string, Listener>): Listener {
  const answer = nodeTriggerApi(api);
  return (request, response) => {
    const { url = "/" } = request;
    for (const [path, listener] of callbacks) {
      if (!url.startsWith(`${path}/`)) continue;
      request.url = url.slice(path.length);
      return listener(request, response);
    }
    if (prefix !== "" && !url.startsWith(`${prefix}/`)) return response.writeHead(404, { "content-length": 0 }).end();
    request.url = url.slice(prefix.length);
    return answer(Object.assign(request, { baseUrl: prefix }), response);
  };
}
