import { fileURLToPath } from "node:url";
import { cron, type Pipeline, pipeline } from "../src/index.js";
import { flightDelays as load } from "./demo/work.js";

const RESULTS = fileURLToPath(new URL("demo/results", import.meta.url));

/** Where flights leave latest: read from 2,000 real ones, every hour or when asked. */
export function flightDelays(): Pipeline {
  return pipeline({
    id: "flight-delays",
    description: "Mean delay by airport",
    schedule: cron("0 * * * *"),
    execution: { retries: 2, retryDelay: "10s", timeout: "1m" },
    run: () => load(RESULTS),
  });
}
