/** A process that watches a directory of trigger files and a counter, on a store; killed by the tests. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { argv, exit } from "node:process";
import { watchTriggerFiles } from "../../src/adapters/files/index.js";
import { storeFromUrl } from "../../src/entry/store-from-url.js";
import { createScheduler, pipeline, sensor } from "../../src/index.js";

const [, , url = "", directory = "", node = "", workDirectory] = argv;
const counter = sensor(
  "counter",
  ({ cursor }) => {
    const upTo = Number(readFileSync(join(directory, "counter.txt"), "utf8"));
    const from = Number(cursor ?? 0);
    return {
      events: Array.from({ length: Math.max(0, upTo - from) }, (_, n) => ({ parameters: { n: from + n + 1 } })),
      cursor: Math.max(from, upTo),
    };
  },
  { every: "100ms" },
);
const scheduler = createScheduler({
  pipelines: [pipeline({ id: "files", run: () => {} }), pipeline({ id: "counted", sensors: [counter], run: () => {} })],
  store: storeFromUrl(url),
  node,
  leaseDuration: "1s",
  logger: { log: () => {} },
});
await scheduler.start();
await scheduler.pause();
await watchTriggerFiles(scheduler, {
  directory,
  pipeline: "files",
  rescan: "500ms",
  ...(workDirectory === undefined ? {} : { workDirectory }),
});
process.on("SIGTERM", () => void scheduler.stop({ drain: 0 }).then(() => exit(0)));
console.log("ready");
