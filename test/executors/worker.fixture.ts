/** A worker process of the BullMQ tests: `worker.fixture.ts <connection as JSON>`. Says `ready`, and `start <run>` for every run. */
import { createWorker } from "../../src/entry/bullmq.js";
import { type Pipeline, pipeline } from "../../src/index.js";

const work = (id: string): Pipeline =>
  pipeline({
    id,
    run: async ({ parameters, runId, clock }) => {
      console.log(`start ${runId}`);
      await clock.sleep(Number(parameters.ms ?? 0));
      return { value: parameters.value, pid: process.pid };
    },
  });
const worker = createWorker([work("job")], JSON.parse(process.argv[2] ?? "{}"));
await worker.ready();
console.log("ready");
