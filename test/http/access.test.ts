import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Role } from "../../src/index.js";
import { pipeline } from "../../src/index.js";
import { ADMIN, type Service, sales, service } from "../support/service.js";

const RANK = { viewer: 0, operator: 1, admin: 2 };
const BODIES: Readonly<Record<string, unknown>> = {
  triggerWebhook: { source: "a" },
  triggerForeignWebhook: { any: "thing" },
  putScheduleConfig: {},
  addMaintenance: { start: "02:00", end: "03:00", pipeline: "sales" },
  issueToken: { role: "viewer" },
  backfill: { from: "2026-03-01T00:00:00Z", to: "2026-03-01T01:00:00Z" },
};

let running: Service;
const tokens = new Map<string, string>();

beforeAll(async () => {
  running = await service([sales(), pipeline({ id: "secret", run: () => {} })], {
    defaultPipeline: "sales",
    tokenLimit: null,
    addressLimit: null,
  });
  const { scheduler, clock } = running;
  for (const role of ["viewer", "operator", "admin"] as const) {
    tokens.set(role, (await scheduler.tokens.issue({ role })).token);
    tokens.set(`${role} of sales`, (await scheduler.tokens.issue({ role, pipelines: ["sales"] })).token);
    tokens.set(`${role} expired`, (await scheduler.tokens.issue({ role, expiresIn: "1m" })).token);
    const revoked = await scheduler.tokens.issue({ role });
    tokens.set(`${role} revoked`, revoked.token);
    await scheduler.tokens.revoke(revoked.id);
  }
  await clock.advance("2m");
});
afterAll(() => running.close());

const routes = await service().then(async (one) => {
  await one.close();
  return one.api.routes;
});

async function ask(id: string, authorization: string | null, pipelineId = "sales") {
  const route = routes.find((one) => one.id === id);
  if (route === undefined) throw new Error(`no route ${id}`);
  const isPipeline = route.path.startsWith("/api/v1/pipelines/");
  const path = route.path.replace(/\{id\}/, isPipeline ? pipelineId : "0".repeat(26)).replace("{source}", "a");
  const response = await fetch(`${running.url}${path}`, {
    method: route.method,
    headers: { "content-type": "application/json", ...(authorization === null ? {} : { authorization }) },
    ...(route.method === "GET" ? {} : { body: JSON.stringify(BODIES[id] ?? {}) }),
  });
  if (response.headers.get("content-type") === "text/event-stream") {
    await response.body?.cancel();
    return { status: response.status, code: null };
  }
  const json = (await response.json()) as { code?: string };
  return { status: response.status, code: json.code ?? null };
}

describe("every route, for every role", () => {
  const guarded = routes.filter(({ role }) => role !== "public");
  const needs = (role: string): Role => (role === "signed" ? "operator" : (role as Role));

  it("asks for a token but for health and readiness", () => {
    expect(routes.filter(({ role }) => role === "public").map(({ path }) => path)).toEqual(["/health", "/ready"]);
    expect(guarded.length).toBeGreaterThan(30);
  });

  it.each(guarded.map(({ id, role }) => [id, needs(role)] as const))("%s needs %s", async (id, least) => {
    expect(await ask(id, null)).toMatchObject({ status: 401 });
    for (const wrong of ["Basic YTpi", "Bearer ", "Bearer wrong", `bearer ${ADMIN}x`, `Bearer hg_${"0".repeat(26)}_${"x".repeat(43)}`]) {
      expect(await ask(id, wrong)).toEqual({ status: 401, code: "UNAUTHENTICATED" });
    }
    for (const role of ["viewer", "operator", "admin"] as const) {
      expect(await ask(id, `Bearer ${tokens.get(`${role} expired`)}`)).toEqual({ status: 401, code: "TOKEN_EXPIRED" });
      expect(await ask(id, `Bearer ${tokens.get(`${role} revoked`)}`)).toEqual({ status: 401, code: "TOKEN_REVOKED" });
      for (const holder of [role, `${role} of sales`]) {
        const { status, code } = await ask(id, `Bearer ${tokens.get(holder)}`);
        if (RANK[role] < RANK[least]) expect([status, code]).toEqual([403, "FORBIDDEN"]);
        else if (holder === role) expect([401, 403, 500]).not.toContain(status);
        else expect([401, 500]).not.toContain(status);
      }
    }
  });

  const ofPipeline = guarded.filter(({ path }) => path.startsWith("/api/v1/pipelines/"));
  it.each(ofPipeline.map(({ id }) => id))("%s is closed to tokens of other pipelines", async (id) => {
    expect(await ask(id, `Bearer ${tokens.get("admin of sales")}`, "secret")).toEqual({ status: 403, code: "FORBIDDEN" });
    expect([401, 403, 500]).not.toContain((await ask(id, `Bearer ${tokens.get("admin of sales")}`, "sales")).status);
  });

  it("shows a limited token only its own pipelines, and nothing that is everybody's", async () => {
    const { scheduler, clock } = running;
    const other = await scheduler.trigger("secret");
    await clock.settle();
    const run = (await scheduler.runs({ pipelineId: "secret" })).items[0];
    const mine = { authorization: `Bearer ${tokens.get("admin of sales")}` };
    expect((await running.ask("GET", "/api/v1/pipelines", undefined, mine)).json.items.map(({ id }: { id: string }) => id)).toEqual([
      "sales",
    ]);
    for (const [method, path, body] of [
      ["POST", "/api/v1/trigger/manual", { pipeline: "secret" }],
      ["POST", "/api/v1/trigger/manual", { dag_id: "secret" }],
      ["GET", "/api/v1/schedule/config?pipeline=secret"],
      ["PUT", "/api/v1/schedule/config", { pipeline: "secret" }],
      ["POST", "/api/v1/schedule/maintenance", { start: "01:00", end: "02:00" }],
      ["POST", "/api/v1/pipeline/pause", { all: true }],
      ["GET", "/api/v1/tokens"],
      ["POST", "/api/v1/tokens", { role: "admin" }],
      ["GET", "/api/v1/audit/verify"],
    ] as const) {
      expect(await running.ask(method, path, body, mine), path).toMatchObject({ status: 403, json: { code: "FORBIDDEN" } });
    }
    for (const [method, path, body, unknown] of [
      ["GET", `/api/v1/trigger/status/${other.id}`, undefined, "/api/v1/trigger/status/none"],
      ["GET", `/api/v1/runs/${run?.id}`, undefined, "/api/v1/runs/none"],
      ["POST", `/api/v1/triggers/${other.id}/cancel`, {}, "/api/v1/triggers/none/cancel"],
    ] as const) {
      const [theirs, nobodys] = [await running.ask(method, path, body, mine), await running.ask(method, unknown, body, mine)];
      expect(theirs.status, path).toBe(404);
      expect({ ...theirs.json, request_id: "" }).toEqual({ ...nobodys.json, request_id: "" }); // an id tells nothing
    }
  });

  it("lets only admins force", async () => {
    const operator = { authorization: `Bearer ${tokens.get("operator")}` };
    expect(await running.ask("POST", "/api/v1/trigger/immediate", { force: true }, operator)).toMatchObject({ status: 403 });
    expect(await running.ask("POST", "/api/v1/trigger/immediate", { force: true })).toMatchObject({
      status: 202,
      json: { is_forced: true },
    });
  });
});

describe("tokens", () => {
  it("are shown once, kept as hashes, good on both sides of a rotation for the overlap, and ended at once", async () => {
    const { ask: asked, clock, scheduler } = running;
    const made = await asked("POST", "/api/v1/tokens", {
      role: "viewer",
      pipelines: ["sales"],
      description: "dashboard",
      expires_in_minutes: 600,
    });
    expect(made).toMatchObject({ status: 201, json: { role: "viewer", pipelines: ["sales"], created_by: "environment" } });
    const old = { authorization: `Bearer ${made.json.token}` };
    const can = async (who: { authorization: string }) => (await asked("GET", "/api/v1/pipelines", undefined, who)).status;
    expect(await can(old)).toBe(200);
    const rotated = await asked("POST", `/api/v1/tokens/${made.json.id}/rotate`, { overlap_minutes: 10 });
    const fresh = { authorization: `Bearer ${rotated.json.token}` };
    expect(rotated.json.token).not.toBe(made.json.token);
    expect([await can(old), await can(fresh)]).toEqual([200, 200]);
    await clock.advance("11m");
    expect([await can(old), await can(fresh)]).toEqual([401, 200]);
    const listed = JSON.stringify((await asked("GET", "/api/v1/tokens")).json);
    expect(listed).toContain("dashboard");
    expect(listed).not.toContain(rotated.json.token.slice(-20));
    expect(listed).not.toMatch(/[0-9a-f]{64}/);
    expect((await asked("DELETE", `/api/v1/tokens/${made.json.id}`)).json.revoked_at).not.toBeNull();
    expect(await can(fresh)).toBe(401);
    expect((await asked("DELETE", `/api/v1/tokens/${made.json.id}`)).status).toBe(404);
    const log = JSON.stringify(await scheduler.audit.list({ limit: 1_000 }));
    expect(log).toContain("token.rotate");
    for (const token of [made.json.token, rotated.json.token, ADMIN]) expect(log).not.toContain(token);
  });

  it("of your own are none unless one is given, and short ones are refused", async () => {
    const closed = await service([sales()], { adminToken: null });
    expect((await closed.ask("GET", "/api/v1/info")).status).toBe(401);
    await closed.close();
    await expect(service([sales()], { adminToken: "secret" })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});

it("the table in docs/http.md is the one of the routes", () => {
  const text = readFileSync(new URL("../../docs/http.md", import.meta.url), "utf8");
  const rows = [...text.matchAll(/^\|\s*(GET|POST|PUT|DELETE)\s*\|\s*`([^`]+)`\s*\|\s*([^|]+?)\s*\|\s*([^|]+?)\s*\|$/gm)].map(
    ([, method, path, needs, what]) => `${method} ${path} ${needs}: ${what}`,
  );
  const words: Readonly<Record<string, string>> = { public: "nothing", signed: "operator, or a signature" };
  expect(rows).toEqual(routes.map(({ method, path, role, summary }) => `${method} ${path} ${words[role] ?? role}: ${summary}`));
});
