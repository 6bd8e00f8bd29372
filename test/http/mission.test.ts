import { afterEach, describe, expect, it } from "vitest";
import { pipeline } from "../../src/index.js";
import { type Service, sales, service } from "../support/service.js";

let running: Service | null = null;
afterEach(async () => {
  await running?.close();
  running = null;
});
const start = async (...args: Parameters<typeof service>) => {
  running = await service(...args);
  return running;
};

describe("the calls of the documentation", () => {
  it("trigger immediately and manually, and tell what became of it", async () => {
    const { ask, clock } = await start([pipeline({ id: "phones", run: ({ parameters }) => ({ parameters }) })]);
    const immediate = await ask("POST", "/api/v1/trigger/immediate", {
      reason: "Data update required",
      user: "admin",
      parameters: { force_full_refresh: true },
    });
    expect(immediate).toMatchObject({
      status: 202,
      json: { pipeline: "phones", kind: "immediate", user: "admin", parameters: { force_full_refresh: true } },
    });
    const location = immediate.headers.get("location") ?? "";
    expect(location).toBe(`/api/v1/trigger/status/${immediate.json.id}`);
    await clock.settle();
    const status = await ask("GET", location);
    expect(status).toMatchObject({
      status: 200,
      json: {
        trigger: { status: "succeeded" },
        run: { status: "succeeded", output: { parameters: { force_full_refresh: true } } },
        decisions: [{ outcome: "run" }],
      },
    });
    const manual = await ask("POST", "/api/v1/trigger/manual", { reason: "Scheduled maintenance", user: "operator", priority: "high" });
    expect(manual).toMatchObject({ status: 202, json: { kind: "manual", priority: "high", user: "operator", status: "pending" } });
  });

  it("take a webhook of any source while none is configured", async () => {
    const { ask } = await start();
    const sent = { source: "data_provider", event: "data_updated", data: { dataset: "mobile_phones", records_updated: 1500 } };
    expect(await ask("POST", "/api/v1/trigger/webhook", sent)).toMatchObject({ status: 202, json: { kind: "webhook", parameters: sent } });
  });

  it("list what waits, page by page", async () => {
    const { ask, scheduler } = await start();
    await scheduler.pause({ pipelineId: "sales" });
    for (let n = 0; n < 5; n++) await ask("POST", "/api/v1/trigger/manual", { reason: `n${n}` });
    const first = await ask("GET", "/api/v1/triggers/pending?limit=3");
    const second = await ask("GET", `/api/v1/triggers/pending?limit=3&cursor=${first.json.next_cursor}`);
    expect([...first.json.items, ...second.json.items].map(({ reason }: { reason: string }) => reason)).toEqual([
      "n4",
      "n3",
      "n2",
      "n1",
      "n0",
    ]);
    expect(second.json.next_cursor).toBeNull();
  });

  it("read and change the schedule's configuration, which is in force at once and wins over a lost update", async () => {
    const { ask, scheduler, clock } = await start();
    const before = await ask("GET", "/api/v1/schedule/config");
    expect(before.json).toMatchObject({ pipeline: "sales", schedule_interval_minutes: 60, max_concurrent_runs: 1, overrides: [] });
    const changed = await ask("PUT", "/api/v1/schedule/config", { schedule_interval_minutes: 120, staleness_threshold_hours: 48 });
    expect(changed).toMatchObject({
      status: 200,
      json: {
        schedule_interval_minutes: 120,
        staleness_threshold_hours: 48,
        overrides: [{ field: "schedule_interval_minutes", user: "environment" }, { field: "staleness_threshold_hours" }],
      },
    });
    expect((await scheduler.upcoming({ count: 2 })).map(({ fireAt }) => fireAt.toISOString())).toEqual([
      "2026-03-02T02:00:00.000Z",
      "2026-03-02T04:00:00.000Z",
    ]);
    await clock.advance("3h");
    expect((await scheduler.runs()).items).toHaveLength(1);
    await clock.advance("2h");
    expect((await scheduler.decisions({ outcome: "skip" })).items[0]?.findings[0]).toMatchObject({ condition: "stale", result: "block" });
    const lost = await ask("PUT", "/api/v1/schedule/config", { max_concurrent_runs: 3 }, { "if-match": before.headers.get("etag") ?? "" });
    expect(lost).toMatchObject({ status: 412, json: { code: "PRECONDITION_FAILED" } });
    const good = await ask("PUT", "/api/v1/schedule/config", { max_concurrent_runs: 3 }, { "if-match": changed.headers.get("etag") ?? "" });
    expect(good).toMatchObject({ status: 200, json: { max_concurrent_runs: 3 } });
    const reset = await ask("PUT", "/api/v1/schedule/config", { schedule_interval_minutes: null });
    expect((await scheduler.upcoming({ count: 1 }))[0]?.fireAt.toISOString()).toBe("2026-03-02T06:00:00.000Z");
    expect(reset.json.schedule_interval_minutes).toBe(60);
  });

  it("take settings back as they were read, with one of them changed", async () => {
    const { ask } = await start();
    const { json } = await ask("GET", "/api/v1/schedule/config");
    const changed = await ask("PUT", "/api/v1/schedule/config", { ...json, staleness_threshold_hours: 6 });
    expect(changed).toMatchObject({ status: 200, json: { staleness_threshold_hours: 6, max_concurrent_runs: 1 } });
    expect(changed.json.overrides.map(({ field }: { field: string }) => field)).toEqual(["staleness_threshold_hours"]);
    const again = await ask("PUT", "/api/v1/schedule/config", {
      ...changed.json,
      maintenance_windows: [{ start: "02:00", end: "03:00", days: ["sunday"] }],
    });
    const same = await ask("PUT", "/api/v1/schedule/config", again.json, { "if-match": again.headers.get("etag") ?? "" });
    expect(same.json).toMatchObject({
      maintenance_windows: [{ start: "02:00", end: "03:00", days: ["sunday"] }],
      staleness_threshold_hours: 6,
    });
  });

  it("refuse a change as a whole when one field of it is wrong", async () => {
    const { ask } = await start();
    const refused = await ask("PUT", "/api/v1/schedule/config", { schedule_interval_minutes: 30, max_concurrent_runs: 0, colour: "red" });
    expect(refused).toMatchObject({ status: 422, json: { code: "INVALID_REQUEST" } });
    expect(refused.json.errors.map(({ pointer }: { pointer: string }) => pointer).sort()).toEqual(["/colour", "/max_concurrent_runs"]);
    const zone = await ask("PUT", "/api/v1/schedule/config", {
      schedule_interval_minutes: 30,
      maintenance_windows: [{ start: "01:00", end: "02:00", time_zone: "Mars/Olympus" }],
    });
    expect(zone).toMatchObject({ status: 422, json: { code: "INVALID_TIME_ZONE" } });
    expect((await ask("GET", "/api/v1/schedule/config")).json).toMatchObject({
      schedule_interval_minutes: 60,
      maintenance_windows: [],
      overrides: [],
    });
  });

  it("add, list and take out maintenance windows", async () => {
    const { ask, clock, scheduler } = await start();
    const window = { start: "02:00", end: "04:00", description: "Weekly maintenance", days: ["monday"] };
    const added = await ask("POST", "/api/v1/schedule/maintenance", window, { "idempotency-key": "once" });
    expect(added).toMatchObject({ status: 201, json: { ...window, pipeline: null } });
    expect((await ask("POST", "/api/v1/schedule/maintenance", window, { "idempotency-key": "once" })).json.id).toBe(added.json.id);
    expect(await ask("POST", "/api/v1/schedule/maintenance", { ...window, end: "05:00" }, { "idempotency-key": "once" })).toMatchObject({
      status: 422,
      json: { code: "IDEMPOTENCY_CONFLICT" },
    });
    expect((await ask("GET", "/api/v1/schedule/maintenance")).json.items).toHaveLength(1);
    await clock.advance("5h");
    const skipped = (await scheduler.decisions({ outcome: "skip" })).items.map(({ scheduledFor }) => scheduledFor?.getUTCHours());
    expect(skipped).toEqual([3, 2]);
    expect(await ask("DELETE", added.headers.get("location") ?? "")).toMatchObject({ status: 200, json: { id: added.json.id } });
    expect((await ask("GET", "/api/v1/schedule/maintenance")).json.items).toEqual([]);
    expect((await ask("DELETE", added.headers.get("location") ?? "")).status).toBe(404);
  });

  it("pause for a while and resume", async () => {
    const { ask, clock } = await start();
    const paused = await ask("POST", "/api/v1/pipeline/pause", { reason: "System maintenance", user: "admin", duration_minutes: 120 });
    expect(paused).toMatchObject({
      status: 200,
      json: { pipeline: "sales", paused: true, pause: { until: "2026-03-02T02:00:00.000Z", user: "admin" } },
    });
    expect(await ask("POST", "/api/v1/trigger/immediate", {})).toMatchObject({ status: 409, json: { code: "PAUSED" } });
    expect((await ask("GET", "/api/v1/pipeline/status")).json).toMatchObject({ paused: true, next_fire_at: null });
    const resumed = await ask("POST", "/api/v1/pipeline/resume", { reason: "Maintenance completed", user: "admin" });
    expect(resumed).toMatchObject({ status: 200, json: { paused: false } });
    await ask("POST", "/api/v1/pipeline/pause", { duration_minutes: 1 });
    await clock.advance("2m");
    expect((await ask("GET", "/api/v1/pipeline/status")).json.paused).toBe(false);
  });

  it("say how it is, without a token only whether it is", async () => {
    const { ask, scheduler } = await start();
    const nobody = { authorization: "" };
    expect(await ask("GET", "/health", undefined, nobody)).toMatchObject({ status: 200, json: { status: "ok" } });
    expect(await ask("GET", "/ready", undefined, nobody)).toMatchObject({ status: 200, json: { status: "ok" } });
    expect((await ask("GET", "/api/v1/info", undefined, nobody)).status).toBe(401);
    expect((await ask("GET", "/api/v1/info")).json).toMatchObject({
      name: "headgate",
      phase: "running",
      pipelines: 1,
      store: { name: "memory", is_available: true },
    });
    await scheduler.stop();
    expect(await ask("GET", "/ready", undefined, nobody)).toMatchObject({ status: 503, json: { status: "unavailable" } });
  });
});

describe("the resources", () => {
  it("are pipelines with their runs, triggers, decisions, fire times and explanations", async () => {
    const { ask, clock } = await start([sales(), pipeline({ id: "other", run: () => {} })]);
    await clock.advance("2h");
    expect((await ask("GET", "/api/v1/pipelines?limit=1")).json).toMatchObject({ items: [{ id: "other" }], next_cursor: "other" });
    expect((await ask("GET", "/api/v1/pipelines?cursor=other")).json).toMatchObject({ items: [{ id: "sales" }], next_cursor: null });
    expect((await ask("GET", "/api/v1/pipelines/sales")).json).toMatchObject({
      id: "sales",
      last_success_at: "2026-03-02T02:00:00.000Z",
      next_fire_at: "2026-03-02T03:00:00.000Z",
    });
    expect((await ask("GET", "/api/v1/pipelines/sales/runs?status=succeeded,failed")).json.items).toHaveLength(2);
    expect((await ask("GET", "/api/v1/pipelines/sales/triggers?kind=scheduled&until=2026-03-02T02:00:00Z")).json.items).toHaveLength(1);
    expect((await ask("GET", "/api/v1/pipelines/sales/decisions?outcome=run")).json.items).toHaveLength(2);
    const upcoming = async (query: string) => (await ask("GET", `/api/v1/pipelines/sales/upcoming?${query}`)).json;
    const first = await upcoming("limit=1");
    expect(first).toMatchObject({ items: [{ at: "2026-03-02T03:00:00.000Z", depends_on: [] }], next_cursor: "2026-03-02T03:00:00.000Z" });
    const second = await upcoming(`count=1&cursor=${first.next_cursor}`);
    expect(second.items).toMatchObject([{ at: "2026-03-02T04:00:00.000Z", answer: "may_run", depends_on: [{ kind: "slot" }] }]);
    expect(await upcoming("until=2026-03-02T04:00:01Z")).toMatchObject({ items: [{}, {}], next_cursor: null });
    expect((await ask("GET", "/api/v1/pipelines/sales/explain?at=2026-03-02T04:00:00Z")).json).toMatchObject({
      answer: "may_run",
      depends_on: [{ kind: "slot", name: null, reason: expect.stringContaining("run slots may still be in use") }],
    });
    expect((await ask("GET", "/api/v1/pipelines/sales/explain?at=2026-03-02T01:00:00Z")).json).toMatchObject({
      answer: "ran",
      run: { status: "succeeded" },
    });
    const filled = await ask(
      "POST",
      "/api/v1/pipelines/sales/backfill",
      { from: "2026-03-01T00:00:00Z", to: "2026-03-01T03:00:00Z" },
      { "idempotency-key": "march" },
    );
    expect(filled).toMatchObject({ status: 202, json: { count: 3 } });
    expect((await ask("GET", "/api/v1/pipelines/sales/runs?status=sleeping")).json).toMatchObject({ status: 422, code: "INVALID_REQUEST" });
    expect((await ask("GET", "/api/v1/pipelines/nobody")).json).toMatchObject({ status: 404, code: "UNKNOWN_PIPELINE" });
  });

  it("end triggers that wait and runs under way", async () => {
    const { ask, clock, scheduler } = await start([pipeline({ id: "long", run: ({ clock: time }) => time.sleep("1h") })]);
    const first = await ask("POST", "/api/v1/trigger/manual", {});
    const second = await ask("POST", "/api/v1/trigger/manual", {});
    await clock.settle();
    expect(await ask("POST", `/api/v1/triggers/${second.json.id}/cancel`, { reason: "not needed", user: "ana" })).toMatchObject({
      status: 202,
      json: { status: "cancelled" },
    });
    const run = (await scheduler.runs()).items[0];
    expect((await ask("POST", `/api/v1/runs/${run?.id}/cancel`)).status).toBe(202);
    await clock.settle();
    expect((await ask("GET", `/api/v1/trigger/status/${first.json.id}`)).json.run).toMatchObject({ status: "cancelled" });
    expect(await ask("POST", `/api/v1/triggers/${second.json.id}/cancel`)).toMatchObject({
      status: 409,
      json: { code: "ALREADY_FINISHED" },
    });
  });

  it("must be named when there are several and none is the default", async () => {
    const two = [sales(), pipeline({ id: "stock", run: () => {} })];
    const { ask } = await start(two);
    expect(await ask("POST", "/api/v1/trigger/manual", {})).toMatchObject({
      status: 422,
      json: { code: "AMBIGUOUS_PIPELINE", pipelines: ["sales", "stock"] },
    });
    expect(await ask("POST", "/api/v1/trigger/manual", { dag_id: "stock" })).toMatchObject({ status: 202, json: { pipeline: "stock" } });
    expect(await ask("POST", "/api/v1/trigger/manual", { pipeline: "sales" })).toMatchObject({ status: 202, json: { pipeline: "sales" } });
    await running?.close();
    const other = await start([...two], { defaultPipeline: "stock" });
    expect(await other.ask("POST", "/api/v1/trigger/manual")).toMatchObject({ status: 202, json: { pipeline: "stock" } });
  });

  it("are asked for once under one idempotency key", async () => {
    const { ask, scheduler } = await start();
    const key = { "idempotency-key": "fix-4711" };
    const first = await ask("POST", "/api/v1/trigger/manual", { reason: "fix" }, key);
    const again = await ask("POST", "/api/v1/trigger/manual", { reason: "fix" }, key);
    expect([again.status, again.json.id]).toEqual([202, first.json.id]);
    expect(await ask("POST", "/api/v1/trigger/manual", { reason: "another" }, key)).toMatchObject({
      status: 422,
      json: { code: "IDEMPOTENCY_CONFLICT" },
    });
    expect((await scheduler.triggers({ kind: "manual" })).items).toHaveLength(1);
  });
});
