import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { connect } from "../../src/adapters/shared/sqlite-driver.js";
import { sqliteStore } from "../../src/adapters/stores/sqlite/sqlite-store.js";
import { createScheduler, every, type NamedConnections, pipeline, type SchedulerOptions } from "../../src/index.js";
import { type Harness, harness } from "../support/harness.js";

const folder = mkdtempSync(join(tmpdir(), "headgate-connections-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const sales = () => pipeline({ id: "sales", schedule: every("1h"), run: () => {} });

async function decisionOf({ scheduler, clock }: Pick<Harness, "scheduler" | "clock">) {
  const before = (await scheduler.decisions()).items.length;
  await scheduler.trigger("sales");
  const decisions = async () => {
    await clock.advance("100ms");
    return (await scheduler.decisions()).items;
  };
  await expect.poll(async () => (await decisions()).length, { timeout: 20_000 }).toBe(before + 1);
  const [decision] = (await scheduler.decisions()).items;
  return { outcome: decision?.outcome, finding: decision?.findings.find(({ condition }) => condition.startsWith("depends on")) };
}

/** A store as 0.1.0 has left it, with dependencies that were set at run time then. */
async function keptBy010(name: string, dependencies: readonly unknown[]) {
  const file = join(folder, name);
  const store = sqliteStore({ file });
  await store.open();
  await store.close();
  const connection = connect(file);
  const value = { externalDependencies: { value: dependencies, at: 1_772_000_000_000, user: "ana" } };
  connection.exec(
    `INSERT INTO documents (kind, id, value, version, updated_at, updated_by) VALUES ('override', 'sales', '${JSON.stringify(value).replaceAll("'", "''")}', 1, 1772000000000, 'ana')`,
  );
  connection.close();
  return sqliteStore({ file });
}

describe("dependencies that 0.1.0 has kept", () => {
  const marker = join(folder, "ready");
  writeFileSync(marker, "");

  it.each([
    [
      "a url of PostgreSQL",
      { type: "sql", url: "postgres://postgres@127.0.0.1/postgres?host=/var/run/postgresql&password=s3cret" },
      /cannot have "url": declare it under connections/,
    ],
    ["a url of SQLite and a query", { type: "sql", url: `sqlite:${marker}`, query: "SELECT 1" }, /cannot have "url": declare it/],
    ["a path", { type: "file", path: marker }, /cannot have "path": declare it under connections/],
    ["something unknown", { type: "smoke", secret: "s3cret" }, /type "smoke" is unknown/],
  ])("with %s neither run nor pass: they block, say what to do, and can be reset", async (name, dependency, reason) => {
    const store = await keptBy010(`${name}.db`, [dependency]);
    const running = await harness([sales()], { store, allowPrivateNetworks: true });
    const { outcome, finding } = await decisionOf(running);
    expect(outcome).toBe("skip");
    expect(finding).toMatchObject({ result: "block", reason: expect.stringMatching(reason) });
    expect(finding?.reason).toMatch(/or reset external_dependencies to null$/);
    const { values, overrides } = await running.scheduler.settings.get("sales");
    expect(overrides.externalDependencies).toMatchObject({ user: "ana" });
    const again = running.scheduler.settings.change("sales", { externalDependencies: values.externalDependencies, maxActiveRuns: 2 });
    await expect(again).rejects.toMatchObject({ code: "INVALID_ARGUMENT", message: expect.stringMatching(reason) });
    await running.scheduler.settings.change("sales", { externalDependencies: null }, { user: "ana" });
    expect(await decisionOf(running)).toEqual({ outcome: "run", finding: undefined });
    const shown = JSON.stringify([finding, await running.scheduler.audit.list({ limit: 10 }), values.externalDependencies]);
    expect(shown.replaceAll('"secret":"s3cret"', "")).not.toContain("s3cret");
    await running.scheduler.stop();
  });

  it("over HTTP go on, without showing what is secret in their addresses", async () => {
    const url = "http://127.0.0.1:1/health?token=s3cret&id=7";
    const store = await keptBy010("http.db", [{ type: "http", url }]);
    const running = await harness([sales()], { store, allowPrivateNetworks: true });
    expect((await decisionOf(running)).finding?.reason).toMatch(/is not responding \(ECONNREFUSED\)/);
    const { values } = await running.scheduler.settings.get("sales");
    expect(values.externalDependencies).toEqual([{ type: "http", url: "http://127.0.0.1:1/health?token=%5Bhidden%5D&id=7" }]);
    await running.scheduler.settings.change("sales", { externalDependencies: null });
    expect(JSON.stringify(await running.scheduler.audit.list({ limit: 10 }))).not.toContain("s3cret");
    await running.scheduler.stop();
  });
});

describe("connections", () => {
  it.each<[string, NamedConnections, RegExp]>([
    [
      "a url with more than it may have",
      { warehouse: { type: "sql", url: "postgres://me:s3cret@db.example/x?options=-c" } },
      /"options" is not allowed/,
    ],
    ["a url of another database", { warehouse: { type: "sql", url: "mysql://me:s3cret@x" } }, /url is required, such as postgres:/],
    ["an empty query", { warehouse: { type: "sql", url: "sqlite:x", queries: { ready: "" } } }, /query is required/],
    ["not a path", { warehouse: { type: "file", path: "" } }, /path is required/],
    ["a url that is not one", { warehouse: { type: "http", url: "ftp://me:s3cret@x" } }, /not an http or https address/],
    ["an unknown type", { warehouse: { type: "smoke" } as never }, /type "smoke" is unknown/],
    ["a name with blanks", { "a warehouse": { type: "file", path: "x" } }, /the name must have/],
    [
      "a network that is none",
      { warehouse: { type: "sql", url: "postgres://me@x", allowPrivateNetworks: ["x"] } },
      /allowPrivateNetworks: "x" is not a network/,
    ],
  ])("are refused with %s, when the scheduler is made and when they are loaded again", async (_, connections, message) => {
    expect(() => createScheduler({ connections })).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT", message: expect.stringMatching(message) }),
    );
    const { scheduler } = await harness([sales()], { connections: { ok: { type: "file", path: "." } } });
    const refused = scheduler.reload({ pipelines: scheduler.pipelines(), connections });
    await expect(refused).rejects.toMatchObject({ code: "INVALID_ARGUMENT", message: expect.stringMatching(message) });
    await expect(refused).rejects.toMatchObject({ message: expect.not.stringContaining("//me:s3cret") });
    await scheduler.settings.change("sales", { externalDependencies: [{ type: "file", connection: "ok" }] });
    await scheduler.stop();
  });

  it("that are declared otherwise are asked otherwise at once, and one that is gone blocks", async () => {
    const [here, gone] = [join(folder, "here"), join(folder, "not-there")];
    writeFileSync(here, "");
    const job = sales();
    const running = await harness([job], { connections: { ready: { type: "file", path: gone } }, probeTtl: 0 });
    const { scheduler } = running;
    await scheduler.settings.change("sales", { externalDependencies: [{ type: "file", connection: "ready", name: "exports" }] });
    expect(await decisionOf(running)).toMatchObject({ outcome: "skip", finding: { condition: "depends on exports (connection ready)" } });
    await scheduler.reload({ pipelines: [job], connections: { ready: { type: "file", path: here } } });
    expect(await decisionOf(running)).toMatchObject({ outcome: "run" });
    await scheduler.reload({ pipelines: [job] });
    expect(await decisionOf(running)).toMatchObject({ outcome: "run" });
    await scheduler.reload({ pipelines: [job], connections: {} });
    expect(await decisionOf(running)).toMatchObject({
      outcome: "skip",
      finding: {
        condition: "depends on exports",
        reason: expect.stringMatching(/no such connection: "ready"; declared for file: none/),
      },
    });
    await scheduler.stop();
  });

  it("over HTTP take their headers and parameters to nobody but the server, and show them to nobody", async () => {
    const { createServer } = await import("node:http");
    const got: unknown[] = [];
    const server = createServer((request, response) => {
      got.push([request.url, request.headers["x-api-key"]]);
      response.end();
    }).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as { port: number };
    const prices = { type: "http", url: `http://127.0.0.1:${port}/health?key=s3cret`, headers: { "X-Api-Key": "t0ken" } } as const;
    const options: SchedulerOptions = { connections: { prices } };
    const running = await harness([sales()], options);
    await running.scheduler.settings.change("sales", { externalDependencies: [{ type: "http", connection: "prices" }] });
    const decision = await decisionOf(running);
    expect(decision).toMatchObject({ outcome: "run", finding: { result: "pass" } });
    expect(got).toEqual([["/health?key=s3cret", "t0ken"]]);
    const { settings, audit } = running.scheduler;
    expect(JSON.stringify([decision, await settings.get("sales"), await audit.list({ limit: 9 })])).not.toMatch(
      /s3cret|t0ken|127\.0\.0\.1/,
    );
    await running.scheduler.stop();
    server.closeAllConnections();
    server.close();
  });
});
