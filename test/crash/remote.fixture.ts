/** One node of the crash test of work done elsewhere: `remote.fixture.ts <store url> <name> <service url>`. */

import { storeFromUrl } from "../../src/entry/store-from-url.js";
import { createScheduler, pipeline } from "../../src/index.js";
import { engineAt } from "./remote-engine.js";

const [url = "", node = "node", service = ""] = process.argv.slice(2);
const scheduler = createScheduler({
  pipelines: [pipeline({ id: "job", executor: engineAt(service), execution: { maxActiveRuns: 50, retries: 0 } })],
  store: storeFromUrl(url),
  node,
  leaseDuration: "1s",
  logger: { log: () => {} },
});
await scheduler.start();
console.log("ready");
