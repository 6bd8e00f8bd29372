/** One node: `node.ts <store url> <name>`. Start as many as you like. */

import { storeFromUrl } from "../../src/entry/store-from-url.js";
import { createScheduler, every, pipeline } from "../../src/index.js";

const [url = "memory:", name = "node"] = process.argv.slice(2);
const say = (line: string) => console.log(`${new Date().toISOString().slice(11, 23)}  ${name}  ${line}`);

const load = pipeline({
  id: "load",
  schedule: every("1s"),
  execution: { catchup: "all", retries: 5, retryDelay: "500ms" },
  run: ({ clock }) => clock.sleep("600ms"),
});
const report = pipeline({ id: "report", after: "load", run: () => {} });

const scheduler = createScheduler({ pipelines: [load, report], store: storeFromUrl(url), node: name, leaseDuration: "2s" });
scheduler.on("run.started", ({ run }) =>
  say(`starts ${run.pipelineId} for ${run.scheduledFor?.toISOString().slice(11, 19) ?? "its predecessor"}`),
);
scheduler.on("run.attempt", ({ run }) => say(`takes over ${run.pipelineId}, attempt ${run.attempt}`));
scheduler.on("run.lost", ({ run }) => say(`finds that ${run.attempts.at(-1)?.node} has died in ${run.pipelineId}`));
process.once("SIGTERM", async () => {
  await scheduler.stop({ drain: "5s" });
  process.exit(0);
});
await scheduler.start();
say("is ready");
