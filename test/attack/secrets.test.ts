import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { headgate, newFolder, type Served, served } from "../support/cli.js";
import { dropSchemas, freshSchema, testDatabaseUrl } from "../support/postgres.js";
import { scaled } from "./scale.js";

const database = await testDatabaseUrl();

/** Secrets by where they are planted. Their names stand in failures, they themselves only in the service's configuration. */
const SECRETS = Object.fromEntries(
  [
    "admin-token",
    "operator-token",
    "viewer-token",
    "file-token",
    "webhook-source",
    "github-source",
    "smtp-password",
    "slack-path",
    "channel-query",
    "channel-secret",
    "channel-header",
    "database-password",
    "command-variable",
    "command-literal",
    "executor-query",
    "executor-secret",
    "executor-header",
    "executor-header-literal",
    "airflow-password",
    "probe-query",
    "probe-header",
    "probe-password",
    "sensor-query",
    "sensor-header",
    "dependency-query",
    "redacted",
    "changed-later",
    "broken-later",
  ].map((name, index) => [name, `S3CR3T${String(index).padStart(2, "0")}x${[...name].reverse().join("").replaceAll("-", "")}y9Q`]),
) as Readonly<Record<string, string>>;
const of = (name: string): string => {
  const found = SECRETS[name];
  if (found === undefined) throw new Error(`no secret ${name}`);
  return found;
};
const whsec = (name: string) => `whsec_${Buffer.from(`${of(name)} and the rest of it`).toString("base64")}`;

/** The forms in which a secret may show itself. */
const formsOf = (secret: string): readonly string[] => [
  secret.slice(0, 12), // or the beginning of it, where a text was cut off before its secrets were taken out
  Buffer.from(secret).toString("base64").replace(/=+$/, "").slice(0, -2),
  Buffer.from(secret).toString("hex"),
  [...secret].reverse().join(""),
];

/** The secrets that a text shows, by name. */
function shown(text: string): readonly string[] {
  return Object.entries(SECRETS)
    .filter(([, secret]) => formsOf(secret).some((form) => text.includes(form)))
    .map(([name]) => name);
}

/** A server that fails whatever it is asked, and repeats all it was sent. */
async function parrot(): Promise<{ readonly server: Server; readonly url: string }> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () =>
      response.writeHead(400).end(`you sent ${request.url} ${JSON.stringify(request.headers)} ${Buffer.concat(chunks)}`),
    );
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

const STORES = [
  ["json", "SQLite", () => "sqlite:./headgate.db"] as const,
  ["text", "SQLite", () => "sqlite:./headgate.db"] as const,
  ...(database === null ? [] : [["json", "PostgreSQL", () => withPassword(`${database}?schema=${freshSchema()}`)] as const]),
];

function withPassword(url: string): string {
  const parsed = new URL(url);
  if (parsed.password === "") parsed.password = of("database-password");
  return parsed.toString();
}

describe.each(STORES.slice(0, scaled(1, STORES.length)))("with logs as %s and %s, no secret", (format, _store, storeUrl) => {
  const store = storeUrl();
  const cwd = newFolder();
  let target: Awaited<ReturnType<typeof parrot>>;
  let service: Served;
  let env: Readonly<Record<string, string>>;
  const answers: { readonly path: string; readonly text: string }[] = [];

  const yaml = (url: string, more = "") => `pipelines:
  command: { executor: { command: { command: sh, args: [-c, "echo out $VARIABLE $LITERAL; echo $VARIABLE $LITERAL >&2; exit 1"], env: { VARIABLE: "\${COMMAND_VARIABLE}", LITERAL: ${of("command-literal")} } } }, execution: { retries: 0 } }
  output: { executor: { command: { command: sh, args: [-c, "echo $VARIABLE $LITERAL"], env: { VARIABLE: "\${COMMAND_VARIABLE}", LITERAL: ${of("command-literal")} } } } }
  hook: { executor: { webhook: { url: "${url}/hook?token=${of("executor-query")}", secret: "${whsec("executor-secret")}", headers: { x-api-key: "\${EXECUTOR_HEADER}", authorization: "Bearer ${of("executor-header-literal")}" } } }, execution: { retries: 0 } }
  airflow: { executor: { airflow: { base_url: "${url}/air", username: u, password: "\${AIRFLOW_PASSWORD}" } }, execution: { retries: 0 } }
  module: { executor: { module: { path: work.mjs } }, execution: { retries: 0 } }
  gated:
    executor: { module: { path: work.mjs } }
    on_block: hold
    conditions:
      - healthy: { probes: [ { http: { url: "http://u:${of("probe-password")}@${url.slice("http://".length)}/probe?key=${of("probe-query")}", headers: { x-key: "\${PROBE_HEADER}" }, allow_private_networks: true } } ] }
  dependent: { executor: { module: { path: work.mjs } }, on_block: hold, conditions: [ { depends_on: { type: http, url: "${url}/dependency?key=${of("dependency-query")}" } } ] }
  sensed: { executor: { module: { path: work.mjs } }, sensors: [ { http: { url: "${url}/sensor?key=${of("sensor-query")}", headers: { x-key: "${of("sensor-header")}" }, allow_private_networks: true }, every: 1s } ] }
triggers:
  webhooks:
    - { source: standard, secret: "${whsec("webhook-source")}" }
    - { source: github, secret: "${of("github-source")}", scheme: github }
  files: { directory: drop, pipeline: command, polling: 200ms, settle: 200ms }
monitoring:
  every: 1s
  metrics: true
  channels:
    mail: { email: { server: "smtp://u:${of("smtp-password")}@127.0.0.1:1", from: a@example.com, to: b@example.com } }
    slack: { slack: { url: "${url}/services/${of("slack-path")}", allow_private_networks: true } }
    hook: { webhook: { url: "${url}/alerts?token=${of("channel-query")}", secret: "${whsec("channel-secret")}", headers: { x-key: "\${CHANNEL_HEADER}" }, allow_private_networks: true } }
security:
  admin_token: "\${PIPELINE_API_TOKEN}"
  tokens:
    - { id: operator, role: operator, token: ${of("operator-token")} }
    - { id: viewer, role: viewer, token: ${of("viewer-token")} }
    - { id: filed, role: viewer, token: "file:token.secret" }
  redact: [ "${of("redacted")}" ]
  rate_limits: { per_token: false, per_address: false }
  allow_private_networks: true
store: { url: "\${STORE}" }
logging: { level: debug, format: ${format} }
${more}`;

  const ask = async (method: string, path: string, token: string, body?: unknown) => {
    const response = await fetch(`${service.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { "content-type": "application/json" }) },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    answers.push({ path: `${method} ${path}`, text });
    return { status: response.status, text };
  };

  /** Waits for a line on either stream: as text, errors are written to standard error. */
  const heard = async (pattern: RegExp) => {
    for (let look = 0; look < 300; look++) {
      const { out, err } = service.text();
      if (pattern.test(out + err)) return;
      await wait(100);
    }
    throw new Error(`no line matches ${pattern}`);
  };

  beforeAll(async () => {
    target = await parrot();
    env = {
      PIPELINE_API_TOKEN: of("admin-token"),
      COMMAND_VARIABLE: of("command-variable"),
      EXECUTOR_HEADER: of("executor-header"),
      AIRFLOW_PASSWORD: of("airflow-password"),
      PROBE_HEADER: of("probe-header"),
      CHANNEL_HEADER: of("channel-header"),
      CHANGED: of("changed-later"),
      STORE: store,
      DATABASE_URL: store,
    };
    writeFileSync(join(cwd, "token.secret"), of("file-token"));
    writeFileSync(
      join(cwd, "work.mjs"),
      `export default (run) => { const { CHANGED, ...all } = process.env; run.log.info("says ${of("redacted")}"); run.log.error("env", { all }); run.heartbeat({ at: "${of("redacted")}" }); throw new Error("failed with ${of("redacted")} " + process.env.COMMAND_VARIABLE + " " + process.env.PIPELINE_API_TOKEN); };\n`,
    );
    writeFileSync(join(cwd, "schedule_config.yaml"), yaml(target.url));
    mkdirSync(join(cwd, "drop"));
    service = await served([], { cwd, env });

    const admin = of("admin-token");
    for (const pipeline of ["command", "output", "hook", "airflow", "module", "gated", "dependent", "sensed"])
      expect((await ask("POST", "/api/v1/trigger/manual", of("operator-token"), { pipeline })).status).toBe(202);
    // secrets sent where they do not belong
    await ask("GET", "/api/v1/info", `${admin}x`);
    await ask("GET", `/api/v1/info?token=${of("admin-token")}`, "wrong");
    await ask("POST", "/api/v1/webhooks/standard", "wrong", "{");
    const issued = JSON.parse((await ask("POST", "/api/v1/tokens", admin, { role: "viewer" })).text) as { token: string; id: string };
    answers.pop(); // the only answer that may have it
    Object.assign(SECRETS, { issued: issued.token.slice(issued.token.indexOf("_", "hg_".length) + 1) });
    await ask("GET", "/api/v1/info", issued.token);
    await ask("DELETE", `/api/v1/tokens/${issued.id}`, admin);
    await ask("GET", "/api/v1/info", issued.token);
    // changed while it runs: another secret, and a file that is wrong
    writeFileSync(
      join(cwd, "schedule_config.yaml"),
      yaml(target.url)
        .replace('"${AIRFLOW_PASSWORD}"', '"${CHANGED}"')
        .replace(of("executor-query"), `${of("executor-query")}2`),
    );
    await heard(/the changed configuration was applied/);
    writeFileSync(
      join(cwd, "schedule_config.yaml"),
      yaml(target.url, `nonsense: { token: ${of("broken-later")} }\n`).replace(
        "admin_token:",
        `admin_token: [ ${of("broken-later")} ]\n  admin_tokem:`,
      ),
    );
    await heard(/configuration was not applied/);
    for (let look = 0; look < 100 && (`${service.text().out}${service.text().err}`.match(/run failed/g)?.length ?? 0) < 3; look++)
      await wait(100);
    await wait(2_500); // alerts are raised and sent, sensors look, held triggers are looked at
  });
  afterAll(async () => {
    await service?.end("SIGKILL");
    target?.server.closeAllConnections();
    target?.server.close();
    await dropSchemas();
  });

  it("is in any answer of any GET, to any role", async () => {
    const admin = of("admin-token");
    const document = JSON.parse((await ask("GET", "/api/v1/openapi.json", admin)).text) as {
      paths: Record<string, Record<string, unknown>>;
    };
    const ids = async (path: string) =>
      (JSON.parse((await ask("GET", path, admin)).text) as { items: { id: string }[] }).items.map(({ id }) => id);
    const pipelines = await ids("/api/v1/pipelines");
    expect(pipelines.length).toBe(8);
    const of_ = async (list: string) => (await Promise.all(pipelines.map((id) => ids(`/api/v1/pipelines/${id}/${list}`)))).flat();
    const [triggers, runs] = [await of_("triggers"), await of_("runs")];
    expect(runs.length).toBeGreaterThanOrEqual(5);
    for (const [path, ways] of Object.entries(document.paths)) {
      if (!("get" in ways) || path.endsWith("/events")) continue;
      const named = path.startsWith("/api/v1/pipelines/") ? pipelines : path.startsWith("/api/v1/runs/") ? runs : triggers;
      const paths = path.includes("{")
        ? named.map((id) => path.replace(/\{\w+\}/, id))
        : [path, ...(path.endsWith("/config") || path.endsWith("/status") ? pipelines.map((id) => `${path}?pipeline=${id}`) : [])];
      for (const one of paths)
        for (const token of [admin, of("operator-token"), of("viewer-token"), of("file-token"), "wrong"]) await ask("GET", one, token);
    }
    expect(answers.filter(({ text }) => shown(text).length > 0).map(({ path, text }) => [path, shown(text)])).toEqual([]);
  });

  it("is in what event streams tell", async () => {
    const { text } = await ask("GET", "/api/v1/pipelines/module/runs", of("viewer-token"));
    expect(text).toContain("failed with");
    const control = new AbortController();
    const response = await fetch(`${service.url}/api/v1/events`, {
      headers: { authorization: `Bearer ${of("viewer-token")}` },
      signal: control.signal,
    });
    const reader = (response.body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream()).getReader();
    for (const pipeline of ["command", "output", "hook", "module"])
      await ask("POST", "/api/v1/trigger/manual", of("operator-token"), { pipeline });
    let heard = "";
    while ((heard.match(/^event: run\.(?:failed|succeeded)$/gm)?.length ?? 0) < 4) {
      const { done, value } = await reader.read();
      if (done) break;
      heard += value;
    }
    control.abort();
    expect(heard.match(/^event: run\.(?:failed|succeeded)$/gm)).toHaveLength(4);
    expect(shown(heard)).toEqual([]);
  });

  it("is in its logs", () => {
    const { out, err } = service.text();
    expect(out + err).toMatch(/run failed/);
    const lines = `${out}\n${err}`.split("\n").filter((line) => shown(line).length > 0);
    expect(lines.map((line) => [line.slice(0, 200), shown(line)])).toEqual([]);
  });

  it("is in its database", async () => {
    const dump = store.startsWith("sqlite:")
      ? readdirSync(cwd)
          .filter((name) => name.startsWith("headgate.db"))
          .map((name) => readFileSync(join(cwd, name), "latin1"))
          .join("\n")
      : await dumped(store);
    expect(dump).toContain("module");
    expect(shown(dump)).toEqual([]);
  });

  it("is in the list of processes", () => {
    const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
    const lines = pids.map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
      } catch {
        return ""; // it has ended meanwhile
      }
    });
    expect(lines.filter((line) => line.includes("serve")).length).toBeGreaterThan(0);
    expect(lines.flatMap(shown)).toEqual([]);
  });

  it("is in what the command line tells, of a file that is right and of one that is not", () => {
    const commands = [
      ["validate", "--json"],
      ["explain", "module", "--json"],
      ["serve", "--port", "1"],
      ["token", "list"],
      ["simulate", "--from", "2026-03-01", "--to", "2026-03-02"],
      ["validate"],
      ["explain", "module"],
      ["next"],
      ["next", "--json"],
      ["token", "list", "--json"],
    ];
    for (const file of ["broken", "right"]) {
      if (file === "right") writeFileSync(join(cwd, "schedule_config.yaml"), yaml(target.url));
      for (const args of commands.slice(0, scaled(5, commands.length))) {
        if (args[0] === "serve" && file === "right") continue; // that one would go on
        const { out, err, code } = headgate(args, { cwd, env });
        const about = `${file}: headgate ${args.join(" ")} ended with ${code}`;
        expect([about, shown(`${out}${err}`)]).toEqual([about, []]);
      }
    }
  });
});

/** All rows of all tables of the schema that a store's address names. */
async function dumped(url: string): Promise<string> {
  const parsed = new URL(url);
  const schema = parsed.searchParams.get("schema") ?? "headgate";
  parsed.searchParams.delete("schema");
  const client = new pg.Client({ connectionString: parsed.toString() });
  await client.connect();
  const tables = await client.query<{ name: string }>("SELECT table_name AS name FROM information_schema.tables WHERE table_schema = $1", [
    schema,
  ]);
  const texts: string[] = [];
  for (const { name } of tables.rows)
    texts.push(
      ...(await client.query<{ text: string }>(`SELECT row_to_json(t)::text AS text FROM "${schema}"."${name}" t`)).rows.map(
        ({ text }) => text,
      ),
    );
  await client.end();
  return texts.join("\n");
}
