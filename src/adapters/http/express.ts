import type { IncomingMessage, ServerResponse } from "node:http";
import type { TriggerApi } from "./api.js";
import { originForm } from "./http-request.js";
import { guarded } from "./net.js";
import { type HostRequest, nodeTriggerApi } from "./node.js";

/**
 * The API as a middleware of Express 4 and 5, under any path; what is none of the API's goes on to the host. Before or after the host's body parsers: for signed webhooks
 * after a parser, let that keep the bytes by {@link keepRawBody}.
 *
 * @example
 * app.use(express.json({ verify: keepRawBody }));
 * app.use("/scheduler", expressTriggerApi(api));
 */
export function expressTriggerApi(
  api: TriggerApi,
): (request: IncomingMessage, response: ServerResponse, next: (error?: unknown) => void) => void {
  const answer = nodeTriggerApi(api);
  return (request, response, next) => {
    let isOurs = true;
    void guarded(api.host, response, "handling a request", () => {
      const [path = "/"] = originForm(request.url ?? "/").split("?");
      isOurs = api.handles(path);
      return isOurs ? answer(request, response) : undefined;
    });
    if (!isOurs) next();
  };
}

/** For `express.json({ verify: keepRawBody })`: keeps the bytes of a body, by which signatures are checked. */
export function keepRawBody(request: IncomingMessage, _response: ServerResponse, bytes: Buffer): void {
  (request as HostRequest).rawBody = bytes;
}
