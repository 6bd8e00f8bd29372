import { execFile, execFileSync, spawn } from "node:child_process";
import dns from "node:dns";
import { chmodSync, copyFileSync, linkSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import pg from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { sqlNumber, sqlProbe, sqlTimestamp } from "../../src/adapters/probes/index.js";
import { sqlSensor } from "../../src/adapters/sensors/index.js";
import { connect } from "../../src/adapters/shared/sqlite-driver.js";
import { sqliteStore } from "../../src/adapters/stores/sqlite/sqlite-store.js";
import type { Probe } from "../../src/index.js";
import { passwordAskingServer } from "../support/fake-postgres.js";
import { testDatabaseUrl } from "../support/postgres.js";

const folder = mkdtempSync(join(tmpdir(), "headgate-sql-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(() => vi.restoreAllMocks());

const LOCAL = { allowPrivateNetworks: true } as const;
const ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c";
const look = <T>(probe: Probe<T>, signal = AbortSignal.timeout(20_000)) => (async () => probe.measure({ signal, now: 0 }))();

describe("the url of a PostgreSQL database", () => {
  const refused = (url: string, message: RegExp, options = {}) =>
    expect(() => sqlProbe({ url, ...options }), url).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT", message: expect.stringMatching(message) }),
    );

  it.each([
    ["host", "?host=127.0.0.1"],
    ["hostaddr", "?hostaddr=127.0.0.1"],
    ["options", "?options=-c%20default_transaction_read_only%3Doff"],
    ["sslrootcert", "?sslrootcert=/etc/passwd"],
    ["sslcert", "?sslcert=/etc/passwd"],
    ["sslkey", "?sslkey=/etc/passwd"],
    ["password", "?password=hunter2"],
    ["user", "?user=postgres"],
    ["port", "?port=5432"],
    ["replication", "?replication=database"],
    ["application_name", "?application_name=x"],
    ["query_timeout", "?query_timeout=0"],
    ["HOST", "?HOST=127.0.0.1"],
  ])("cannot hold the parameter %s", (name, parameter) => {
    refused(`postgres://me@db.example/shop${parameter}`, new RegExp(`"${name}" is not allowed; allowed: schema, sslmode`), LOCAL);
  });

  it.each([
    ["no host", "postgres:///shop?schema=a", /name the user/],
    ["a user and no host", "postgres:///shop", /name the user/],
    ["no user", "postgres://db.example/shop", /name the user/],
    ["a socket", "postgres://me@%2Fvar%2Frun%2Fpostgresql/shop", /Unix socket/],
    ["digits of full width", "postgres://me@１２７.0.0.1/shop", /neither a name nor an address/],
    ["two schemas", "postgres://me@db.example/shop?schema=a&schema=b", /twice/],
    ["a schema that is SQL", "postgres://me@db.example/shop?schema=a%22%3B%20DROP", /is not a name/],
    [
      "an unknown sslmode",
      "postgres://me@db.example/shop?sslmode=prefer",
      /sslmode "prefer" is unknown; allowed: disable, no-verify, require/,
    ],
    ["a fragment", "postgres://me:a#b@db.example/shop", /name the host|write # as %23|must be one such as/],
    ["a NUL", "postgres://me@db.example/sh%00op", /percent-encoding/],
    ["several databases", "postgres://me@db.example/a/b", /one name/],
  ])("cannot have %s", (_, url, message) => refused(url, message));

  it("never stands in an error with its password", () => {
    for (const url of [
      "postgres://me:hunter2@db.example/shop?host=x",
      "postgres://me:hunter2@/shop",
      "postgres://me:hunter2@db .example/x",
    ])
      expect(() => sqlProbe({ url })).toThrow(expect.objectContaining({ message: expect.not.stringContaining("hunter2") }));
  });
});

describe("a query to PostgreSQL", async () => {
  const url = await testDatabaseUrl();
  if (url === null) return;
  const name = `headgate_sql_${process.pid}_${Math.floor(Math.random() * 1e6)}`;
  const { hostname, port, username, password } = new URL(url);
  const database = `postgres://${username}${password === "" ? "" : `:${password}`}@${hostname}:${port || 5432}/${name}`;
  const owner = new pg.Client({ connectionString: database });
  const marker = join(folder, "ran-on-the-server");
  chmodSync(folder, 0o777);

  beforeAll(async () => {
    const first = new pg.Client({ connectionString: url });
    await first.connect();
    await first.query(`CREATE DATABASE ${name}`);
    await first.end();
    await owner.connect();
    await owner.query("CREATE SCHEMA shop; CREATE SEQUENCE shop.numbers; CREATE TABLE shop.orders AS SELECT generate_series(1, 5) AS id");
  });
  afterAll(async () => {
    await owner.end();
    const last = new pg.Client({ connectionString: url });
    await last.connect();
    await last.query(`DROP DATABASE ${name} WITH (FORCE)`);
    await last.end();
  });

  const tables = async () => (await owner.query("SELECT relname FROM pg_class WHERE relname LIKE 'made%'")).rows;

  it.each([
    ["end the transaction and write", "SET default_transaction_read_only=off; COMMIT; CREATE TABLE made_by_statements (a int)"],
    ["hold a second statement", "SELECT 1; CREATE TABLE made_second (a int)"],
    ["hold a second statement behind a comment", "SELECT 1 /* ; */ ; COMMIT"],
    ["create a table", "CREATE TABLE made_alone (a int)"],
    ["create a table by SELECT", "SELECT 1 AS a INTO made_by_select"],
    ["run a program on the server", `COPY (SELECT 1) TO PROGRAM 'touch ${marker}'`],
    ["write a file on the server", `COPY (SELECT 1) TO '${marker}'`],
    ["change rows within WITH", "WITH gone AS (DELETE FROM shop.orders RETURNING id) SELECT count(*) FROM gone"],
    ["call what writes", "SELECT nextval('shop.numbers')"],
    ["turn reading only off", "SELECT set_config('transaction_read_only', 'off', true), nextval('shop.numbers')"],
    ["run a block", "DO $$ BEGIN CREATE TABLE made_by_block (a int); END $$"],
    ["close the cursor's transaction", "COMMIT"],
    ["lock rows", "SELECT id FROM shop.orders FOR UPDATE"],
    ["be empty but for a comment", "-- nothing"],
  ])("cannot %s", async (_, query) => {
    await expect(look(sqlProbe({ url: database, query, ...LOCAL }))).rejects.toMatchObject({ code: "PROBE_FAILED" });
    expect(await tables()).toEqual([]);
    expect((await owner.query("SELECT count(*)::int AS n FROM shop.orders")).rows).toEqual([{ n: 5 }]);
    expect(() => execFileSync("test", ["-e", marker])).toThrow();
  });

  it("leaves nothing behind that a read-only transaction lets through: it is never committed", async () => {
    await look(sqlProbe({ url: database, query: "SELECT lo_create(0)", ...LOCAL })).catch(() => {}); // refused by newer servers
    expect((await owner.query("SELECT count(*)::int AS n FROM pg_largeobject_metadata")).rows).toEqual([{ n: 0 }]);
  });

  it("reads by SELECT, VALUES, TABLE and WITH, with a semicolon or without, and by the schema of the url", async () => {
    for (const query of [
      "SELECT 5",
      "SELECT 5;",
      "VALUES (5)",
      "WITH a AS (SELECT 5 AS n) SELECT n FROM a -- so",
      "  SELECT count(*) FROM shop.orders",
    ])
      expect(await look(sqlNumber({ url: database, query, ...LOCAL })), query).toBe(5);
    expect(await look(sqlNumber({ url: `${database}?schema=shop&sslmode=disable`, query: "SELECT max(id) FROM orders", ...LOCAL }))).toBe(
      5,
    );
    expect(await look(sqlTimestamp({ url: database, query: "SELECT '2026-03-01 22:00:00.5+00'::timestamptz", ...LOCAL }))).toBe(
      Date.parse("2026-03-01T22:00:00.5Z"),
    );
  });

  it("cannot go on at the server after the probe's timeout, nor when it is given up", async () => {
    const query = "SELECT 1 FROM pg_sleep(60)";
    const sleeping = async () => {
      const { rows } = await owner.query("SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = $1 AND wait_event = 'PgSleep'", [
        name,
      ]);
      return rows[0].n as number;
    };
    await expect(look(sqlProbe({ url: database, query, timeout: 300, ...LOCAL }))).rejects.toThrow(/57014.*statement timeout/);
    expect(await sleeping()).toBe(0);
    const controller = new AbortController();
    const given = look(sqlProbe({ url: database, query, timeout: "2s", ...LOCAL }), controller.signal);
    await expect.poll(sleeping, { timeout: 10_000 }).toBe(1);
    controller.abort(new Error("given up"));
    await expect(given).rejects.toThrow("given up");
    await expect.poll(sleeping, { timeout: 20_000 }).toBe(0);
  });

  it("cannot wait for a lock longer than its timeout", async () => {
    await owner.query("BEGIN; LOCK TABLE shop.orders IN ACCESS EXCLUSIVE MODE");
    await expect(look(sqlNumber({ url: database, query: "SELECT count(*) FROM shop.orders", timeout: 200, ...LOCAL }))).rejects.toThrow(
      /timeout/,
    );
    await owner.query("ROLLBACK");
  });

  it("cannot fill the memory: neither rows nor bytes without bound are read", async () => {
    const before = process.memoryUsage().arrayBuffers + process.memoryUsage().rss;
    expect(await look(sqlNumber({ url: database, query: "SELECT * FROM generate_series(1, 1000000)", ...LOCAL }))).toBe(1);
    await expect(look(sqlNumber({ url: database, query: "SELECT repeat('x', 200000000)", ...LOCAL }))).rejects.toThrow(
      /more than 1048576 bytes/,
    );
    const sensor = sqlSensor({
      url: database,
      query: "SELECT id, 'x' AS x FROM generate_series(1, 1000000) AS id",
      cursorColumn: "id",
      ...LOCAL,
    });
    const answer = await sensor.poll({ cursor: null, signal: AbortSignal.timeout(20_000), now: 0 } as never);
    expect([answer.events.length, answer.hasMore]).toEqual([1_000, true]);
    expect(process.memoryUsage().arrayBuffers + process.memoryUsage().rss - before).toBeLessThan(100_000_000);
  });

  it("goes to no other address when its name does between check and connection", async () => {
    const lookups = vi.spyOn(dns, "lookup").mockImplementation(((
      _: string,
      options: { all?: boolean },
      done: (...found: unknown[]) => void,
    ) => {
      const address = lookups.mock.calls.length === 1 ? "203.0.113.9" : "127.0.0.1";
      done(null, options.all === true ? [{ address, family: 4 }] : address, 4);
    }) as never);
    const turning = database.replace(hostname, "turning.example");
    await expect(look(sqlProbe({ url: turning, timeout: 500 }), AbortSignal.timeout(1_000))).rejects.toMatchObject({
      code: "ADDRESS_REFUSED",
    });
    expect(lookups).toHaveBeenCalledTimes(1);
    // where it is allowed, the one address that was found is the one that is connected to
    lookups.mockReset();
    lookups.mockImplementation(((_: string, options: { all?: boolean }, done: (...found: unknown[]) => void) => {
      const address = lookups.mock.calls.length === 1 ? "127.0.0.1" : "203.0.113.9";
      done(null, options.all === true ? [{ address, family: 4 }] : address, 4);
    }) as never);
    expect(await look(sqlNumber({ url: turning, query: "SELECT 7", allowPrivateNetworks: ["127.0.0.0/8"] }))).toBe(7);
    expect(lookups).toHaveBeenCalledTimes(1);
  });

  it.each([
    "127.0.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "127.1",
    "017700000001",
    "127.0.0.1.",
    "localhost",
    "localhost.",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::7f00:1]",
    "[64:ff9b::7f00:1]",
  ])("does not reach this machine as %s", async (host) => {
    let connections = 0;
    const server: Server = createServer(() => connections++).listen(0);
    await new Promise((resolve) => server.once("listening", resolve));
    const at = (server.address() as { port: number }).port;
    await expect(look(sqlProbe({ url: `postgres://postgres@${host}:${at}/postgres` }))).rejects.toThrow();
    expect(connections).toBe(0);
    server.close();
  });
});

describe("a server that asks for a password", () => {
  it("is sent nothing of the process's environment or files of passwords", async () => {
    const server = await passwordAskingServer();
    const home = mkdtempSync(join(tmpdir(), "headgate-home-"));
    writeFileSync(join(home, ".pgpass"), "*:*:*:*:from-the-file\n", { mode: 0o600 });
    const environment = {
      PATH: process.env.PATH,
      HOME: home,
      PGPASSFILE: join(home, ".pgpass"),
      PGPASSWORD: "from-the-environment",
      PGUSER: "env-user",
      PGDATABASE: "env-database",
      PGHOST: "203.0.113.1",
      PGPORT: "1",
      PGOPTIONS: "-c env_option=1",
      PGAPPNAME: "env-application",
      PGREPLICATION: "database",
      PGSSLMODE: "require",
      PGSSLNEGOTIATION: "direct",
    };
    const script = fileURLToPath(new URL("password.fixture.ts", import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, ["--import", "tsx", script, String(server.port)], {
      env: environment,
      timeout: 60_000,
    });
    expect(stdout).toContain("requires a password, and the url has none");
    const sent = server.received();
    expect(sent).toContain("postgres\0database\0postgres");
    expect(sent).not.toMatch(/from-the-|env[-_]|replication\0database/);
    expect(sent).toContain("options\0-c default_transaction_read_only=on\0");
    await server.close();
    rmSync(home, { recursive: true });
  });
});

describe("a query to SQLite", () => {
  const shop = join(folder, "shop.db");
  beforeAll(() => {
    const connection = connect(shop);
    connection.exec("CREATE TABLE orders (id INTEGER PRIMARY KEY, note TEXT); INSERT INTO orders VALUES (1, 'a'), (2, 'b'), (3, 'c')");
    connection.close();
  });
  const children = () =>
    execFileSync("ps", ["-o", "pid=,stat=", "--ppid", String(process.pid)], { encoding: "utf8" })
      .split("\n")
      .filter((line) => /^\s*\d+\s+[RSDT]/.test(line))
      .map((line) => Number(line.trim().split(/\s+/)[0]));

  it("without end holds up nothing, and its process is gone when it is given up", async () => {
    const before = new Set(children());
    const controller = new AbortController();
    const endless = look(sqlNumber({ url: `sqlite:${shop}`, query: ENDLESS }), controller.signal);
    const busy = () => children().filter((one) => !before.has(one));
    await expect.poll(busy, { timeout: 20_000 }).toHaveLength(2); // ps is one
    let longest = 0;
    for (let turn = 0, last = performance.now(); turn < 50; turn++) {
      await new Promise((resolve) => setImmediate(resolve));
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }
    expect(longest).toBeLessThan(1_000);
    controller.abort(new Error("no response within 500ms"));
    await expect(endless).rejects.toThrow("no response within 500ms");
    await expect.poll(() => busy().length, { timeout: 20_000 }).toBeLessThanOrEqual(1);
  });

  it("without end does not outlive a process that was killed", async () => {
    const script = fileURLToPath(new URL("endless.fixture.ts", import.meta.url));
    const parent = spawn(process.execPath, ["--import", "tsx", script, shop, ENDLESS], { stdio: "ignore" });
    const below = () => {
      try {
        const lines = execFileSync("ps", ["-o", "pid=,args=", "--ppid", String(parent.pid)], { encoding: "utf8" }).split("\n");
        return lines.filter((line) => line.includes("node:worker_threads")).map((line) => Number(line.trim().split(" ")[0]));
      } catch {
        return []; // ps ends with 1 when there is none
      }
    };
    await expect.poll(below, { timeout: 30_000 }).toHaveLength(1);
    const [reader = 0] = below();
    parent.kill("SIGKILL");
    const isAlive = () => {
      try {
        return !/^State:\s+Z/m.test(readFileSync(`/proc/${reader}/status`, "utf8"));
      } catch {
        return false;
      }
    };
    await expect.poll(isAlive, { timeout: 20_000 }).toBe(false);
  });

  it("cannot take more than two processes, and one after an endless one is answered", async () => {
    const controller = new AbortController();
    const before = children().length;
    const endless = Array.from({ length: 8 }, () => look(sqlNumber({ url: `sqlite:${shop}`, query: ENDLESS }), controller.signal));
    const settled = Promise.allSettled(endless);
    await expect.poll(() => children().length - before, { timeout: 20_000 }).toBeGreaterThanOrEqual(1);
    expect(children().length - before).toBeLessThanOrEqual(3);
    controller.abort(new Error("late"));
    expect((await settled).map(({ status }) => status)).toEqual(new Array(8).fill("rejected"));
    expect(await look(sqlNumber({ url: `sqlite:${shop}`, query: "SELECT count(*) FROM orders" }))).toBe(3);
  });

  it.each([
    ["write", "INSERT INTO orders VALUES (9, 'x') RETURNING id", /readonly/],
    ["write without an answer", "DELETE FROM orders", /does not return data|readonly/],
    ["change how the file is kept", "PRAGMA user_version = 7", /readonly|does not return data/],
    [
      "attach another file that is not there",
      `ATTACH DATABASE '${join(folder, "made.db")}' AS made`,
      /unable to open|does not return data|readonly/,
    ],
    ["load an extension", "SELECT load_extension('/tmp/x.so')", /not authorized|no such function/],
  ])("cannot %s", async (_, query, message) => {
    await expect(look(sqlProbe({ url: `sqlite:${shop}`, query }))).rejects.toThrow(message);
    expect(await look(sqlNumber({ url: `sqlite:${shop}`, query: "SELECT count(*) FROM orders" }))).toBe(3);
    expect(() => execFileSync("test", ["-e", join(folder, "made.db")])).toThrow();
  });

  it("gives no more rows and bytes than are wanted", async () => {
    const many = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x AS id, 'n' AS note FROM c";
    const sensor = sqlSensor({ url: `sqlite:${shop}`, query: many, cursorColumn: "id" });
    const answer = await sensor.poll({ cursor: null, signal: AbortSignal.timeout(20_000), now: 0 } as never);
    expect([answer.events.length, answer.hasMore]).toEqual([1_000, true]);
    await expect(look(sqlProbe({ url: `sqlite:${shop}`, query: "SELECT hex(zeroblob(5000000))" }))).rejects.toThrow(
      /more than 1048576 bytes/,
    );
  });

  it("does not read headgate's own file, by no name and through no link", async () => {
    const own = join(folder, "headgate.db");
    const store = sqliteStore({ file: own });
    await store.open();
    const names = [
      own,
      join(folder, ".", "x", "..", "headgate.db"),
      join(folder, "soft.db"),
      join(folder, "hard.db"),
      `${own}-wal`,
      join(folder, "wal.db"),
    ];
    symlinkSync(own, join(folder, "soft.db"));
    linkSync(own, join(folder, "hard.db"));
    linkSync(`${own}-wal`, join(folder, "wal.db"));
    for (const one of names)
      await expect(look(sqlNumber({ url: `sqlite:${one}`, query: "SELECT count(*) FROM triggers" })), one).rejects.toThrow(
        /headgate's own database|ENOENT/,
      );
    await store.close();
    copyFileSync(own, join(folder, "copy.db"));
    expect(await look(sqlNumber({ url: `sqlite:${join(folder, "copy.db")}`, query: "SELECT count(*) FROM triggers" }))).toBe(0);
  });

  it("reads nothing that is not a file", async () => {
    execFileSync("mkfifo", [join(folder, "pipe")]);
    for (const one of [folder, join(folder, "pipe"), "/dev/zero"])
      await expect(look(sqlProbe({ url: `sqlite:${one}` }))).rejects.toThrow(/is not a file/);
  });
});
