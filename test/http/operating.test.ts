import { afterEach, describe, expect, it } from "vitest";
import { createClient } from "../../src/adapters/http/client.js";
import { cron, manual, pipeline } from "../../src/index.js";
import { type Service, service } from "../support/service.js";

let running: Service;
afterEach(() => running.close());

const hourly = (id: string, tags: readonly string[] = [], owner?: string) =>
  pipeline({ id, schedule: cron("0 * * * *"), tags, ...(owner === undefined ? {} : { owner }), run: () => {} });
const flaky = () =>
  pipeline({
    id: "flaky",
    schedule: manual(),
    execution: { retries: 1, retryDelay: "1h", backoff: "fixed" },
    run: ({ attempt }) => {
      if (attempt === 1) throw new Error("down");
    },
  });

describe("over HTTP", () => {
  it("fire times are skipped and taken back", async () => {
    running = await service([hourly("sales")]);
    const { ask, clock, scheduler } = running;
    const skipped = await ask("POST", "/api/v1/pipelines/sales/skip", { next: 2, reason: "holiday", user: "ana" });
    expect(skipped).toMatchObject({
      status: 200,
      json: {
        pipeline: "sales",
        skips: [{ fire_at: "2026-03-02T01:00:00.000Z", user: "ana", reason: "holiday" }, { fire_at: "2026-03-02T02:00:00.000Z" }],
      },
    });
    expect((await ask("GET", "/api/v1/pipelines/sales/skips")).json).toEqual(skipped.json);
    expect((await ask("GET", "/api/v1/pipelines/sales")).json.skips).toEqual(skipped.json.skips);
    const back = await ask("POST", "/api/v1/pipelines/sales/unskip", { fire_times: ["2026-03-02T02:00:00Z"] });
    expect(back.json.skips).toHaveLength(1);
    await clock.advance("2h");
    expect((await scheduler.runs()).items.map(({ scheduledFor }) => scheduledFor?.getUTCHours())).toEqual([2]);
    const [decision] = (await ask("GET", "/api/v1/decisions?outcome=skip")).json.items;
    expect(decision).toMatchObject({ pipeline: "sales", missed: { count: 1, skip: { user: "ana", reason: "holiday" } } });
    for (const [body, status, code] of [
      [{ next: 0 }, 422, "INVALID_REQUEST"],
      [{ next: 1, fire_times: ["2026-03-02T03:00:00Z"] }, 422, "INVALID_ARGUMENT"],
      [{ fire_times: ["2026-03-02T03:30:00Z"] }, 422, "INVALID_ARGUMENT"],
      [{ fire_times: ["2026-03-02T02:00:00Z"] }, 409, "ALREADY_FINISHED"],
      [{ at: "2026-03-02T03:00:00Z" }, 422, "INVALID_REQUEST"],
    ] as const)
      expect(await ask("POST", "/api/v1/pipelines/sales/skip", body)).toMatchObject({ status, json: { code } });
  });

  it("pipelines are paused by tag, owner or list, until an instant; a limited token means its own", async () => {
    running = await service([hourly("a", ["etl"], "ana"), hourly("b", ["etl"]), hourly("c", [], "ana")]);
    const { ask, scheduler } = running;
    const paused = async () =>
      (await ask("GET", "/api/v1/pipelines")).json.items.flatMap((one: { id: string; paused: boolean }) => (one.paused ? [one.id] : []));
    const { token } = await scheduler.tokens.issue({ role: "operator", pipelines: ["b", "c"] });
    const limited = { authorization: `Bearer ${token}` };
    const byTag = await ask("POST", "/api/v1/pipeline/pause", { tag: "etl", until: "2026-03-02T05:00:00Z" }, limited);
    expect(byTag).toMatchObject({
      status: 200,
      json: { pipeline: "b", pipelines: ["b"], paused: true, pause: { until: "2026-03-02T05:00:00.000Z" } },
    });
    expect(await paused()).toEqual(["b"]);
    expect(await ask("POST", "/api/v1/pipeline/pause", { pipelines: ["a", "b"] }, limited)).toMatchObject({ status: 403 });
    expect(await ask("POST", "/api/v1/pipeline/pause", { owner: "ana" })).toMatchObject({
      json: { pipeline: null, pipelines: ["a", "c"], paused: true },
    });
    expect(await paused()).toEqual(["a", "b", "c"]);
    await ask("POST", "/api/v1/pipeline/resume", { pipelines: ["a", "b"] });
    expect(await paused()).toEqual(["c"]);
    expect(await ask("POST", "/api/v1/pipeline/pause", { tag: "etl", all: true })).toMatchObject({
      status: 422,
      json: { code: "AMBIGUOUS_PIPELINE" },
    });
    expect(await ask("POST", "/api/v1/pipeline/pause", { tag: "elt" })).toMatchObject({ status: 404, json: { code: "UNKNOWN_PIPELINE" } });
    expect(await ask("POST", "/api/v1/pipeline/pause", { tag: "etl", until: "2026-03-01T00:00:00Z" })).toMatchObject({ status: 422 });
  });

  it("a run is retried now and run again, by its own name only", async () => {
    running = await service([flaky()]);
    const { ask, clock, scheduler, url } = running;
    await ask("POST", "/api/v1/trigger/manual", { parameters: { day: "monday" } });
    await clock.settle();
    const [run] = (await ask("GET", "/api/v1/runs?status=retrying")).json.items;
    const { token } = await scheduler.tokens.issue({ role: "operator", user: "ana" });
    const ana = { authorization: `Bearer ${token}` };
    for (const verb of ["retry", "rerun"])
      expect(await ask("POST", `/api/v1/runs/${run.id}/${verb}`, { user: "ben" }, ana)).toMatchObject({
        status: 403,
        json: { code: "FORBIDDEN" },
      });
    expect(await ask("POST", `/api/v1/runs/${run.id}/rerun`, {}, ana)).toMatchObject({ status: 409, json: { code: "NOT_FINISHED" } });
    expect(await ask("POST", `/api/v1/runs/${run.id}/retry`, { reason: "it is back" }, ana)).toMatchObject({
      status: 202,
      json: { id: run.id },
    });
    await clock.settle();
    expect(await ask("POST", `/api/v1/runs/${run.id}/retry`, {}, ana)).toMatchObject({ status: 409, json: { code: "ALREADY_FINISHED" } });
    const client = createClient({ baseUrl: url, token });
    const again = await client.rerun(run.id, { reason: "once more" }, { idempotencyKey: "k1" });
    expect(again).toMatchObject({ rerun_of: run.id, kind: "manual", parameters: { day: "monday" }, user: "ana", reason: "once more" });
    expect((await client.rerun(run.id, { reason: "once more" }, { idempotencyKey: "k1" })).id).toBe(again.id);
    expect(await ask("POST", "/api/v1/runs/nothing/rerun", {})).toMatchObject({ status: 404 });
  });

  it("triggers are cancelled by filter, with a preview, among those that a token covers; lists narrow likewise", async () => {
    running = await service([hourly("a", ["etl"]), hourly("b", ["etl"])]);
    const { ask, scheduler } = running;
    await scheduler.pause();
    for (const id of ["a", "b"]) await scheduler.backfill(id, { from: "2026-03-01T00:00:00Z", to: "2026-03-01T03:00:00Z" });
    const { token } = await scheduler.tokens.issue({ role: "operator", pipelines: ["b"] });
    const limited = { authorization: `Bearer ${token}` };
    expect((await ask("GET", "/api/v1/triggers?tag=etl", undefined, limited)).json.items).toHaveLength(3);
    expect((await ask("GET", "/api/v1/triggers?pipeline=a,b&kind=backfill&limit=4")).json).toMatchObject({
      items: { length: 4 },
      next_cursor: expect.any(String),
    });
    expect((await ask("GET", "/api/v1/triggers?pipeline=a", undefined, limited)).status).toBe(403);
    expect((await ask("GET", "/api/v1/runs?tag=none")).json).toEqual({ items: [], next_cursor: null });
    const upcoming = (await ask("GET", "/api/v1/upcoming?limit=3")).json.items;
    expect(new Set(upcoming.map((one: { pipeline: string }) => one.pipeline))).toEqual(new Set(["a", "b"]));
    const preview = await ask("POST", "/api/v1/triggers/cancel", { kind: ["backfill"], preview: true }, limited);
    expect(preview).toMatchObject({ status: 200, json: { count: 3, is_complete: true } });
    expect((await ask("POST", "/api/v1/triggers/cancel", {}, limited)).status).toBe(422);
    expect((await ask("POST", "/api/v1/triggers/cancel", {})).json).toMatchObject({ status: 422, code: "INVALID_ARGUMENT" });
    expect((await ask("POST", "/api/v1/triggers/cancel", { everything: true, user: "ana" }, limited)).status).toBe(403);
    expect((await ask("POST", "/api/v1/triggers/cancel", { everything: true }, limited)).json.count).toBe(3);
    expect((await ask("GET", "/api/v1/triggers?status=pending")).json.items).toHaveLength(3);
    expect((await ask("POST", "/api/v1/triggers/cancel", { tag: "etl", from: "2026-03-01T01:00:00Z" })).json.count).toBe(2);
  });
});
