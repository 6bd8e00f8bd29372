import { expect, it } from "vitest";
import { createTriggerApi } from "../../src/adapters/http/index.js";
import { loadConfig } from "../../src/config/index.js";
import { adaptive, every, maintenanceWindow, performanceBased, pipeline, stale } from "../../src/index.js";
import { harness } from "../support/harness.js";

const TOKEN = "admin-token-of-the-settings";
const FILE = `
pipelines:
  shop:
    schedule: { every: 15m }
    executor: { command: { command: "true" } }
conditional_execution:
  data_freshness: { staleness_threshold_hours: 24 }
  maintenance_windows: [{ start: "02:00", end: "04:00", days: [sunday], time_zone: Europe/Berlin, description: Weekly }]
`;

async function serving(pipelines: Parameters<typeof harness>[0]) {
  const made = await harness(pipelines);
  const api = createTriggerApi(made.scheduler, { adminToken: TOKEN });
  const call = async (method: string, path: string, body?: unknown) => {
    const init = body === undefined ? {} : { body: JSON.stringify(body) };
    const headers = { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" };
    const response = await api.fetch(new Request(`http://x${path}`, { method, headers, ...init }));
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  return { ...made, call };
}

const CONFIG = "/api/v1/schedule/config?pipeline=shop";

it("GET config shows what a file says, with its source, and what was changed with who and when", async () => {
  const { scheduler, clock, call } = await serving(loadConfig("x.yaml", { text: FILE, env: {} }).scheduler.pipelines);
  const ofFile = { source: "file", at: null, user: null };
  const first = await call("GET", CONFIG);
  expect(first.body).toMatchObject({
    schedule_interval_minutes: 15,
    staleness_threshold_hours: 24,
    max_concurrent_runs: 1,
    auto_scaling_enabled: null,
    overrides: [],
    effective: {
      schedule: { value: "every 15m", ...ofFile },
      schedule_interval_minutes: { value: 15, ...ofFile },
      staleness_threshold_hours: { value: 24, ...ofFile },
      max_concurrent_runs: { value: 1, ...ofFile },
      maintenance_windows: [
        { start: "02:00", end: "04:00", days: ["sunday"], time_zone: "Europe/Berlin", description: "Weekly", id: null, ...ofFile },
      ],
    },
  });
  await clock.advance("1m");
  expect((await call("PUT", CONFIG, first.body)).body).toEqual(first.body); // sent back as it was read: overrides nothing
  await scheduler.settings.change("shop", { stalenessThresholdMs: 3_600_000 }, { user: "ana" });
  const added = await call("POST", "/api/v1/schedule/maintenance", { start: "05:00", end: "06:00" });
  await call("PUT", CONFIG, { external_dependencies: [{ type: "tcp", host: "db.example.com", port: 5432 }] });
  const changed = { source: "override", at: "2026-03-02T00:01:00.000Z" };
  expect((await call("GET", CONFIG)).body).toMatchObject({
    staleness_threshold_hours: 1,
    effective: {
      schedule_interval_minutes: { value: 15, ...ofFile },
      staleness_threshold_hours: { value: 1, ...changed, user: "ana" },
      maintenance_windows: [
        { start: "02:00", ...ofFile },
        { start: "05:00", end: "06:00", id: added.body.id, is_for_all: true, ...changed, user: "environment" },
      ],
      conditions: [{ dependency: { type: "tcp", host: "db.example.com", port: 5432 }, ...changed, user: "environment" }],
    },
  });
  await scheduler.settings.change("shop", { scheduleIntervalMs: 300_000 }, { user: "bo" });
  expect((await call("GET", CONFIG)).body.effective).toMatchObject({ schedule: { value: "every 5m", ...changed, user: "bo" } });
  await scheduler.stop();
});

it("GET config shows what code says", async () => {
  const shop = pipeline({
    id: "shop",
    schedule: adaptive({ base: "1h", min: "30m", max: "2h", tuner: performanceBased() }),
    conditions: [stale({ olderThan: "20h" }), maintenanceWindow({ start: "02:00", end: "03:00" })],
    timeZone: "Asia/Tokyo",
    execution: { maxActiveRuns: 3 },
    run: () => {},
  });
  const { scheduler, call } = await serving([shop, pipeline({ id: "other", schedule: every("1m"), run: () => {} })]);
  const ofCode = { source: "code", at: null, user: null };
  expect((await call("GET", CONFIG)).body).toMatchObject({
    staleness_threshold_hours: 20,
    auto_scaling_enabled: true,
    max_concurrent_runs: 3,
    effective: {
      auto_scaling_enabled: { value: true, ...ofCode },
      max_concurrent_runs: { value: 3, ...ofCode },
      maintenance_windows: [{ start: "02:00", time_zone: "Asia/Tokyo", ...ofCode }],
    },
  });
  await scheduler.stop();
});
