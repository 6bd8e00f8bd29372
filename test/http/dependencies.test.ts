import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { postgresStore } from "../../src/adapters/stores/postgres/postgres-store.js";
import { pipeline } from "../../src/index.js";
import { dropSchemas, freshSchema, testDatabaseUrl } from "../support/postgres.js";
import { ADMIN, type Service, service } from "../support/service.js";

const folder = mkdtempSync(join(tmpdir(), "headgate-dependencies-"));
const url = await testDatabaseUrl();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const jobs = () => [pipeline({ id: "a", run: () => {} }), pipeline({ id: "b", run: () => {} })];

describe.skipIf(url === null)("an admin limited to pipeline a", () => {
  const schema = freshSchema();
  const marker = join(folder, "ran");
  const base = new URL(url ?? "postgres://x");
  const inside = `${base.hostname}:${base.port || 5432}${base.pathname}`;
  const client = new pg.Client({ connectionString: url ?? "" });
  let running: Service;
  let token = "";
  let connections = 0;
  const listener = createServer((socket) => {
    connections++;
    socket.destroy();
  });
  let port = 0;

  beforeAll(async () => {
    await client.connect();
    running = await service(
      jobs(),
      {},
      {
        store: postgresStore({ connectionString: url ?? "", schema }),
        connections: { exports_ready: { type: "file", path: folder }, warehouse: { type: "sql", url: `postgres://etl:s3cret@${inside}` } },
      },
    );
    token = (await running.scheduler.tokens.issue({ role: "admin", pipelines: ["a"] })).token;
    listener.listen(0);
    await new Promise((resolve) => listener.once("listening", resolve));
    port = (listener.address() as { port: number }).port;
  });
  afterAll(async () => {
    listener.close();
    await running.close();
    await client.end();
    await dropSchemas();
  });
  afterEach(() => {
    connections = 0;
  });

  const put = (dependency: unknown) =>
    running.ask(
      "PUT",
      "/api/v1/schedule/config",
      { pipeline: "a", external_dependencies: [dependency] },
      { authorization: `Bearer ${token}` },
    );
  const kept = async () =>
    (await client.query(`SELECT kind, id, value FROM "${schema}".documents WHERE kind IN ('override', 'token') ORDER BY kind, id`)).rows;
  const tables = async () => (await client.query("SELECT relname FROM pg_class WHERE relname LIKE 'headgate_made%'")).rows;
  const user = `postgres://${base.username}@`;
  const insertToken = `INSERT INTO "${schema}".documents (kind, id, value, version, updated_at) VALUES ('token', 'made', '{}', 99, 0)`;

  it.each([
    ["127.0.0.1", { url: `${user}127.0.0.1/postgres` }],
    ["a decimal address", { url: `${user}2130706433/postgres` }],
    ["a mapped address", { url: `${user}[::ffff:127.0.0.1]/postgres` }],
    ["?host=", { url: `${user}93.184.216.34/postgres?host=127.0.0.1` }],
    ["no host", { url: "postgres:///postgres?user=postgres" }],
    ["a socket", { url: `${user}93.184.216.34/postgres?host=/var/run/postgresql` }],
    [
      "?options=",
      { url: `${user}${inside}?options=-c%20default_transaction_read_only%3Doff`, query: "CREATE TABLE headgate_made (a int)" },
    ],
    ["several statements", { url: `${user}${inside}`, query: `SET default_transaction_read_only=off; COMMIT; ${insertToken}` }],
    ["COPY TO PROGRAM", { url: `${user}${inside}`, query: `COPY (SELECT 1) TO PROGRAM 'touch ${marker}'` }],
    ["?sslrootcert=", { url: `${user}93.184.216.34/postgres?sslrootcert=/etc/nope` }],
    ["?password=", { url: `${user}93.184.216.34/postgres?password=hunter2` }],
    ["a user's password", { url: "postgres://me:hunter2@93.184.216.34/postgres" }],
    [
      "a query without end of SQLite",
      {
        url: `sqlite:${join(folder, "x.db")}`,
        query: "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) SELECT count(*) FROM c",
      },
    ],
    ["headgate's own file", { url: "sqlite:headgate.db", query: "SELECT parameters LIKE '%a%' FROM triggers WHERE pipeline_id='b'" }],
    ["a query for a connection", { connection: "warehouse", query: "SELECT 1" }],
    ["a url beside a connection", { connection: "warehouse", url: `${user}${inside}` }],
  ])("cannot have a database asked by %s: it is refused, and nothing is kept, made or written", async (_, dependency) => {
    const before = await kept();
    const { status, json } = await put({ type: "sql", ...dependency });
    expect(status).toBe(422);
    expect(json.detail + JSON.stringify(json.errors ?? [])).toMatch(/declare it under connections/);
    expect(JSON.stringify(json)).not.toMatch(/s3cret|hunter2/);
    expect(await kept()).toEqual(before);
    expect(await tables()).toEqual([]);
    expect(existsSync(marker)).toBe(false);
  });

  it.each(["/etc/shadow", "exports/ready", "."])("cannot find out whether there is a file %s", async (path) => {
    const { status, json } = await put({ type: "file", path });
    expect(status).toBe(422);
    expect(JSON.stringify(json)).toMatch(/declare it under connections/);
  });

  it("is shown the names of connections, and nothing that they hold", async () => {
    const { status, json } = await put({ type: "sql", connection: "orders" });
    expect([status, json.detail]).toEqual([422, expect.stringMatching(/no such connection: "orders"; declared for sql: warehouse$/)]);
    expect((await put({ type: "file", connection: "warehouse" })).json.detail).toMatch(
      /is of type sql, not file; declared for file: exports_ready/,
    );
    expect((await put({ type: "sql", connection: "warehouse", query_name: "x" })).json.detail).toMatch(/has no query "x"; available: none/);
    const named = await put({ type: "sql", connection: "warehouse", name: "the warehouse", timeout_ms: 700 });
    expect(named).toMatchObject({
      status: 200,
      json: { external_dependencies: [{ type: "sql", connection: "warehouse", name: "the warehouse", timeout_ms: 700 }] },
    });
    const audit = await running.ask("GET", "/api/v1/audit");
    expect(JSON.stringify([named.json, audit.json])).not.toMatch(/s3cret|postgres:\/\/|etl/);
    expect((await put({ type: "file", connection: "exports_ready" })).status).toBe(200);
  });

  it.each(["token=x", "api_key=x", "password=x", "X-Amz-Signature=x", "sig=x"])(
    "cannot leave a secret in an address where viewers read it: ?%s",
    async (parameter) => {
      const { status, json } = await put({ type: "http", url: `https://prices.example/health?${parameter}` });
      expect([status, json.detail]).toEqual([422, expect.stringContaining("which everyone with access to the settings could read")]);
    },
  );

  it.each(["127.0.0.1", "2130706433", "0x7f.1", "[::ffff:7f00:1]", "[::7f00:1]", "localhost", "１２７.0.0.1", "[::1]", "127.0.0.1."])(
    "does not reach this machine by HTTP or TCP as %s",
    async (host) => {
      for (const dependency of [
        { type: "http", url: `http://${host}:${port}/` },
        { type: "tcp", host: host.replace(/^\[|\]$/g, ""), port },
      ]) {
        const { status, json } = await put(dependency);
        if (status === 422) {
          expect(json.detail).toContain("is an address in a private network"); // it is plain from the address
          continue;
        }
        expect(status, JSON.stringify(dependency)).toBe(200);
        const { scheduler, clock } = running;
        const before = (await scheduler.decisions({ pipelineId: "a" })).items.length;
        await scheduler.trigger("a");
        const count = async () => {
          await clock.advance("100ms");
          return (await scheduler.decisions({ pipelineId: "a" })).items.length;
        };
        await expect.poll(count, { timeout: 20_000 }).toBe(before + 1);
        const [decision] = (await scheduler.decisions({ pipelineId: "a" })).items;
        expect(decision).toMatchObject({ outcome: "skip" });
      }
      expect(connections).toBe(0);
    },
  );

  it("has no token that it was not given, and none for pipeline b", async () => {
    expect((await running.ask("GET", "/api/v1/tokens", undefined, { authorization: `Bearer ${token}` })).status).toBe(403);
    expect((await running.ask("GET", "/api/v1/tokens", undefined, { authorization: `Bearer ${ADMIN}` })).json.items).toHaveLength(1);
  });
});

it("a declared query without end does not hold up the service: /health answers, and its finding says that it timed out", async () => {
  const { connect } = await import("../../src/adapters/shared/sqlite-driver.js");
  const file = join(folder, "endless.db");
  const connection = connect(file);
  connection.exec("CREATE TABLE t (a)");
  connection.close();
  writeFileSync(join(folder, "note"), "");
  const endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c";
  const { systemClock } = await import("../../src/adapters/clocks/system-clock.js");
  const { createScheduler } = await import("../../src/index.js");
  const { createTriggerApi, nodeTriggerApi } = await import("../../src/adapters/http/index.js");
  const { askAt, listen } = await import("../support/service.js");
  const scheduler = createScheduler({
    pipelines: jobs(),
    clock: systemClock(),
    logger: { log: () => {} },
    connections: { shop: { type: "sql", url: `sqlite:${file}`, query: endless } },
  });
  await scheduler.start();
  const { url: at, close } = await listen(nodeTriggerApi(createTriggerApi(scheduler, { adminToken: ADMIN })));
  const decided = new Promise<{ outcome: string; findings: readonly { reason: string }[] }>((resolve) =>
    scheduler.once("decision", ({ decision }) => resolve(decision)),
  );
  const body = { pipeline: "a", external_dependencies: [{ type: "sql", connection: "shop", timeout_ms: 500 }] };
  expect((await askAt(at, "PUT", "/api/v1/schedule/config", body)).status).toBe(200);
  await scheduler.trigger("a");
  let longest = 0;
  let isDecided = false;
  void decided.then(() => (isDecided = true));
  for (let asked = 0; asked < 10 || !isDecided; asked++) {
    const began = performance.now();
    expect((await askAt(at, "GET", "/health")).status).toBe(200);
    longest = Math.max(longest, performance.now() - began);
  }
  expect(longest).toBeLessThan(2_000);
  const { outcome, findings } = await decided;
  expect(outcome).toBe("skip");
  expect(findings.map(({ reason }) => reason).join()).toMatch(/connection shop no response within 500ms/);
  await close();
  await scheduler.stop();
});
