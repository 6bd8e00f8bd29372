/**
 * A complete service on Express: one real pipeline over the flights of vega-datasets, kept in SQLite, with the trigger API beside a route of its own.
 * `PIPELINE_API_TOKEN=… npm run example:express`; PORT (default 5000) and DATABASE_URL (default a file in this folder) may be set.
 */
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import express from "express";
import { expressTriggerApi } from "../../src/adapters/http/express.js";
import { createTriggerApi } from "../../src/adapters/http/index.js";
import { storeFromUrl } from "../../src/entry/store-from-url.js";
import { createScheduler } from "../../src/index.js";
import { flightDelays } from "../flight-delays.js";

const port = Number(process.env.PORT ?? 5_000);
const file = fileURLToPath(new URL("headgate.db", import.meta.url));
const scheduler = createScheduler({ pipelines: [flightDelays()], store: storeFromUrl(process.env.DATABASE_URL ?? `sqlite://${file}`) });
const api = createTriggerApi(scheduler);

const app = express();
app.use(expressTriggerApi(api));
app.get("/", async (_request, response) => {
  response.json({ service: "flights", next: (await scheduler.upcoming({ count: 1 }))[0]?.fireAt ?? null });
});

await scheduler.start();
const server = createServer(app).listen(port, "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${port}`));

/** First no new requests, then what runs may end, then the store. */
async function stop(): Promise<void> {
  server.close();
  api.close();
  await scheduler.stop({ drain: "10s" });
  server.closeAllConnections();
  console.log("stopped");
}
process.once("SIGTERM", stop).once("SIGINT", stop);
