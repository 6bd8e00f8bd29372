import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

type Json = Record<string, unknown>;

export interface DagRun {
  readonly dagId: string;
  readonly id: string;
  readonly body: Json;
  state: string;
}

/** What the double does next instead of answering. */
export type Mischief = number | "drop" | "hang" | "drop_after";

/** A double of Airflow's REST API that takes only what the real one would: v1 with basic authentication, v2 with tokens. */
export class AirflowDouble {
  readonly runs = new Map<string, DagRun>();
  readonly asked: string[] = [];
  readonly problems: string[] = [];
  readonly dags = new Set(["daily", "contract", "impatient"]);
  /** Taken one after the other, by calls of DAG runs. */
  mischief: Mischief[] = [];
  tokens = new Set<string>();
  made = 0;
  health: Json = {
    metadatabase: { status: "healthy" },
    scheduler: { status: "healthy" },
    triggerer: { status: null },
    dag_processor: { status: "healthy" },
  };
  url = "";
  /** Called for every DAG run that is triggered. */
  onRun: (run: DagRun) => void = () => {};
  readonly #server = createServer((request, response) => void this.#answer(request, response));

  async start(): Promise<this> {
    this.#server.listen(0, "127.0.0.1");
    await new Promise((resolve) => this.#server.once("listening", resolve));
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    return this;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const path = request.url ?? "";
    this.asked.push(`${request.method} ${path}`);
    const say = (status: number, body: unknown) =>
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    if (path === "/auth/token") {
      const { username, password, ...rest } = JSON.parse(text) as Json;
      if (request.method !== "POST" || Object.keys(rest).length > 0) return void say(422, { detail: "extra" });
      if (username !== "headgate" || password !== "pw") return void say(401, { detail: "Invalid credentials" });
      const token = `token-${this.made++}`;
      this.tokens.add(token);
      return void say(201, { access_token: token });
    }
    if (path === "/api/v2/monitor/health" || path === "/api/v1/health") return void say(200, this.health);
    const [, version, rest] = /^\/api\/v([12])(\/dags\/.*)$/.exec(path) ?? [];
    if (version === undefined) return void say(404, { detail: "Not Found" });
    const authorization = request.headers.authorization ?? "";
    const isIn =
      version === "2"
        ? this.tokens.has(authorization.replace(/^Bearer /, ""))
        : authorization === `Basic ${Buffer.from("headgate:pw").toString("base64")}`;
    if (!isIn) return void say(401, { detail: "Unauthorized" });
    const trick = this.mischief.shift();
    if (trick === "hang") return;
    if (trick === "drop") return void request.socket.destroy();
    if (typeof trick === "number") return void say(trick, { detail: "mischief" });
    if (trick === "drop_after") response.end = (() => request.socket.destroy()) as never;
    const [, dagId = "", id] = /^\/dags\/([^/]+)\/dagRuns(?:\/([^/]+))?$/.exec(rest as string) ?? [];
    const dag = decodeURIComponent(dagId);
    if (!this.dags.has(dag)) return void say(404, { detail: `DAG with dag_id: '${dag}' not found` });
    if (request.method === "POST" && id === undefined) return this.#trigger(version, dag, text, request, say);
    const run = this.runs.get(`${dag}/${decodeURIComponent(id ?? "")}`);
    if (run === undefined) return void say(404, { detail: "DagRun not found" });
    if (request.method === "PATCH") {
      const body = JSON.parse(text) as Json;
      if (Object.keys(body).join() !== "state" || !["success", "failed", "queued"].includes(String(body.state)))
        return void say(422, { detail: "bad patch" });
      run.state = String(body.state);
    } else if (request.method !== "GET") return void say(405, { detail: "Method Not Allowed" });
    say(200, { dag_id: dag, dag_run_id: run.id, state: run.state, start_date: "2026-03-02T00:00:00Z", end_date: null });
  }

  #trigger(version: string, dagId: string, text: string, request: IncomingMessage, say: (status: number, body: unknown) => void): void {
    const bad = (detail: string) => {
      this.problems.push(detail);
      say(422, { detail });
    };
    if (!request.headers["content-type"]?.startsWith("application/json")) return void bad("content-type");
    const body = JSON.parse(text) as Json;
    const allowed = ["dag_run_id", "logical_date", "conf", "note"];
    const extra = Object.keys(body).filter((name) => !allowed.includes(name));
    if (extra.length > 0) return void bad(`extra fields: ${extra.join()}`);
    if (version === "2" && !("logical_date" in body)) return void bad("logical_date is required");
    const { dag_run_id: id, logical_date: date, conf, note } = body;
    if (typeof id !== "string" || !/^[A-Za-z0-9_.~:+-]+$/.test(id)) return void bad("dag_run_id");
    if (date !== null && date !== undefined && (typeof date !== "string" || Number.isNaN(Date.parse(date))))
      return void bad("logical_date");
    if (version === "1" && date === null) return void bad("logical_date must not be null");
    if (typeof conf !== "object" || conf === null || Array.isArray(conf)) return void bad("conf");
    if (typeof note !== "string" || note.length > 1_000) return void bad("note");
    const hasDate = [...this.runs.values()].some(
      (one) => one.dagId === dagId && typeof date === "string" && one.body.logical_date === date,
    );
    if (this.runs.has(`${dagId}/${id}`) || hasDate)
      return void say(409, { detail: "A DAG run with this id or logical date already exists" });
    const run: DagRun = { dagId, id, body, state: "queued" };
    this.runs.set(`${dagId}/${id}`, run);
    say(200, { dag_id: dagId, dag_run_id: id, state: "queued" });
    this.onRun(run);
  }
}
