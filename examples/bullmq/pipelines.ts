import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { every, pipeline } from "../../src/index.js";
import { flightDelays } from "../demo/work.js";

const results = await mkdtemp(join(tmpdir(), "headgate-bullmq-"));

/** What both sides know: the scheduler when it runs, the workers how. */
export const pipelines = [
  pipeline({
    id: "flight-delays",
    description: "Which airports were late",
    schedule: every("2s"),
    execution: { maxActiveRuns: 4, overlap: "queue", retries: 2, retryDelay: "1s" },
    run: async ({ log, heartbeat }) => {
      heartbeat({ step: "reading" });
      const result = await flightDelays(results);
      log.info("done");
      return { ...result, worker: process.pid };
    },
  }),
];

/** Redis by `REDIS_URL`, else on this machine; or PostgreSQL by `BULLMQ_DATABASE_URL`. */
export const connection =
  process.env.BULLMQ_DATABASE_URL === undefined
    ? { queue: "headgate-example" }
    : { queue: "headgate-example", postgres: process.env.BULLMQ_DATABASE_URL, schema: "bullmq_example" };
