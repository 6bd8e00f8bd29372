/**
 * A host whose servers are restarted under it: `host.fixture.ts <options as JSON>`. Two schedulers on one PostgreSQL, a BullMQ executor and worker on Redis, the HTTP API, an alert
 * channel. It catches nothing: an error event that nobody listens to, or a rejection that nobody handles, ends it. What it sees goes to the parent by IPC.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { webhookChannel } from "../../src/adapters/alerts/index.js";
import { createTriggerApi, nodeTriggerApi } from "../../src/adapters/http/index.js";
import { bullmqExecutor, createWorker } from "../../src/entry/bullmq.js";
import { storeFromUrl } from "../../src/entry/store-from-url.js";
import { createScheduler, every, pipeline, pipelineRule } from "../../src/index.js";
import type { HostMessage, HostOptions } from "./host.js";

const { postgres, redis, hook, token } = JSON.parse(process.argv[2] ?? "") as HostOptions;
const say = (message: HostMessage) => process.send?.(message);
process.on("warning", ({ name, message }) => say({ kind: "warning", text: `${name}: ${message}` }));
process.on("uncaughtExceptionMonitor", (error, origin) => say({ kind: "uncaught", text: `${origin}: ${error.stack}` }));

const executing = new Set<string>();
const connection = { redis, queue: "restarts" };
const execution = { maxActiveRuns: 20, overlap: "queue", catchup: "all", retries: 50, retryDelay: "50ms", timeout: "60s" } as const;
const pipelines = [
  pipeline({ id: "beat", schedule: every("500ms"), execution, run: ({ clock }) => clock.sleep(20) }),
  pipeline({ id: "here", execution, run: ({ parameters }) => parameters.n }),
  pipeline({
    id: "there",
    execution,
    executor: "bullmq",
    run: async ({ parameters, runId, attempt, clock }) => {
      say({ kind: "began", key: `${runId}-${attempt}`, isOverlap: executing.has(runId) });
      executing.add(runId);
      await clock.sleep(Number(parameters.n) % 100);
      executing.delete(runId);
      return parameters.n;
    },
  }),
];
const schedulers = ["a", "b"].map((node) =>
  createScheduler({
    pipelines,
    store: storeFromUrl(postgres),
    node,
    leaseDuration: "5s",
    logger: { log: () => {} },
    executors: { bullmq: bullmqExecutor({ ...connection, pollInterval: "500ms" }) },
    monitoring: {
      every: "1s",
      rules: [pipelineRule("always", () => ({ message: "so", value: 1, limit: 0 }), { repeatEvery: "1s" })],
      channels: [webhookChannel({ url: hook, allowPrivateNetworks: ["127.0.0.0/8"] })],
    },
  }),
);
const worker = createWorker(pipelines, { ...connection, concurrency: 20, logger: { log: () => {} } });
const [first] = schedulers;
if (first === undefined) throw new Error("there is no scheduler");
for (const one of schedulers) {
  one.on("run.succeeded", ({ run: { pipelineId } }) => say({ kind: "succeeded", pipelineId }));
  one.on("error", ({ error, where }) => say({ kind: "reported", text: `${where.replace(/ [\w-]{26,}/, "")}: ${error.message}` }));
  await one.start();
}
await worker.ready();
const api = createTriggerApi(first, { adminToken: token, addressLimit: null, tokenLimit: null });
const server = createServer(nodeTriggerApi(api)).listen(0, "127.0.0.1", () =>
  say({ kind: "ready", url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }),
);
process.once("message", async () => {
  api.close();
  server.close();
  server.closeAllConnections();
  await worker.close();
  await Promise.all(schedulers.map((one) => one.stop({ drain: "10s" })));
  process.disconnect();
});
