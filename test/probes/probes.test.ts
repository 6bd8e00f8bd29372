import { once } from "node:events";
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  commandProbe,
  fileModified,
  httpProbe,
  httpTimestamp,
  sqlNumber,
  sqlProbe,
  sqlTimestamp,
  systemLoad,
  tcpProbe,
} from "../../src/adapters/probes/index.js";
import { dataVolume, healthy, type Probe, pipeline, stale } from "../../src/index.js";
import { harness } from "../support/harness.js";
import { testDatabaseUrl } from "../support/postgres.js";

const folder = mkdtempSync(join(tmpdir(), "headgate-probes-"));
const LOCAL = { allowPrivateNetworks: true } as const;
const url = await testDatabaseUrl();
const requests: IncomingMessage[] = [];
let server: Server;
let other: Server;
let base = "";
let elsewhere = "";

const ANSWERS: Record<string, (request: IncomingMessage, response: ServerResponse) => void> = {
  "/ok": (_, response) => response.end(JSON.stringify({ status: "ok", data: { items: [{ at: "2026-03-01T22:00:00Z" }] }, count: 0 })),
  "/down": (_, response) => response.writeHead(503).end("secret text"),
  "/text": (_, response) => response.end("plain"),
  "/loop": (_, response) => response.writeHead(302, { location: "/loop" }).end(),
  "/moved": (_, response) => response.writeHead(301, { location: "/ok" }).end(),
  "/away": (_, response) => response.writeHead(307, { location: `${elsewhere}/ok` }).end(),
  "/file": (_, response) => response.writeHead(302, { location: "file:///etc/passwd" }).end(),
  "/large": (_, response) => response.end("x".repeat(2_000_000)),
  "/hang": () => {},
  "/half": (_, response) => {
    response.writeHead(200, { "content-length": "100" }).write("half");
    setImmediate(() => response.destroy());
  },
};

async function listening(): Promise<[Server, string]> {
  const made = createServer((request, response) => {
    requests.push(request);
    const answer = ANSWERS[(request.url ?? "/").split("?")[0] as string];
    if (answer === undefined) response.writeHead(404).end();
    else answer(request, response);
  }).listen(0, "127.0.0.1");
  await once(made, "listening");
  return [made, `http://127.0.0.1:${(made.address() as { port: number }).port}`];
}

beforeAll(async () => {
  [server, base] = await listening();
  [other, elsewhere] = await listening();
});

afterAll(() => {
  for (const one of [server, other]) {
    one.closeAllConnections();
    one.close();
  }
  rmSync(folder, { recursive: true });
});

const look = <T>(probe: Probe<T>, signal = new AbortController().signal) => (async () => probe.measure({ signal, now: 0 }))();
const port = () => Number(new URL(base).port);

describe("a probe over HTTP", () => {
  it.each([
    ["/ok", {}, true, "responded with 200"],
    ["/down", {}, false, "responded with 503"],
    ["/down", { status: 503 }, true, "responded with 503"],
    ["/down", { status: [500, 503] }, true, "responded with 503"],
    ["/ok", { json: { path: "status", equals: "ok" } }, true, 'reports status: "ok"'],
    ["/ok", { json: { path: "status", equals: "great" } }, false, 'reports status: "ok"'],
    ["/ok", { json: { path: "count" } }, false, "reports count: 0"],
    ["/ok", { json: { path: "nothing.here" } }, false, "reports nothing.here: nothing"],
    ["/moved", {}, true, "responded with 200"],
  ])("%s with %j is healthy: %s", async (path, options, isHealthy, reason) => {
    expect(await look(httpProbe({ url: base + path, ...LOCAL, ...options }))).toMatchObject({ isHealthy, reason });
  });

  it.each([
    ["/loop", {}, /more than 5 redirects/],
    ["/file", {}, /not an http or https address/],
    ["/text", { json: { path: "a" } }, /not JSON/],
    ["/large", { json: { path: "a" } }, /more than 1048576 bytes/],
    ["/half", { json: { path: "a" } }, /is not responding/],
  ])("%s fails, and says why", async (path, options, message) => {
    await expect(look(httpProbe({ url: base + path, ...LOCAL, ...options }))).rejects.toThrow(message);
  });

  it("asks no private network unless that is allowed, not even when sent there", async () => {
    await expect(look(httpProbe({ url: `${base}/ok` }))).rejects.toMatchObject({ code: "ADDRESS_REFUSED" });
    for (const host of ["localhost", "[::1]", "[::ffff:127.0.0.1]", "0x7f.1", "169.254.169.254", "10.1.2.3", "[fd00::1]"])
      await expect(look(httpProbe({ url: `http://${host}:${port()}/ok` })), host).rejects.toMatchObject({ code: "ADDRESS_REFUSED" });
    const onlyThere = { allowPrivateNetworks: ["127.0.0.1/32"] };
    expect(await look(httpProbe({ url: `${base}/ok`, ...onlyThere }))).toMatchObject({ isHealthy: true });
    await expect(look(httpProbe({ url: `http://127.0.0.2:${port()}/ok`, ...onlyThere }))).rejects.toMatchObject({
      code: "ADDRESS_REFUSED",
    });
    expect(() => httpProbe({ url: "ftp://x" })).toThrow(/not an http or https address/);
    expect(() => httpProbe({ url: base, allowPrivateNetworks: ["10.0.0.0/99"] })).toThrow(/is not a network/);
  });

  it("takes its secrets nowhere else, and shows them to nobody", async () => {
    requests.length = 0;
    const url = `${base.replace("http://", "http://me:pass@")}/away?key=s3cret`;
    const probe = httpProbe({ url, headers: { Authorization: "Bearer t0ken", "X-Api-Key": "t0ken" }, ...LOCAL });
    const health = await look(probe);
    expect(requests.map(({ headers }) => [headers.authorization, headers["x-api-key"]])).toEqual([
      ["Bearer t0ken", "t0ken"],
      [undefined, undefined],
    ]);
    expect(JSON.stringify([probe.name, health])).not.toMatch(/s3cret|t0ken|pass@|secret text/);
    expect(httpProbe({ url, ...LOCAL }).name).not.toBe(probe.name);
  });

  it("gives up when its signal says so", async () => {
    const controller = new AbortController();
    const found = look(httpProbe({ url: `${base}/hang`, ...LOCAL }), controller.signal);
    await once(server, "request");
    controller.abort(new Error("late"));
    await expect(found).rejects.toThrow("late");
  });
});

describe("a probe for the age of data", () => {
  it.each([
    ["data.items[0].at", Date.parse("2026-03-01T22:00:00Z")],
    ["$.data.items[0].at", Date.parse("2026-03-01T22:00:00Z")],
  ])("reads %s of a server's JSON", async (path, at) => {
    expect(await look(httpTimestamp({ url: `${base}/ok`, path, ...LOCAL }))).toBe(at);
  });

  it("reports what is not an instant", async () => {
    await expect(look(httpTimestamp({ url: `${base}/ok`, path: "status", ...LOCAL }))).rejects.toThrow(/status: "ok" is not an instant/);
    await expect(look(httpTimestamp({ url: `${base}/ok`, path: "nothing", ...LOCAL }))).rejects.toThrow(/nothing is not an instant/);
    await expect(look(httpTimestamp({ url: `${base}/down`, path: "a", ...LOCAL }))).rejects.toThrow(/responded with 503/);
    expect(() => httpTimestamp({ url: base, path: "a..b" })).toThrow(/is not a path/);
  });

  it("reads when a file was written", async () => {
    const file = join(folder, "data.csv");
    expect(await look(fileModified(file))).toBeNull();
    writeFileSync(file, "a");
    utimesSync(file, 1_772_000_000, 1_772_000_000);
    expect(await look(fileModified(file))).toBe(1_772_000_000_000);
  });

  it("asks SQLite, which must be there", async () => {
    await expect(look(sqlNumber({ url: `sqlite:${join(folder, "none.db")}`, query: "SELECT 1" }))).rejects.toThrow(/is not responding/);
    expect(() => sqlNumber({ url: "mysql://x", query: "SELECT 1" })).toThrow(/postgres:/);
  });

  it.skipIf(url === null)("asks PostgreSQL, for reading only", async () => {
    if (url === null) return;
    const at = "TIMESTAMPTZ '2026-03-01 22:00:00.123456+00'";
    expect(await look(sqlTimestamp({ url, query: `SELECT ${at}`, ...LOCAL }))).toBe(Date.parse("2026-03-01T22:00:00.123Z"));
    expect(await look(sqlTimestamp({ url, query: "SELECT NULL", ...LOCAL }))).toBeNull();
    expect(await look(sqlTimestamp({ url, query: "SELECT 1 WHERE false", ...LOCAL }))).toBeNull();
    expect(await look(sqlNumber({ url, query: "SELECT count(*) FROM generate_series(1, 12)", ...LOCAL }))).toBe(12);
    expect(await look(sqlProbe({ url, ...LOCAL }))).toMatchObject({ isHealthy: true });
    expect(await look(sqlProbe({ url, query: "SELECT false", ...LOCAL }))).toMatchObject({ isHealthy: false });
    await expect(look(sqlProbe({ url, query: "CREATE TABLE probe_was_here (a int)", ...LOCAL }))).rejects.toThrow(/syntax error/);
    await expect(look(sqlProbe({ url, query: "SELEC 1", ...LOCAL }))).rejects.toThrow(/syntax error/);
    await expect(look(sqlProbe({ url }))).rejects.toMatchObject({ code: "ADDRESS_REFUSED" });
    const controller = new AbortController();
    const slow = look(sqlProbe({ url, query: "SELECT pg_sleep(60)", ...LOCAL }), controller.signal);
    setImmediate(() => controller.abort());
    await expect(slow).rejects.toThrow();
  });
});

describe("a probe of a port or a program", () => {
  it("knows whether something accepts connections", async () => {
    expect(await look(tcpProbe({ host: "127.0.0.1", port: port(), ...LOCAL }))).toMatchObject({ isHealthy: true });
    await expect(look(tcpProbe({ host: "127.0.0.1", port: 1, ...LOCAL }))).rejects.toThrow(/ECONNREFUSED/);
    await expect(look(tcpProbe({ host: "localhost", port: port() }))).rejects.toMatchObject({ code: "ADDRESS_REFUSED" });
  });

  it("goes by a program's exit code, shows nothing of what it writes, and gives it no more of the environment than it must", async () => {
    const node = process.execPath;
    const run = (script: string, options = {}) => look(commandProbe({ command: node, args: ["-e", script], ...options }));
    expect(await run("console.log('s3cret')")).toEqual({ isHealthy: true, reason: "exited with 0", evidence: { exit_code: 0 } });
    expect(await run("process.exit(3)")).toMatchObject({ isHealthy: false, reason: "exited with 3" });
    process.env.HEADGATE_SECRET = "x";
    expect(await run("process.exit(process.env.HEADGATE_SECRET ? 1 : 0)")).toMatchObject({ isHealthy: true });
    expect(await run("process.exit(process.env.OWN ? 0 : 1)", { env: { OWN: "1" } })).toMatchObject({ isHealthy: true });
    await expect(look(commandProbe({ command: "no-such-program" }))).rejects.toThrow(/cannot be started \(ENOENT\)/);
  });

  it("kills a program that takes too long, and what it has started", async () => {
    const file = join(folder, "child.pid");
    const child = "setInterval(() => {}, 1000)";
    const parent = `const c = require("child_process").spawn(process.execPath, ["-e", ${JSON.stringify(child)}]);
      require("fs").writeFileSync(${JSON.stringify(file)}, String(c.pid)); ${child}`;
    const controller = new AbortController();
    const found = look(commandProbe({ command: process.execPath, args: ["-e", parent] }), controller.signal);
    const { readFileSync } = await import("node:fs");
    const written = () => {
      try {
        return Number(readFileSync(file, "utf8"));
      } catch {
        return 0;
      }
    };
    await expect.poll(written, { timeout: 10_000 }).toBeGreaterThan(0);
    controller.abort(new Error("late"));
    await expect(found).rejects.toThrow("late");
    const isAlive = () => {
      try {
        process.kill(written(), 0);
        return !readFileSync(`/proc/${written()}/stat`, "utf8").includes(" Z ");
      } catch {
        return false;
      }
    };
    await expect.poll(isAlive, { timeout: 10_000 }).toBe(false);
  });
});

describe("conditions that ask the outside", () => {
  const decisionOf = async (conditions: Parameters<typeof pipeline>[0]["conditions"]) => {
    const { scheduler, clock } = await harness([pipeline({ id: "a", ...(conditions === undefined ? {} : { conditions }), run: () => {} })]);
    await scheduler.trigger("a");
    await clock.advance("1s");
    const [decision] = (await scheduler.decisions()).items;
    await scheduler.stop();
    return { outcome: decision?.outcome, finding: decision?.findings[0] };
  };

  it("tell what they saw: status, latency, value, age", async () => {
    const web = httpProbe({ url: `${base}/ok?key=s3cret`, ...LOCAL });
    const good = await decisionOf([healthy({ probes: [web, tcpProbe({ host: "127.0.0.1", port: port(), ...LOCAL })] })]);
    expect(good).toMatchObject({
      outcome: "run",
      finding: {
        result: "pass",
        evidence: {
          probes: [
            { is_good: true, status: 200, latency_ms: expect.any(Number) },
            { name: `127.0.0.1:${port()}`, is_good: true },
          ],
        },
      },
    });
    const bad = await decisionOf([healthy({ probes: [web, tcpProbe({ host: "127.0.0.1", port: 1, ...LOCAL })] })]);
    expect(bad).toMatchObject({ outcome: "skip", finding: { reason: "127.0.0.1:1 is not responding (ECONNREFUSED)" } });
    expect(JSON.stringify([good, bad])).not.toContain("s3cret");
    expect(await decisionOf([healthy({ probes: [tcpProbe({ host: "127.0.0.1", port: 1, ...LOCAL })], onError: "pass" })])).toMatchObject({
      outcome: "run",
      finding: { reason: expect.stringContaining("counts as pass") },
    });
    const fresh = stale({ olderThan: "6h", source: httpTimestamp({ url: `${base}/ok`, path: "data.items[0].at", ...LOCAL }) });
    expect(await decisionOf([fresh])).toMatchObject({ outcome: "skip", finding: { evidence: { age_ms: 7_200_000 } } });
  });

  it("count data of unknown age as stale, unless told otherwise", async () => {
    const source = httpTimestamp({ url: `${base}/down`, path: "a", ...LOCAL });
    expect(await decisionOf([stale({ olderThan: "6h", source })])).toMatchObject({ outcome: "run", finding: { result: "pass" } });
    expect(await decisionOf([stale({ olderThan: "6h", source, onError: "block" })])).toMatchObject({ outcome: "skip" });
  });

  it("look at the machine and at the line", async () => {
    expect(await decisionOf([systemLoad({ cpu: 100, memory: 100, queueLength: 5, disk: { path: folder, percent: 100 } })])).toMatchObject({
      outcome: "run",
    });
    expect(await decisionOf([systemLoad({ memory: 0.1 })])).toMatchObject({
      outcome: "skip",
      finding: { reason: expect.stringMatching(/memory [\d.]+ %, over 0.1 %/) },
    });
    expect(await decisionOf([systemLoad({ disk: { path: join(folder, "none"), percent: 90 } })])).toMatchObject({
      outcome: "skip",
      finding: { reason: expect.stringContaining("ENOENT") },
    });
    expect(() => systemLoad({})).toThrow(/at least one limit/);
    expect(() => systemLoad({ cpu: 120 })).toThrow(/percentage/);
  });

  it("weigh the volume of data", async () => {
    const source = (value: number): Probe<number> => ({ name: `rows ${value}`, measure: () => value });
    expect(await decisionOf([dataVolume({ source: source(5), min: 10 })])).toMatchObject({
      outcome: "skip",
      finding: { evidence: { value: 5 } },
    });
    expect(await decisionOf([dataVolume({ source: source(50), min: 10, max: 40 })])).toMatchObject({ outcome: "skip" });
    expect(await decisionOf([dataVolume({ source: source(20), min: 10, max: 40 })])).toMatchObject({ outcome: "run" });
    expect(await decisionOf([dataVolume({ source: source(Number.NaN), min: 10 })])).toMatchObject({ outcome: "skip" });
    expect(() => dataVolume({ source: source(1) })).toThrow(/min and.or max/);
  });
});
