import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTriggerApi, type TriggerApi } from "../../src/adapters/http/index.js";
import { loadConfig } from "../../src/config/index.js";
import { maintenanceWindow, pipeline } from "../../src/index.js";
import { type Harness, harness } from "../support/harness.js";

const TOKEN = "admin-token-of-the-settings";
const logged: { level: string; message: string; fields: Record<string, unknown> }[] = [];
let one: Harness;
let api: TriggerApi;

beforeAll(async () => {
  one = await harness([pipeline({ id: "shop", run: () => {} }), pipeline({ id: "stock", run: () => {} })], {
    logger: { log: (level, message, fields) => void logged.push({ level, message, fields }) },
    allowPrivateNetworks: false,
  });
  api = createTriggerApi(one.scheduler, { adminToken: TOKEN });
});
afterAll(() => one.scheduler.stop());

async function call(method: string, path: string, body?: unknown) {
  const init = body === undefined ? {} : { body: JSON.stringify(body) };
  const headers = { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" };
  const response = await api.fetch(new Request(`http://x${path}`, { method, headers, ...init }));
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

describe("maintenance windows that never end", () => {
  const endless = { start: "02:00", end: "02:00" };
  const words = /equal start and end make 24 h.*nothing would ever run; name days/;

  it("are refused over HTTP, as a window and as a setting, also when only two together never end", async () => {
    for (const refused of [
      await call("POST", "/api/v1/schedule/maintenance", endless),
      await call("POST", "/api/v1/schedule/maintenance", { ...endless, pipeline: "shop" }),
      await call("PUT", "/api/v1/schedule/config", { pipeline: "shop", maintenance_windows: [{ start: "00:00", end: "00:00" }] }),
      await call("PUT", "/api/v1/schedule/config", {
        pipeline: "shop",
        maintenance_windows: [
          { start: "00:00", end: "12:00" },
          { start: "12:00", end: "00:00" },
        ],
      }),
    ])
      expect(refused).toMatchObject({ status: 422, body: { detail: expect.stringMatching(words) } });
    const half = await call("POST", "/api/v1/schedule/maintenance", { start: "00:00", end: "12:00" });
    expect(half.status).toBe(201);
    expect(await call("POST", "/api/v1/schedule/maintenance", { start: "12:00", end: "00:00", dag_id: "shop" })).toMatchObject({
      status: 422,
    });
    await call("DELETE", `/api/v1/schedule/maintenance/${half.body.id}`);
    expect((await call("GET", "/api/v1/schedule/maintenance")).body.items).toEqual([]);
  });

  it("are refused by the API and in a file too; 24 h on named days are taken everywhere", async () => {
    await expect(one.scheduler.settings.addMaintenance({ start: "02:00", end: "02:00" })).rejects.toThrow(words);
    expect(() => maintenanceWindow(endless)).toThrow(words);
    const file = (days: string) =>
      `pipelines: { a: { conditions: [{ maintenance_window: { start: "02:00", end: "02:00"${days} } }], executor: { command: { command: "true" } } } }`;
    expect(() => loadConfig("x.yaml", { text: file(""), env: {} })).toThrow(words);
    expect(() => loadConfig("x.yaml", { text: file(", days: [sunday]"), env: {} })).not.toThrow();
    const sunday = await one.scheduler.settings.addMaintenance({ ...endless, days: ["sunday"] }, { user: "ana" });
    expect(() => maintenanceWindow({ ...endless, days: ["sunday"] })).not.toThrow();
    await one.scheduler.settings.removeMaintenance(sunday.id);
  });
});

describe("changes", () => {
  it("are logged: what, whose, by whom, before and after", async () => {
    logged.length = 0;
    const made = await call("POST", "/api/v1/schedule/maintenance", { start: "02:00", end: "03:00", pipeline: "shop", reason: "moving" });
    await call("PUT", "/api/v1/schedule/config", { pipeline: "shop", max_concurrent_runs: 3 });
    await call("DELETE", `/api/v1/schedule/maintenance/${made.body.id}`);
    const silence = await call("POST", "/api/v1/silences", { dag_id: "shop", duration_minutes: 5 });
    await call("DELETE", `/api/v1/silences/${silence.body.id}`);
    const token = await call("POST", "/api/v1/tokens", { role: "viewer" });
    await call("DELETE", `/api/v1/tokens/${token.body.id}`);
    expect(logged.map(({ level, message }) => `${level}: ${message}`)).toEqual([
      "info: maintenance window of pipeline shop added by environment",
      "info: settings of pipeline shop changed by environment",
      "info: maintenance window of pipeline shop removed by environment",
      "info: silence of pipeline shop added by environment",
      "info: silence of pipeline shop removed by environment",
      "info: token added by environment",
      "info: token changed by environment",
    ]);
    expect(logged[0]?.fields).toMatchObject({ token: "environment", reason: "moving", after: { window: { start: "02:00" } } });
    expect(logged[1]?.fields).toMatchObject({ before: {}, after: { maxActiveRuns: 3 } });
    expect(JSON.stringify(logged)).not.toContain(String(token.body.token));
  });
});

describe("a body that may have several forms", () => {
  it.each([
    [{ start: "02:00", end: "04:00", days: ["Sunday"] }, "/days/0", /English name in lower case: monday/],
    [{ start: "02:00", end: "04:00", days: ["sun"] }, "/days/0", /English name in lower case/],
    [{ start: "02:00" }, "/end", /expected string/],
    [{ from: "2026-03-02T00:00:00Z" }, "/until", /expected string/],
    [{ start: "25:00", end: "04:00" }, "/start", /must be a time of day such as 02:00/],
    [{ start: "02:00", end: "04:00", color: "red" }, "/color", /unknown field/],
  ])("has a pointer for every field that is wrong: %j", async (body, pointer, words) => {
    const refused = await call("POST", "/api/v1/schedule/maintenance", body);
    expect(refused).toMatchObject({ status: 422, body: { errors: [{ pointer, detail: expect.stringMatching(words) }] } });
    const inSettings = await call("PUT", "/api/v1/schedule/config", { pipeline: "shop", maintenance_windows: [body] });
    expect(inSettings.body.errors).toMatchObject([{ pointer: `/maintenance_windows/0${pointer}` }]);
  });
});

describe("what documentation promises of requests", () => {
  it("takes dag_id wherever it takes pipeline", async () => {
    expect(await call("PUT", "/api/v1/schedule/config", { dag_id: "stock", max_concurrent_runs: 2 })).toMatchObject({
      status: 200,
      body: { pipeline: "stock", max_concurrent_runs: 2 },
    });
    for (const path of ["/api/v1/schedule/config", "/api/v1/pipeline/status", "/api/v1/triggers/pending"])
      expect(await call("GET", `${path}?dag_id=stock`)).toMatchObject({ status: 200 });
    const refused = await call("PUT", "/api/v1/schedule/config", { dag_id: "stock", pipeline: "shop", max_concurrent_runs: 2 });
    expect(refused).toMatchObject({ status: 422, body: { code: "AMBIGUOUS_PIPELINE" } });
  });

  it("takes rate_limits: false for none", () => {
    const text = `pipelines: { a: { executor: { command: { command: "true" } } } }\nsecurity: { rate_limits: false }\ntriggers: { api: {} }`;
    expect(loadConfig("x.yaml", { text, env: {} }).api?.options).toMatchObject({ tokenLimit: null, addressLimit: null });
  });

  it.each([
    { type: "http", url: "http://10.1.2.3/health" },
    { type: "tcp", host: "127.0.0.1", port: 5432 },
    { type: "tcp", host: "localhost", port: 5432 },
    { type: "http", url: "http://[::1]/" },
  ])("refuses a dependency at a private address when it is set, and names the file's setting: %j", async (dependency) => {
    const refused = await call("PUT", "/api/v1/schedule/config", { pipeline: "shop", external_dependencies: [dependency] });
    expect(refused).toMatchObject({
      status: 422,
      body: { detail: expect.stringMatching(/address in a private network; .*allow_private_networks .* under security/) },
    });
  });
});
