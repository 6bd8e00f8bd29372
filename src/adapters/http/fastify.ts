import type { FastifyInstance, FastifyPluginAsync } from "fastify";
import type { TriggerApi } from "./api.js";
import { originForm } from "./asked.js";
import { guarded } from "./net.js";
import { type HostRequest, nodeTriggerApi } from "./node.js";

/**
 * The API as a plugin of Fastify 5, under any prefix. It reads bodies itself, whatever the host's parsers do.
 *
 * @example
 * await app.register(fastifyTriggerApi, { api, prefix: "/scheduler" });
 */
export const fastifyTriggerApi: FastifyPluginAsync<{ api: TriggerApi; prefix?: string }> = async (app: FastifyInstance, { api }) => {
  const answer = nodeTriggerApi(api);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", (_request, _payload, done) => done(null)); // the bytes stay where they are
  const { prefix } = app;
  app.all("/*", { bodyLimit: api.bodyLimit }, async (request, reply) => {
    reply.hijack(); // from here on, nobody answers but this
    await guarded(api.host, reply.raw, "answering a request", () => {
      const raw: HostRequest = request.raw;
      raw.baseUrl = prefix;
      raw.url = originForm(raw.url ?? "/").slice(prefix.length) || "/";
      return answer(raw, reply.raw);
    });
  });
  app.addHook("onClose", async () => api.close());
};
