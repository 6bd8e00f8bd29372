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
    expect(before).toMatchObject({ values: { scheduleIntervalMs: null, maxActiveRuns: 1 }, overrides: {} });
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
    expect((await scheduler.pipelineStatus("sales")).maxActiveRuns).toBe(3);
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
    expect(scheduler.upcoming({ count: 1 })[0]?.fireAt).toEqual(new Date("2026-03-02T00:01:00Z"));
    await scheduler.settings.change("sales", { scheduleIntervalMs: null });
    expect(scheduler.upcoming({ count: 1 })[0]?.fireAt).toEqual(new Date("2026-03-02T05:00:00Z"));
    await scheduler.stop();
  });

  it.each([
    [{ scheduleIntervalMs: 10 }, "INVALID_ARGUMENT", /at least 1000/],
    [{ stalenessThresholdMs: -1 }, "INVALID_DURATION", /not a duration/],
    [{ maxActiveRuns: 0 }, "INVALID_ARGUMENT", /from 1/],
    [{ isAdaptive: "yes" }, "INVALID_ARGUMENT", /true or false/],
    [{ maintenanceWindows: [{ start: "25:00", end: "26:00" }] }, "INVALID_ARGUMENT", /25:00/],
    [{ externalDependencies: [{ type: "http", url: "ftp://x" }] }, "INVALID_ARGUMENT", /http or https/],
    [{ externalDependencies: [{ type: "tcp", host: "x", port: 0 }] }, "INVALID_ARGUMENT", /port/],
    [{ externalDependencies: [{ type: "smoke" }] }, "INVALID_ARGUMENT", /allowed: http, tcp, file, sql/],
    [{ externalDependencies: [{ type: "sql", url: "mysql://x" }] }, "INVALID_ARGUMENT", /postgres:/],
    [{ externalDependencies: [{ type: "sql", url: "postgres://me:s3cret@x/y" }] }, "INVALID_ARGUMENT", /has a password/],
    [{ colour: "red" }, "INVALID_ARGUMENT", /is no setting/],
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
    await clock.advance("1s"); // a probe that fails is asked once more after 100 ms
    const [decision] = (await scheduler.decisions()).items;
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
    const url = (path: string) => `http://127.0.0.1:${port}${path}?key=s3cret`;
    expect(await decided({ type: "http", url: url("/good") })).toMatchObject({ outcome: "run", finding: { result: "pass" } });
    const blocked = await decided({ type: "http", url: url("/bad"), name: "warehouse" });
    expect(blocked).toMatchObject({
      outcome: "skip",
      finding: {
        condition: expect.stringContaining("depends on warehouse (http"),
        result: "block",
        reason: expect.stringContaining("answers 503"),
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
    expect(await decided({ type: "file", path })).toMatchObject({
      outcome: "skip",
      finding: { reason: expect.stringContaining("ENOENT") },
    });
    writeFileSync(path, "");
    expect(await decided({ type: "file", path })).toMatchObject({ outcome: "run" });
  });

  it("in private networks are not asked unless that is allowed", async () => {
    const [server, port] = await serve();
    const url = `http://127.0.0.1:${port}/good`;
    for (const allowPrivateNetworks of [false, ["10.0.0.0/8"]]) {
      for (const dependency of [
        { type: "http", url },
        { type: "http", url: `http://localhost:${port}/good` },
        { type: "tcp", host: "::1", port },
      ]) {
        const { outcome, finding } = await decided(dependency, { allowPrivateNetworks });
        expect(outcome).toBe("skip");
        expect(finding?.reason).toMatch(/private network/);
      }
    }
    expect(await decided({ type: "http", url }, { allowPrivateNetworks: true })).toMatchObject({ outcome: "run" });
    server.closeAllConnections();
    server.close();
  });

  it("that are databases pass when their query says so", async () => {
    const url = `sqlite:${join(folder, "prices.db")}`;
    const missing = await decided({ type: "sql", url });
    expect(missing).toMatchObject({ outcome: "skip", finding: { result: "block" } });
    const store = sqliteStore({ file: join(folder, "prices.db") });
    await store.open();
    await store.close();
    expect(await decided({ type: "sql", url })).toMatchObject({ outcome: "run" });
    const query = "SELECT count(*) FROM triggers";
    expect(await decided({ type: "sql", url, query })).toMatchObject({
      outcome: "skip",
      finding: { reason: expect.stringContaining("answers 0") },
    });
    expect(await decided({ type: "sql", url, query: "DELETE FROM triggers RETURNING 1" })).toMatchObject({
      outcome: "skip",
      finding: { reason: expect.stringMatching(/readonly/i) },
    });
  });
});
