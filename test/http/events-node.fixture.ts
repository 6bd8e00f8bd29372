/** One service of the event tests: `events-node.fixture.ts <store url or memory> <name> <fake|real>`. Takes commands from its parent. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createTriggerApi, nodeTriggerApi } from "../../src/adapters/http/index.js";
import { storeFromUrl } from "../../src/entry/store-from-url.js";
import { condition, createScheduler, memoryStore, pipeline, systemClock } from "../../src/index.js";
import { fakeClock } from "../../src/testing/index.js";
import { ADMIN } from "../support/service.js";

export type Command =
  | { readonly do: "advance"; readonly by: number }
  | { readonly do: "trigger"; readonly pipelineId: string; readonly count: number }
  | { readonly do: "token"; readonly pipelines: readonly string[] }
  | { readonly do: "look" };

export interface Look {
  readonly rss: number;
  readonly connections: number;
}

const [url = "memory", node = "node", kind = "fake"] = process.argv.slice(2);
const fake = fakeClock("2026-03-02T00:00:00Z");
const scheduler = createScheduler({
  pipelines: [
    pipeline({ id: "a", execution: { maxActiveRuns: 10 }, run: () => "x".repeat(99_000) }),
    pipeline({
      id: "evident",
      execution: { maxActiveRuns: 10 },
      conditions: [condition("evident", () => ({ result: "pass", reason: "it is", evidence: { text: "y".repeat(7_000) } }))],
      run: () => {},
    }),
  ],
  store: url === "memory" ? memoryStore({ retention: { count: 100 } }) : storeFromUrl(url),
  node,
  clock: kind === "fake" ? fake : systemClock(),
  logger: { log: (level, message, fields) => (level === "info" ? undefined : console.error(level, message, fields)) },
});
await scheduler.start();
const api = createTriggerApi(scheduler, { adminToken: ADMIN, addressLimit: null, tokenLimit: null });
const server = createServer(nodeTriggerApi(api)).listen(0, "127.0.0.1");
await once(server, "listening");

async function obey(command: Command): Promise<unknown> {
  switch (command.do) {
    case "advance":
      return fake.advance(command.by);
    case "trigger":
      for (let n = 0; n < command.count; n++) {
        await scheduler.trigger(command.pipelineId);
        if (n % 20 === 19 && kind === "fake") await fake.settle();
      }
      return kind === "fake" ? fake.settle() : undefined;
    case "token":
      return (await scheduler.tokens.issue({ role: "viewer", pipelines: command.pipelines })).token;
    case "look":
      return new Promise<Look>((resolve) =>
        server.getConnections((_, connections) => resolve({ rss: process.memoryUsage().rss, connections })),
      );
  }
}

process.on("message", (command: Command) => {
  obey(command).then((answer) => process.send?.({ answer: answer ?? null }));
});
process.send?.({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
