/** One node whose wall clock can be set: `stepping-node.fixture.ts <store url> <name>`. A message is by how much its clock is ahead, ms. Ends when it is disconnected. */

import { storeFromUrl } from "../../src/entry/store-from-url.js";
import { createScheduler, cron, pipeline, systemClock } from "../../src/index.js";

const [url = "", node = "node"] = process.argv.slice(2);
const own = systemClock();
let aheadMs = 0;
const scheduler = createScheduler({
  pipelines: [
    pipeline({ id: "tick", schedule: cron("* * * * * *"), execution: { overlap: "queue", maxActiveRuns: 10 }, run: () => {} }),
    pipeline({ id: "long", run: ({ clock }) => clock.sleep("20s") }),
  ],
  store: storeFromUrl(url),
  node,
  clock: { ...own, now: () => own.now() + aheadMs },
  leaseDuration: "6s",
  logger: { log: () => {} },
});
scheduler.on("clock.jumped", ({ byMs }) => process.send?.({ byMs }));
scheduler.on("run.lost", ({ run }) => process.send?.({ lost: run.id }));
process.on("message", (ms) => {
  aheadMs = Number(ms);
});
process.once("disconnect", async () => {
  await scheduler.stop({ drain: 0 });
  process.exit(0);
});
await scheduler.start();
process.send?.("ready");
