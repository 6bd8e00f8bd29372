/**
 * Five pipelines over real data, on the real clock, in about a quarter of a minute: one is skipped because its data is fresh, one is held by a
 * maintenance window and then runs, one fails, is retried and recovers, one is started by a file that arrives and one by a resource that changes; and a manual trigger
 * overtakes the line.
 */
import { copyFile, mkdir, readdir, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join, relative } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { fileSensor, httpSensor } from "../../src/adapters/sensors/index.js";
import { at, consoleLogger, createScheduler, every, maintenanceWindow, pipeline, stale } from "../../src/index.js";
import { DATA, departures, flightDelays, publishedFlights, rainByYear, stockReturns } from "./work.js";

const output = fileURLToPath(new URL("results", import.meta.url));
const incoming = join(output, "incoming-stocks.csv");
await rm(output, { recursive: true, force: true });
await mkdir(output, { recursive: true });
const begin = Date.now();
const say = (line: string) => console.log(`${((Date.now() - begin) / 1_000).toFixed(1).padStart(5)} s  ${line}`);

const flights = pipeline({
  id: "flight-delays",
  description: "Which airports leave latest",
  schedule: every("4s", { anchor: begin + 1_000 }),
  conditions: [stale({ olderThan: "6s" })],
  run: () => flightDelays(output),
});

const weather = pipeline({
  id: "rain-by-year",
  description: "How much it rains in Seattle",
  schedule: at(begin + 2_000),
  conditions: [maintenanceWindow({ from: begin, until: begin + 7_000, description: "the weather archive is moving" }, { onBlock: "hold" })],
  run: () => rainByYear(output),
});

const stocks = pipeline({
  id: "stock-returns",
  description: "What ten years of shares brought; the prices arrive late",
  schedule: at(begin + 3_000),
  execution: { retries: 5, retryDelay: "1s", backoff: "exponential", pool: "disk" },
  run: async ({ clock }) => {
    const result = await stockReturns(incoming, output);
    await clock.sleep("500ms"); // a slow disk, so that a line forms
    return result;
  },
});

const dropped = join(output, "incoming");
await mkdir(dropped);
const arrivals = pipeline({
  id: "departures",
  description: "Which airports are busiest, as soon as the flights arrive",
  sensors: [fileSensor({ path: dropped, pattern: "*.csv", every: "500ms", settle: "300ms" })],
  run: ({ parameters }) => departures(String(parameters.path), output),
});

let edition = "flights-2k.json";
const publisher = createServer(async (request, response) => {
  response.setHeader("etag", `"${edition}"`);
  if (request.headers["if-none-match"] === `"${edition}"`) response.writeHead(304).end();
  else response.end(await readFile(join(DATA, edition)));
}).listen(0, "127.0.0.1");
await new Promise((resolve) => publisher.once("listening", resolve));
const address = `http://127.0.0.1:${(publisher.address() as AddressInfo).port}/flights.json`;
const published = pipeline({
  id: "published-flights",
  description: "The mean delay, anew for every edition that is published",
  sensors: [httpSensor({ url: address, every: "500ms", limit: 10_000_000, allowPrivateNetworks: true })],
  run: () => publishedFlights(address, output),
});

const scheduler = createScheduler({
  pipelines: [flights, weather, stocks, arrivals, published],
  pools: { disk: 1 },
  node: "demo",
  logger: consoleLogger({ level: "error" }),
});
scheduler.on("trigger.held", ({ trigger, decision }) => say(`HELD     ${trigger.pipelineId}: ${decision.reason}`));
scheduler.on("run.started", ({ run }) => say(`start    ${run.pipelineId}`));
scheduler.on("run.retrying", ({ run }) =>
  say(
    `FAILED   ${run.pipelineId}, attempt ${run.attempt}: ${run.error?.message}; again in ${(run.retryAt?.getTime() ?? 0) - Date.now()} ms`,
  ),
);
scheduler.on("run.attempt", ({ run }) => say(`attempt  ${run.attempt} of ${run.pipelineId}`));
scheduler.on("run.succeeded", ({ run }) => say(`success  ${run.pipelineId}: ${JSON.stringify(run.output)}`));
scheduler.on("trigger.skipped", async ({ trigger }) => {
  const { text } = await scheduler.explain(trigger.pipelineId, trigger.scheduledFor ?? trigger.createdAt);
  say(`SKIPPED  ${text}`);
});

await scheduler.start();
say(`five pipelines; results in ${relative(process.cwd(), output)}`);
for (const { pipelineId, fireAt } of await scheduler.upcoming({ count: 4 })) say(`next     ${pipelineId} at ${fireAt.toISOString()}`);

await wait(4_500);
await copyFile(join(DATA, "stocks.csv"), incoming);
say("the stock prices have arrived");
await ended("stock-returns", 1);

await copyFile(join(DATA, "flights-airport.csv"), join(dropped, "flights.csv"));
say("a file of flights has arrived");
await ended("departures", 1);
edition = "flights-5k.json";
say("a new edition of flights is published");
await ended("published-flights", 1);

say("three low-priority triggers, then a manual one of high priority, for one slot:");
const line: string[] = [];
scheduler.on("trigger.running", ({ trigger }) => line.push(trigger.reason ?? trigger.kind));
for (const n of [1, 2, 3]) await scheduler.trigger("stock-returns", { priority: "low", reason: `low ${n}`, user: "batch" });
await scheduler.trigger("stock-returns", { priority: "high", reason: "URGENT", user: "ana" });
await ended("stock-returns", 5);
await ended("rain-by-year", 1);
say(`they ran in this order: ${line.filter((reason) => reason !== "scheduled").join(", ")}`);

const { items: decisions } = await scheduler.decisions({ limit: 1_000 });
const count = (outcome: string) => decisions.filter((decision) => decision.outcome === outcome).length;
say(`decisions: ${count("run")} run, ${count("skip")} skip, ${count("hold")} hold`);
say(`results: ${(await readdir(output)).filter((name) => name.endsWith(".json")).join(", ")}`);
await scheduler.stop();
publisher.closeAllConnections();
publisher.close();

/** Waits until a pipeline has succeeded so often. */
async function ended(pipelineId: string, times: number): Promise<void> {
  while ((await scheduler.runs({ pipelineId, status: "succeeded" })).items.length < times) await wait(50);
}
