import type { IncomingMessage, ServerResponse } from "node:http";
import type { TriggerApi } from "../adapters/http/api.js";
import { originForm } from "../adapters/http/http-request.js";
import { nodeTriggerApi } from "../adapters/http/node.js";

export type Listener = (request: IncomingMessage, response: ServerResponse) => unknown;

/** The API under a path, and callbacks of executors under theirs, of which the longest that fits counts. */
export function mounted(api: TriggerApi, prefix: string, callbacks: ReadonlyMap<string, Listener>): Listener {
  const answer = nodeTriggerApi(api);
  const byLength = [...callbacks].toSorted(([one], [other]) => other.length - one.length);
  return (request, response) => {
    const url = originForm(request.url ?? "/");
    for (const [path, listener] of byLength) {
      if (!url.startsWith(`${path}/`)) continue;
      request.url = url.slice(path.length);
      return listener(request, response);
    }
    if (prefix !== "" && !url.startsWith(`${prefix}/`)) return response.writeHead(404, { "content-length": 0 }).end();
    request.url = url.slice(prefix.length);
    return answer(Object.assign(request, { baseUrl: prefix }), response);
  };
}
