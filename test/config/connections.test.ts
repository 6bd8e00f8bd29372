import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { dependencyFactory } from "../../src/adapters/probes/connections.js";
import { around, loaded, problemsOf } from "../support/config-file.js";

const SECTION = `connections:
  warehouse:
    type: sql
    url: \${WAREHOUSE_URL}
    queries: { loaded: "SELECT count(*) > 0 FROM loads" }
  local: { type: sql, url: "sqlite:data/x.db", query: SELECT 1 }
  prices: { type: http, url: "https://prices.example/health?key=k3y-value", headers: { X-Api-Key: "\${KEY}" }, status: 204 }
  lake: { type: sql, url: "file:lake.url", allow_private_networks: [10.0.0.0/8] }
  exports_ready: { type: file, path: exports/ready }
`;
const env = { WAREHOUSE_URL: "postgres://etl:s3cret-password@db.example/warehouse?schema=public&sslmode=require", KEY: "s3cret-key" };
const files = (pipeline: string) => ({
  "schedule_config.yaml": around(pipeline, SECTION),
  "lake.url": "postgres://etl:lake-password@lake/x\n",
});

describe("connections of the file", () => {
  it("are made for the scheduler, with paths from the file's own folder and texts of variables and files", () => {
    const { scheduler } = loaded(files(""), { env });
    expect(scheduler.connections).toEqual({
      warehouse: { type: "sql", url: env.WAREHOUSE_URL, queries: { loaded: "SELECT count(*) > 0 FROM loads" } },
      local: { type: "sql", url: expect.stringMatching(/^sqlite:\/.*\/data\/x\.db$/), query: "SELECT 1" },
      prices: { type: "http", url: "https://prices.example/health?key=k3y-value", headers: { "X-Api-Key": "s3cret-key" }, status: 204 },
      lake: { type: "sql", url: "postgres://etl:lake-password@lake/x", allowPrivateNetworks: ["10.0.0.0/8"] },
      exports_ready: { type: "file", path: expect.stringMatching(/\/exports\/ready$/) },
    });
  });

  it("show no secret in what is shown of the file, nor in what it refuses", () => {
    const config = loaded(files(""), { env });
    expect(JSON.stringify(config.shown)).not.toMatch(/s3cret|lake-password|k3y-value/);
    for (const secret of ["s3cret-password", "lake-password", env.WAREHOUSE_URL]) expect(config.scheduler.redact).toContain(secret);
    const wrong = { ...files(""), "lake.url": "postgres://etl:lake-password@lake/x?host=elsewhere" };
    const problems = problemsOf(wrong, { env: { ...env, WAREHOUSE_URL: "mysql://etl:s3cret-password@x" } });
    expect(problems).toHaveLength(2);
    expect(problems.join("\n")).toMatch(/connections\.lake: .*"host" is not allowed/);
    expect(problems.join("\n")).not.toMatch(/s3cret|lake-password/);
  });

  it("are what conditions of the file may name, too", () => {
    const dependencies = `conditions:
  - depends_on:
      - { type: sql, connection: warehouse, query_name: loaded, name: loads }
      - { type: file, connection: exports_ready }
      - { type: tcp, host: db.example, port: 5432 }`;
    const { scheduler } = loaded(files(dependencies), { env });
    expect(scheduler.pipelines[0]?.gate.conditions.map(({ name }) => name)).toEqual([
      "depends on loads (connection warehouse (loaded)), connection exports_ready, db.example:5432",
    ]);
  });

  it.each([
    ["connection: warehous", /no such connection: "warehous"; did you mean "?warehouse/],
    ["connection: warehouse, query_name: load", /no such query of warehouse: "load".*loaded/],
    ["connection: exports_ready", /the connection exports_ready has the type file/],
    ["connection: warehouse, url: x", /url cannot be combined with connection/],
    ["connection: warehouse, query: SELECT 1", /query cannot be combined with connection/],
  ])("refuse a dependency with { %s }", (rest, message) => {
    const problems = problemsOf(files(`conditions:\n  - depends_on: { type: sql, ${rest} }`), { env });
    expect(problems.join("\n")).toMatch(message);
    expect(problems).toHaveLength(1);
  });

  it.each([
    ["a: { type: sql }", /type sql requires url/],
    ["a: { type: file, url: x }", /type file requires path|type file has no url/],
    ["a: { type: http, url: 'https://x', query: SELECT 1 }", /type http has no query/],
    ["a: { type: smoke }", /type/],
    ["a: { type: sql, url: 'postgres://x/y' }", /name the user/],
  ])("are refused as { %s }", (text, message) => {
    expect(problemsOf(around("", `connections:\n  ${text}\n`)).join("\n")).toMatch(message);
  });

  it("are no way for a dependency to reach what the file did not name", () => {
    const folder = mkdtempSync(join(tmpdir(), "headgate-names-"));
    writeFileSync(join(folder, "x"), "");
    const factory = dependencyFactory({ ready: { type: "file", path: join(folder, "x") } }, {}, "test");
    for (const name of ["__proto__", "constructor", "toString", "", "READY", "ready ", "../ready"])
      expect(factory.conditionOf({ type: "file", connection: name }).evaluate({} as never), name).toMatchObject({ result: "block" });
  });
});
