import type { FastifyInstance, FastifyPluginAsync } from "fastify";
import { checkOptions } from "../../base/options.js";
import type { TriggerApi } from "./api.js";
import { originForm } from "./http-request.js";
import { guarded } from "./net.js";
import { type HostRequest, nodeTriggerApi } from "./node.js";

/** Options of {@link fastifyTriggerApi}. */
export interface FastifyTriggerApiOptions {
  /** The API that `createTriggerApi` returned. */
  api: TriggerApi;
  /** Where Fastify mounts it. Default: at its root. */
  prefix?: string;
}

/** Options of `register` that are Fastify's own. */
const REGISTERED = { logLevel: true, logSerializers: true };

/**
 * The API as a plugin of Fastify 5, under any prefix. It reads bodies itself, whatever the host's parsers do.
 *
 * @example
 * await app.register(fastifyTriggerApi, { api, prefix: "/scheduler" });
 */
export const fastifyTriggerApi: FastifyPluginAsync<FastifyTriggerApiOptions> = async (app: FastifyInstance, options) => {
  checkOptions<FastifyTriggerApiOptions>(options, { ...REGISTERED, api: true, prefix: true }, "fastifyTriggerApi");
  const { api } = options;
  const answer = nodeTriggerApi(api);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", (_request, _payload, done) => done(null)); // the bytes stay where they are
  const { prefix } = app;
  app.all("/*", { bodyLimit: api.bodyLimit }, async (request, reply) => {
    reply.hijack(); // from here on, nobody answers but this
    await guarded(api.host, reply.raw, "handling a request", () => {
      const raw: HostRequest = request.raw;
      raw.baseUrl = prefix;
      raw.url = originForm(raw.url ?? "/").slice(prefix.length) || "/";
      return answer(raw, reply.raw);
    });
  });
  app.addHook("onClose", async () => api.close());
};
