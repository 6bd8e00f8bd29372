import { once } from "node:events";
import { appendFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fileSensor, httpSensor, patternSensors, pipelineSensor, sqlSensor } from "../../src/adapters/sensors/index.js";
import { connect } from "../../src/adapters/shared/sqlite-driver.js";
import { type AnySensor, definePattern, pipeline, type SchedulerOptions } from "../../src/index.js";
import { harness } from "../support/harness.js";
import { testDatabaseUrl } from "../support/postgres.js";

const LOCAL = { allowPrivateNetworks: true } as const;
const url = await testDatabaseUrl();
const root = mkdtempSync(join(tmpdir(), "headgate-sensors-"));
let made = 0;
const folder = () => {
  const path = join(root, `d${made++}`);
  mkdirSync(path);
  return path;
};

/** A scheduler with one pipeline of these sensors; what its runs were given. */
async function watching(sensors: readonly AnySensor[], options: SchedulerOptions = {}) {
  const seen: Record<string, unknown>[] = [];
  const job = pipeline({ id: "job", sensors, execution: { maxActiveRuns: 100 }, run: ({ parameters }) => void seen.push(parameters) });
  return { seen, ...(await harness([job], options)) };
}

let server: Server;
let base = "";
const asked: IncomingHttpHeaders[] = [];
const site: { status: number; etag: string | null; modified: string | null; body: string } = {
  status: 200,
  etag: null,
  modified: null,
  body: "{}",
};

beforeAll(async () => {
  server = createServer((request, response) => {
    asked.push(request.headers);
    const { status, etag, modified, body } = site;
    if (etag !== null) response.setHeader("etag", etag);
    if (modified !== null) response.setHeader("last-modified", modified);
    const isSame =
      (etag !== null && request.headers["if-none-match"] === etag) ||
      (modified !== null && request.headers["if-modified-since"] === modified);
    if (isSame) response.writeHead(304).end();
    else response.writeHead(status).end(body);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  base = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
  rmSync(root, { recursive: true });
});

describe("fileSensor", () => {
  it("finds what is there, what arrives, what is renamed in and what changes, by its glob, each once", async () => {
    const path = folder();
    mkdirSync(join(path, "sub"));
    writeFileSync(join(path, "old.csv"), "1");
    writeFileSync(join(path, "note.txt"), "no");
    writeFileSync(join(path, ".hidden.csv"), "no");
    const { seen, scheduler, clock } = await watching([fileSensor({ path, pattern: "**/*.csv", every: "10s", settle: "2s" })]);
    await clock.advance("1m");
    expect(seen).toMatchObject([{ path: join(path, "old.csv"), name: "old.csv", size: 1 }]);
    writeFileSync(join(path, "sub", "new.csv"), "22");
    writeFileSync(join(path, "moving.tmp"), "333");
    renameSync(join(path, "moving.tmp"), join(path, "moved.csv"));
    await clock.advance("1m");
    expect(seen.slice(1).map(({ name }) => name)).toEqual(["moved.csv", "new.csv"]);
    appendFileSync(join(path, "old.csv"), "more");
    await clock.advance("1m");
    expect(seen.at(-1)).toMatchObject({ name: "old.csv", size: 5 });
    unlinkSync(join(path, "old.csv"));
    await clock.advance("1m");
    expect(seen.length).toBe(4);
    await scheduler.stop();
  });

  it("waits until a file is no longer written", async () => {
    const path = folder();
    const { seen, scheduler, clock } = await watching([fileSensor({ path, pattern: "*.csv", every: "1s", jitter: 0, settle: "5s" })]);
    for (let n = 0; n < 10; n++) {
      appendFileSync(join(path, "big.csv"), "line\n");
      await clock.advance("3s");
    }
    expect(seen).toEqual([]);
    await clock.advance("10s");
    expect(seen).toMatchObject([{ name: "big.csv", size: 50 }]);
    await scheduler.stop();
  });

  it("can pass over what is there at first, and fails where there is no directory", async () => {
    const path = folder();
    writeFileSync(join(path, "old.csv"), "1");
    const missing = fileSensor({ path: join(path, "none"), every: "10s" });
    const { seen, scheduler, clock } = await watching([fileSensor({ path, existing: "ignore", every: "10s" }), missing]);
    await clock.advance("1m");
    writeFileSync(join(path, "new.csv"), "1");
    await clock.advance("1m");
    expect(seen.map(({ name }) => name)).toEqual(["new.csv"]);
    const status = scheduler.status().sensors.find(({ name }) => name === missing.name);
    expect(status).toMatchObject({ error: expect.stringContaining("ENOENT") });
    mkdirSync(join(path, "none"));
    await clock.advance("10m");
    expect(scheduler.status().sensors.every(({ failures }) => failures === 0)).toBe(true);
    await scheduler.stop();
  });
});

describe("httpSensor", () => {
  it.each([
    ["ETag", { etag: '"1"' }, { etag: '"2"' }, "if-none-match"],
    ["Last-Modified", { modified: "Mon, 02 Mar 2026 00:00:00 GMT" }, { modified: "Mon, 02 Mar 2026 01:00:00 GMT" }, "if-modified-since"],
    ["body", { body: "one" }, { body: "two" }, null],
  ])("notices a changed %s, and lets the server say that nothing has changed", async (_, before, after, header) => {
    Object.assign(site, { status: 200, etag: null, modified: null, body: "{}" }, before);
    const { seen, scheduler, clock } = await watching([httpSensor({ url: `${base}/data?key=s3cret`, every: "1m", ...LOCAL })]);
    await clock.advance("5m");
    expect(seen).toEqual([]);
    if (header !== null) expect(asked.at(-1)?.[header]).toBe(site.etag ?? site.modified);
    Object.assign(site, after);
    await clock.advance("5m");
    expect(seen).toMatchObject([{ url: `${base}/data`, previous: expect.anything() }]);
    expect(JSON.stringify((await scheduler.triggers()).items)).not.toContain("s3cret");
    await scheduler.stop();
  });

  it("watches a path, or a status, for a change or until it is so", async () => {
    Object.assign(site, { status: 200, etag: null, modified: null, body: '{"version":1,"ready":false}' });
    const { seen, scheduler, clock } = await watching([
      httpSensor({ name: "version", url: base, every: "1m", watch: { path: "version" }, ...LOCAL }),
      httpSensor({ name: "ready", url: base, every: "1m", watch: { path: "ready" }, mode: "edge", ...LOCAL }),
      httpSensor({ name: "down", url: base, every: "1m", watch: "status", mode: "edge", equals: 503, ...LOCAL }),
    ]);
    await clock.advance("5m");
    expect(seen).toEqual([]);
    site.body = '{"version":2,"ready":true}';
    await clock.advance("5m");
    expect(seen.map(({ value }) => value).toSorted()).toEqual([2, true]);
    site.status = 503;
    await clock.advance("5m");
    expect(seen.at(-1)).toMatchObject({ value: 503 });
    expect(seen.length).toBe(3);
    const failing = scheduler.status().sensors.filter(({ failures }) => failures > 0);
    expect(failing.map(({ name, error }) => [name, error])).toEqual([
      ["version", "responded with 503"],
      ["ready", "responded with 503"],
    ]);
    await scheduler.stop();
  });
});

describe("sqlSensor", () => {
  const databases: [string, () => Promise<{ source: { url: string }; run(sql: string): Promise<unknown>; close(): Promise<void> }>][] = [
    [
      "SQLite",
      async () => {
        const file = join(folder(), "shop.db");
        const connection = connect(file);
        return { source: { url: `sqlite:${file}` }, run: async (sql) => connection.exec(sql), close: async () => connection.close() };
      },
    ],
  ];
  if (url !== null) {
    databases.push([
      "PostgreSQL",
      async () => {
        const client = new pg.Client({ connectionString: url });
        await client.connect();
        const schema = `sensor_${process.pid}`;
        await client.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE; CREATE SCHEMA ${schema}`);
        const run = (sql: string) => client.query(`SET search_path = ${schema}; ${sql}`);
        const close = async () => {
          await client.query(`DROP SCHEMA ${schema} CASCADE`);
          await client.end();
        };
        return { source: { url: `${url}${url.includes("?") ? "&" : "?"}schema=${schema}` }, run, close };
      },
    ]);
  }

  it.each(databases)("finds new rows in %s by a growing column, one trigger each or all in one", async (_, make) => {
    const { source, run, close } = await make();
    await run("CREATE TABLE orders (id INTEGER PRIMARY KEY, total INTEGER); INSERT INTO orders VALUES (1, 10), (2, 20)");
    const query = "SELECT id, total FROM orders WHERE id > $1 ORDER BY id";
    const common = { ...source, ...LOCAL, query, cursorColumn: "id", start: 1, every: "1m" } as const;
    const { seen, scheduler, clock } = await watching([
      sqlSensor({ ...common, name: "one" }),
      sqlSensor({ ...common, name: "all", batch: true }),
    ]);
    await clock.advance("3m");
    expect(seen).toContainEqual({ id: 2, total: 20 });
    expect(seen).toContainEqual({ rows: [{ id: 2, total: 20 }] });
    await run("INSERT INTO orders VALUES (3, 30), (4, 40)");
    await clock.advance("3m");
    expect(seen.length).toBe(5);
    expect(seen).toContainEqual({
      rows: [
        { id: 3, total: 30 },
        { id: 4, total: 40 },
      ],
    });
    await scheduler.stop();
    await close();
  });

  it.each(databases)("notices in %s what a query gives, and rows that were changed", async (_, make) => {
    const { source, run, close } = await make();
    await run(
      "CREATE TABLE stock (id INTEGER PRIMARY KEY, n INTEGER, updated_at INTEGER); INSERT INTO stock VALUES (1, 5, 100), (2, 5, 100)",
    );
    const factory = patternSensors({ database: { ...source, table: "stock" }, ...LOCAL });
    const changed = factory({ kind: "sql", query: "rows that were updated", every: "1m", timeout: "2h" }, "job");
    const { seen, scheduler, clock, heard } = await watching([
      sqlSensor({ name: "sum", ...source, ...LOCAL, query: "SELECT sum(n) AS n FROM stock", every: "1m" }),
      sqlSensor({ name: "low", ...source, ...LOCAL, query: "SELECT count(*) FROM stock WHERE n = 0", mode: "edge", every: "1m" }),
      changed,
    ]);
    await clock.advance("3m");
    expect(heard("sensor.failed")).toEqual([]);
    expect(seen).toEqual([]);
    await run("UPDATE stock SET n = 6, updated_at = 200 WHERE id = 1");
    await clock.advance("3m");
    expect(seen.length).toBe(2);
    expect(seen).toContainEqual({ table: "stock", updated: 1, latest: "200" });
    expect(seen).toContainEqual({ value: { n: 11 }, previous: { n: 10 } });
    await run("UPDATE stock SET updated_at = 200 WHERE id = 2");
    await clock.advance("3m");
    expect(seen.at(-1), "at the same time as the newest before").toEqual({ table: "stock", updated: 1, latest: "200" });
    await run("UPDATE stock SET updated_at = 300 WHERE id = 2");
    await clock.advance("3m");
    expect(seen.at(-1)).toEqual({ table: "stock", updated: 1, latest: "300" });
    await run("DELETE FROM stock WHERE id = 2");
    await clock.advance("3m");
    expect(seen.at(-1)).toMatchObject({ value: { n: 6 } });
    await run("UPDATE stock SET n = 0");
    await clock.advance("3m");
    expect(seen.slice(-2).map(({ value }) => value)).toContainEqual({ n: 0 });
    expect(heard("sensor.failed")).toEqual([]);
    await scheduler.stop();
    await close();
  });

  it("fails visibly, and raises nothing, when the database is not there", async () => {
    const { seen, scheduler, clock } = await watching([
      sqlSensor({ name: "gone", url: "postgres://nobody@127.0.0.1:1/none", query: "SELECT 1", ...LOCAL }),
      sqlSensor({ name: "private", url: "postgres://nobody@127.0.0.1:1/none", query: "SELECT 1" }),
    ]);
    await clock.advance("10m");
    expect(seen).toEqual([]);
    expect(scheduler.status().sensors.map(({ error }) => error)).toEqual([
      expect.stringContaining("ECONNREFUSED"),
      expect.stringContaining("private network"),
    ]);
    await scheduler.stop();
  });
});

describe("pipelineSensor", () => {
  it("raises a trigger for every run of another pipeline that ends as said, in whatever order they end", async () => {
    const seen: unknown[] = [];
    let n = 0;
    const work = pipeline({
      id: "work",
      execution: { retries: 0, maxActiveRuns: 10 },
      run: async ({ clock, parameters }) => {
        await clock.sleep(`${parameters.minutes}m`);
        if (parameters.minutes === 1) throw new Error("bad");
        return { n: ++n };
      },
    });
    const clean = pipeline({
      id: "clean",
      sensors: [pipelineSensor({ pipeline: "work", status: ["failed"] }), pipelineSensor({ pipeline: "work" })],
      execution: { maxActiveRuns: 10 },
      run: ({ parameters }) => void seen.push([parameters.status, (parameters.output as { n: number } | null)?.n]),
    });
    const { scheduler, clock } = await harness([work, clean]);
    await scheduler.trigger("work", { parameters: { minutes: 0.1 } });
    await clock.advance("3m");
    const before = seen.length; // it ended at the very first look, or just after
    await scheduler.trigger("work", { parameters: { minutes: 30 } });
    await scheduler.trigger("work", { parameters: { minutes: 1 } });
    await scheduler.trigger("work", { parameters: { minutes: 10 } });
    await clock.advance("1h");
    expect(seen.slice(before)).toEqual([
      ["failed", undefined],
      ["succeeded", 2],
      ["succeeded", 3],
    ]);
    await clock.advance("1h");
    expect(seen.length).toBe(before + 3);
    await scheduler.stop();
  });
});

describe("an event-driven pattern", () => {
  it("starts its pipeline by its name alone: data_arrival, external_api_update", async () => {
    const directory = folder();
    mkdirSync(join(directory, "incoming"));
    Object.assign(site, { status: 200, etag: null, modified: null, body: '{"update_available":false}' });
    const seen: string[] = [];
    const jobs = (["data_arrival", "external_api_update"] as const).map((pattern) =>
      pipeline({ id: pattern, pattern, run: ({ pipelineId }) => void seen.push(pipelineId) }),
    );
    const { scheduler, clock, heard } = await harness(jobs, { sensorFactory: patternSensors({ directory, baseUrl: base, ...LOCAL }) });
    await clock.advance("10m");
    expect(seen).toEqual([]);
    writeFileSync(join(directory, "incoming", "flights.csv"), "a,b\n");
    await clock.advance("5m");
    expect(seen).toEqual(["data_arrival"]);
    site.body = '{"update_available":true}';
    await clock.advance("30m");
    expect(seen).toEqual(["data_arrival", "external_api_update"]);
    await clock.advance("2h");
    expect(heard("sensor.overdue").map(({ pipelineId }) => pipelineId)).toEqual(
      expect.arrayContaining(["data_arrival", "external_api_update"]),
    );
    await scheduler.stop();
  });

  it("for an API without the flag notices any change", async () => {
    Object.assign(site, { status: 200, etag: '"a"', modified: null, body: "[]" });
    const seen: string[] = [];
    const job = pipeline({ id: "job", pattern: "external_api_update", run: ({ pipelineId }) => void seen.push(pipelineId) });
    const { scheduler, clock } = await harness([job], { sensorFactory: patternSensors({ baseUrl: base, ...LOCAL }) });
    await clock.advance("30m");
    expect(seen).toEqual([]);
    site.etag = '"b"';
    await clock.advance("30m");
    expect(seen).toEqual(["job"]);
    await scheduler.stop();
  });

  it("says what is missing to look for it", async () => {
    const job = (pattern: "external_api_update" | "database_change") => pipeline({ id: "job", pattern, run: () => {} });
    await expect(harness([job("external_api_update")], { sensorFactory: patternSensors() })).rejects.toThrow(/needs baseUrl/);
    await expect(harness([job("database_change")], { sensorFactory: patternSensors() })).rejects.toThrow(/needs database/);
    const lines: string[] = [];
    const logger = { log: (_: string, message: string) => void lines.push(message) };
    const { scheduler } = await harness([job("external_api_update")], { logger });
    expect(lines).toContainEqual(expect.stringContaining("it has no sensor"));
    await scheduler.stop();
  });

  it("of one's own may bring its query", async () => {
    const file = join(folder(), "own.db");
    const connection = connect(file);
    connection.exec("CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (1)");
    const own = definePattern("own", {
      description: "When t changes",
      sensor: { kind: "sql", query: "SELECT sum(n) AS n FROM t", every: "1m", timeout: "1h" },
    });
    const seen: unknown[] = [];
    const job = pipeline({ id: "job", pattern: own, run: ({ parameters }) => void seen.push(parameters.value) });
    const { scheduler, clock } = await harness([job], { sensorFactory: patternSensors({ database: { url: `sqlite:${file}` } }) });
    await clock.advance("3m");
    connection.exec("INSERT INTO t VALUES (2)");
    await clock.advance("3m");
    expect(seen).toEqual([{ n: 3 }]);
    connection.close();
    await scheduler.stop();
  });
});
