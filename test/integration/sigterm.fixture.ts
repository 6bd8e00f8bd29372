/** Processes of the SIGTERM test: `sigterm.fixture.ts fill <file> <count>` adds quick triggers; `run <file>` works them off until SIGTERM. */
import { sqliteStore } from "../../src/adapters/stores/sqlite/sqlite-store.js";
import { createScheduler, pipeline } from "../../src/index.js";

const [what = "", file = "", count = "0"] = process.argv.slice(2);
const PIPELINES = 10;
const pipelines = Array.from({ length: PIPELINES }, (_, index) =>
  pipeline({ id: `quick-${index}`, execution: { maxActiveRuns: 50 }, run: () => {} }),
);
const scheduler = createScheduler({ pipelines, store: sqliteStore({ file, synchronous: "normal" }), logger: { log: () => {} } });

async function fill(): Promise<void> {
  await scheduler.start();
  await scheduler.pause();
  const each = Math.ceil(Number(count) / PIPELINES);
  for (const { id } of pipelines) {
    for (let done = 0; done < each; done += 1_000)
      await Promise.all(Array.from({ length: Math.min(1_000, each - done) }, () => scheduler.trigger(id)));
  }
  await scheduler.resume();
  await scheduler.stop({ drain: 0 });
}

async function run(): Promise<void> {
  let succeeded = 0;
  scheduler.on("run.succeeded", () => {
    succeeded++;
    if (succeeded === 500) console.log("working");
  });
  process.once("SIGTERM", async () => {
    console.log(`heeded ${Date.now()}`);
    await scheduler.stop({ drain: "5s" });
    console.log(`stopped ${Date.now()} after ${succeeded} runs`);
    process.exit(0);
  });
  await scheduler.start();
  console.log("started");
}

await (what === "fill" ? fill() : run());
