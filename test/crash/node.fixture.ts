/** One node of the crash tests: `node.fixture.ts <store url> <name> <clock ahead, ms>`. Ends on SIGTERM. */

import { storeFromUrl } from "../../src/entry/store-from-url.js";
import { createScheduler, every, pipeline, systemClock } from "../../src/index.js";

const [url = "", node = "node", ahead = "0"] = process.argv.slice(2);
const clock = systemClock();
const tick = pipeline({
  id: "tick",
  schedule: every("100ms"),
  execution: { catchup: "all", overlap: "queue", maxActiveRuns: 4, retries: 50, retryDelay: "50ms", timeout: "20s" },
  run: ({ clock: time }) => time.sleep(150 + Math.random() * 100),
});
const next = pipeline({
  id: "next",
  after: "tick",
  execution: { maxActiveRuns: 4, retries: 50, retryDelay: "50ms" },
  run: ({ attempt }) => {
    if (attempt === 1 && Math.random() < 0.2) throw new Error("now and then");
  },
});
const scheduler = createScheduler({
  pipelines: [tick, next],
  store: storeFromUrl(url),
  node,
  clock: { ...clock, now: () => clock.now() + Number(ahead) },
  leaseDuration: "1s",
  cancelGracePeriod: "500ms",
  logger: { log: () => {} },
});
scheduler.on("run.late_result", ({ runId }) => console.log(`late ${runId}`));
process.once("SIGTERM", async () => {
  await scheduler.stop({ drain: "2s" });
  process.exit(0);
});
await scheduler.start();
console.log("ready");
