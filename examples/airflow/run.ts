/**
 * One command: a pipeline whose runs are DAG runs of Airflow. With AIRFLOW_BASE_URL (and AIRFLOW_USERNAME, AIRFLOW_PASSWORD) it triggers a real DAG, by default `example_simplest_dag`; without, a stand-in of a few lines answers as Airflow does.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { airflowExecutor, airflowHealth } from "../../src/adapters/executors/airflow/index.js";
import { createScheduler, healthy, pipeline } from "../../src/index.js";

const { AIRFLOW_BASE_URL, AIRFLOW_USERNAME = "airflow", AIRFLOW_PASSWORD = "airflow", AIRFLOW_DAG = "example_simplest_dag" } = process.env;
const standIn = AIRFLOW_BASE_URL === undefined ? await startStandIn() : null;
const baseUrl = AIRFLOW_BASE_URL ?? standIn?.url ?? "";
const connection = { baseUrl, username: AIRFLOW_USERNAME, password: AIRFLOW_PASSWORD };

const sales = pipeline({
  id: "daily-sales",
  conditions: [healthy({ probes: [airflowHealth(standIn === null ? connection : { baseUrl })] })],
  executor: airflowExecutor({ ...connection, dagId: AIRFLOW_DAG, pollInterval: "1s" }),
  execution: { retries: 1, retryDelay: "5s", timeout: "10m" },
});
const scheduler = createScheduler({ pipelines: [sales] });
scheduler.on("decision", ({ decision }) => console.log(`decision: ${decision.outcome}, ${decision.reason}`));
scheduler.on("run.progress", ({ progress }) => console.log("progress:", progress));
const ended = new Promise<void>((resolve) => {
  for (const name of ["run.succeeded", "run.failed"] as const)
    scheduler.on(name, ({ run }) => {
      console.log(`${run.status}:`, run.output ?? run.error);
      resolve();
    });
});
await scheduler.start();
await scheduler.trigger("daily-sales", { user: "example", parameters: { day: "2026-03-01" } });
await ended;
await scheduler.stop();
standIn?.close();

/** Queued, running, then success: a second each. */
async function startStandIn(): Promise<{ url: string; close(): void }> {
  const begun = new Map<string, number>();
  const server = createServer((request, response) => {
    const say = (status: number, body: unknown) =>
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    const path = request.url ?? "";
    if (path === "/auth/token") return void say(201, { access_token: "stand-in" });
    if (path.endsWith("/health")) return void say(200, { metadatabase: { status: "healthy" }, scheduler: { status: "healthy" } });
    if (request.method === "POST") {
      let text = "";
      request.on("data", (chunk: Buffer) => {
        text += chunk.toString();
      });
      request.on("end", () => {
        const { dag_run_id } = JSON.parse(text) as { dag_run_id: string };
        begun.set(dag_run_id, Date.now());
        console.log("stand-in was asked:", text);
        say(200, { dag_run_id, state: "queued" });
      });
      return;
    }
    const seconds = (Date.now() - (begun.get(decodeURIComponent(path.split("/").at(-1) ?? "")) ?? 0)) / 1_000;
    say(200, { state: seconds < 1 ? "queued" : seconds < 2 ? "running" : "success" });
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => server.close() };
}
