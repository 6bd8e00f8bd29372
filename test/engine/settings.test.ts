import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { sqliteStore } from "../../src/adapters/stores/sqlite/sqlite-store.js";
import { cron, every, pipeline, type SchedulerOptions, stale } from "../../src/index.js";
import { harness } from "../support/harness.js";

const folder = mkdtempSync(join(tmpdir(), "headgate-settings-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const hourly = () => pipeline({ id: "sales", schedule: every("1h"), conditions: [stale({ olderThan: "10m" })], run: () => {} });

describe("settings changed at run time", () => {
  it("replace the code's schedule, freshness and slots, are listed with who and when, and go back to the code's", async () => {
    const { scheduler, clock, heard } = await harness([hourly()]);
    const before = await scheduler.settings.get("sales");
    expect(before).toMatchObject({ values: { scheduleIntervalMs: 3_600_000, maxActiveRuns: 1 }, overrides: {} });
    const after = await scheduler.settings.change(
      "sales",
      { scheduleIntervalMs: 15 * 60_000, stalenessThresholdMs: 20 * 60_000, maxActiveRuns: 3 },
      { user: "ana", reason: "less" },
    );
    expect(after.overrides).toMatchObject({
      scheduleIntervalMs: { user: "ana", at: new Date("2026-03-02T00:00:00Z") },
      maxActiveRuns: { user: "ana" },
    });
    expect(after.version).not.toBe(before.version);
    expect(heard("settings.changed")).toEqual([{ pipelineId: "sales" }]);
    await clock.advance("1h");
    const told = (await scheduler.decisions()).items
      .map(({ outcome, scheduledFor }) => `${outcome} ${scheduledFor?.getUTCMinutes()}`)
      .toReversed();
    expect(told).toEqual(["run 15", "skip 30", "run 45", "skip 0"]);
    expect((await scheduler.getPipelineStatus("sales")).maxActiveRuns).toBe(3);
    expect(scheduler.getPipeline("sales")?.execution.maxActiveRuns).toBe(3);
    expect(scheduler.getPipeline("unknown")).toBeNull();
    await scheduler.settings.change("sales", { scheduleIntervalMs: null, stalenessThresholdMs: null, maxActiveRuns: null });
    expect((await scheduler.settings.get("sales")).version).toBe(before.version);
    await clock.advance("1h");
    expect((await scheduler.decisions({ limit: 1 })).items[0]).toMatchObject({
      outcome: "run",
      scheduledFor: new Date("2026-03-02T02:00:00Z"),
    });
    await scheduler.stop();
  });

  it("are those of a pipeline whatever it is called", async () => {
    const { scheduler } = await harness([pipeline({ id: "constructor", schedule: every("1h"), run: () => {} })]);
    expect((await scheduler.settings.get("constructor")).overrides).toEqual({});
    await scheduler.settings.change("constructor", { maxActiveRuns: 4 });
    expect((await scheduler.settings.get("constructor")).values.maxActiveRuns).toBe(4);
    await scheduler.stop();
  });

  it("survive a pipeline that is replaced by the code", async () => {
    const { scheduler } = await harness([hourly()]);
    await scheduler.settings.change("sales", { scheduleIntervalMs: 60_000 });
    await scheduler.replace(pipeline({ id: "sales", schedule: cron("0 5 * * *"), run: () => {} }));
    expect((await scheduler.upcoming({ count: 1 }))[0]?.fireAt).toEqual(new Date("2026-03-02T00:01:00Z"));
    await scheduler.settings.change("sales", { scheduleIntervalMs: null });
    expect((await scheduler.upcoming({ count: 1 }))[0]?.fireAt).toEqual(new Date("2026-03-02T05:00:00Z"));
    await scheduler.stop();
  });

  it.each([
    [{ scheduleIntervalMs: 10 }, "INVALID_ARGUMENT", /at least 1000/],
    [{ stalenessThresholdMs: -1 }, "INVALID_DURATION", /not a duration/],
    [{ maxActiveRuns: 0 }, "INVALID_ARGUMENT", /from 1/],
    [{ isAdaptive: "yes" }, "INVALID_ARGUMENT", /true or false/],
    [{ maintenanceWindows: [{ start: "25:00", end: "26:00" }] }, "INVALID_ARGUMENT", /25:00/],
    [{ externalDependencies: [{ type: "http", url: "ftp://x" }] }, "INVALID_ARGUMENT", /http or https/],
    [{ externalDependencies: [{ type: "http", url: "https://me:s3cret@x/y" }] }, "INVALID_ARGUMENT", /contains a secret \(user\)/],
    [{ externalDependencies: [{ type: "http", url: "https://t0ken@x/y" }] }, "INVALID_ARGUMENT", /contains a secret \(user\)/],
    [
      { externalDependencies: [{ type: "http", url: "https://x/y?a=1&api_key=2&X-Amz-Signature=3" }] },
      "INVALID_ARGUMENT",
      /\(api_key, X-Amz-Signature\)/,
    ],
    [
      { externalDependencies: [{ type: "http", url: "https://x", headers: { a: "b" } }] },
      "INVALID_ARGUMENT",
      /"headers" is not a field of/,
    ],
    [{ externalDependencies: [{ type: "http", url: "https://x", connection: "prices" }] }, "INVALID_ARGUMENT", /not both/],
    [
      { externalDependencies: [{ type: "sql", connection: "warehouse" }] },
      "INVALID_ARGUMENT",
      /no such connection: "warehouse"; declared for sql: none/,
    ],
    [{ externalDependencies: [{ type: "sql", connection: "constructor" }] }, "INVALID_ARGUMENT", /no such connection: "constructor"/],
    [
      { externalDependencies: [{ type: "file", path: "/etc/shadow" }] },
      "INVALID_ARGUMENT",
      /cannot have "path": declare it under connections/,
    ],
    [{ externalDependencies: [{ type: "tcp", host: "x", port: 0 }] }, "INVALID_ARGUMENT", /port/],
    [{ externalDependencies: [{ type: "smoke" }] }, "INVALID_ARGUMENT", /allowed: http, tcp, file, sql/],
    [
      { externalDependencies: [{ type: "sql", url: "postgres://me@x/y" }] },
      "INVALID_ARGUMENT",
      /cannot have "url": declare it under connections/,
    ],
    [{ colour: "red" }, "INVALID_ARGUMENT", /unknown option; allowed: /],
  ])("%j is refused, and nothing is changed", async (change, code, message) => {
    const { scheduler } = await harness([hourly()]);
    const refused = scheduler.settings.change("sales", { ...change, ...("maxActiveRuns" in change ? {} : { maxActiveRuns: 9 }) } as never);
    await expect(refused).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    expect((await scheduler.settings.get("sales")).overrides).toEqual({});
    expect(await scheduler.audit.list({ limit: 10 })).toEqual([]);
    await scheduler.stop();
  });

  it("give no schedule to a pipeline whose parameters have no defaults", async () => {
    const { scheduler } = await harness([pipeline({ id: "asked", parameters: z.object({ day: z.string() }), run: () => {} })]);
    await expect(scheduler.settings.change("asked", { scheduleIntervalMs: 60_000 })).rejects.toMatchObject({ code: "INVALID_PIPELINE" });
    await expect(scheduler.settings.change("nobody", {})).rejects.toMatchObject({ code: "UNKNOWN_PIPELINE" });
    await scheduler.stop();
  });
});

describe("external dependencies", () => {
  const decided = async (dependency: unknown, options: SchedulerOptions = {}) => {
    const { scheduler, clock } = await harness([hourly()], { probeTtl: 0, allowPrivateNetworks: ["127.0.0.0/8"], ...options });
    await scheduler.settings.change("sales", { externalDependencies: [dependency] } as never);
    await scheduler.trigger("sales");
    const decisions = async () => {
      await clock.advance("100ms"); // a probe that fails is asked once more after 100 ms
      return (await scheduler.decisions()).items;
    };
    await expect.poll(decisions, { timeout: 20_000 }).not.toEqual([]);
    const [decision] = await decisions();
    await scheduler.stop();
    return { outcome: decision?.outcome, finding: decision?.findings.find(({ condition }) => condition.startsWith("depends on")) };
  };
  const serve = async (): Promise<[Server, number]> => {
    const server = createServer((request, response) => response.writeHead(request.url?.startsWith("/good") ? 200 : 503).end("body")).listen(
      0,
      "127.0.0.1",
    );
    await once(server, "listening");
    return [server, (server.address() as { port: number }).port];
  };

  it("over HTTP pass when they answer well", async () => {
    const [server, port] = await serve();
    const url = (path: string) => `http://127.0.0.1:${port}${path}?id=s3cret`;
    expect(await decided({ type: "http", url: url("/good") })).toMatchObject({ outcome: "run", finding: { result: "pass" } });
    const blocked = await decided({ type: "http", url: url("/bad"), name: "warehouse" });
    expect(blocked).toMatchObject({
      outcome: "skip",
      finding: {
        condition: expect.stringContaining("depends on warehouse (http"),
        result: "block",
        reason: expect.stringContaining("responded with 503"),
      },
    });
    expect(JSON.stringify(blocked)).not.toContain("s3cret");
    expect(await decided({ type: "http", url: url("/bad"), status: 503 })).toMatchObject({ outcome: "run" });
    server.closeAllConnections();
    server.close();
    await once(server, "close");
    expect(await decided({ type: "http", url: url("/good") })).toMatchObject({
      outcome: "skip",
      finding: { reason: expect.stringContaining("ECONNREFUSED") },
    });
  });

  it("over TCP and in files pass when they are there", async () => {
    const [server, port] = await serve();
    expect(await decided({ type: "tcp", host: "127.0.0.1", port })).toMatchObject({ outcome: "run" });
    server.close();
    await once(server, "close");
    expect(await decided({ type: "tcp", host: "127.0.0.1", port })).toMatchObject({ outcome: "skip", finding: { result: "block" } });
    const path = join(folder, "ready");
    const connections = { ready: { type: "file", path } } as const;
    const ready = { type: "file", connection: "ready" };
    const missing = await decided(ready, { connections });
    expect(missing).toMatchObject({ outcome: "skip", finding: { reason: expect.stringContaining("ENOENT") } });
    expect(JSON.stringify(missing)).not.toContain(folder);
    writeFileSync(path, "");
    expect(await decided(ready, { connections })).toMatchObject({ outcome: "run" });
  });

  it("in private networks are refused unless that is allowed", async () => {
    const [server, port] = await serve();
    const url = `http://127.0.0.1:${port}/good`;
    for (const allowPrivateNetworks of [false, ["10.0.0.0/8"]]) {
      for (const dependency of [
        { type: "http", url },
        { type: "http", url: `http://localhost:${port}/good` },
        { type: "tcp", host: "::1", port },
      ]) {
        const refused = await decided(dependency, { allowPrivateNetworks }).catch((error: unknown) => error);
        expect(refused).toMatchObject({ code: "INVALID_ARGUMENT", message: expect.stringMatching(/private network/) });
      }
    }
    expect(await decided({ type: "http", url }, { allowPrivateNetworks: true })).toMatchObject({ outcome: "run" });
    server.closeAllConnections();
    server.close();
  });

  it("that are databases pass when the query that is declared says so", async () => {
    const file = join(folder, "prices.db");
    const queries = { none: "SELECT count(*) FROM triggers", write: "DELETE FROM triggers RETURNING 1" };
    const connections = { prices: { type: "sql", url: `sqlite:${file}`, queries } } as const;
    const prices = (queryName?: string) => ({ type: "sql", connection: "prices", ...(queryName === undefined ? {} : { queryName }) });
    const missing = await decided(prices(), { connections });
    expect(missing).toMatchObject({ outcome: "skip", finding: { result: "block" } });
    const store = sqliteStore({ file });
    await store.open();
    await store.close();
    expect(await decided(prices(), { connections })).toMatchObject({ outcome: "run" });
    const none = await decided(prices("none"), { connections });
    expect(none).toMatchObject({
      outcome: "skip",
      finding: { condition: "depends on connection prices (none)", reason: expect.stringContaining("returned 0") },
    });
    expect(JSON.stringify(none)).not.toMatch(/sqlite:|SELECT|prices\.db/);
    expect(await decided(prices("write"), { connections })).toMatchObject({
      outcome: "skip",
      finding: { reason: expect.stringMatching(/readonly/i) },
    });
    await expect(decided(prices("other"), { connections })).rejects.toThrow(/has no query "other"; available: none, write/);
    await expect(decided({ type: "file", connection: "prices" }, { connections })).rejects.toThrow(
      /is of type sql, not file; declared for file: none/,
    );
  });
});
