import { randomUUID } from "node:crypto";
import { afterEach, describe, expect, it } from "vitest";
import { createTriggerApi, type TriggerApiOptions } from "../../src/adapters/http/index.js";

type StaticToken = NonNullable<TriggerApiOptions["tokens"]>[number];

import {
  adaptive,
  createScheduler,
  HeadgateError,
  memoryStore,
  type Pipeline,
  performanceBased,
  pipeline,
  type Store,
} from "../../src/index.js";
import { CallSums } from "../../src/monitor/call-sums.js";
import { bound } from "../support/bound-store.js";
import { type Service, sales, service } from "../support/service.js";
import { places } from "../support/stores.js";

// biome-ignore lint/suspicious/noExplicitAny: what a server answers is looked at field by field
type Json = any;

const { memory, sqlite, postgres } = await places();
const tuned = (): Pipeline =>
  pipeline({ id: "tuned", schedule: adaptive({ base: "1h", min: "30m", max: "4h", tuner: performanceBased() }), run: () => {} });

let running: Service | null = null;
afterEach(async () => {
  await running?.close();
  running = null;
});

async function audited(ask: Service["ask"]): Promise<Json[]> {
  return (await ask("GET", "/api/v1/audit?limit=1000")).json.items;
}

describe.each([memory, sqlite, ...postgres])("on %s", (_, fresh) => {
  it("which token made or cancelled a trigger can be seen from GET /api/v1/audit, whatever user it names", async () => {
    running = await service([sales()], {}, { store: fresh()(), newId: () => randomUUID() });
    const { ask, scheduler } = running;
    const maker = await scheduler.tokens.issue({ role: "operator", actsForOthers: true });
    const ender = await scheduler.tokens.issue({ role: "operator", user: "eva" });
    const as = (token: string, id: string) => ({ authorization: `Bearer ${token}`, "x-request-id": id });
    const later = { not_before: "2027-01-01T00:00:00Z", user: "ceo" };
    const made = await ask("POST", "/api/v1/trigger/manual", later, as(maker.token, "req-make"));
    const other = await ask("POST", "/api/v1/trigger/manual", later, as(maker.token, "req-other"));
    await ask("POST", `/api/v1/triggers/${made.json.id}/cancel`, { reason: "no" }, as(ender.token, "req-end"));
    const told = (await audited(ask)).filter(({ ids }) => ids.includes(made.json.id)).reverse();
    expect(
      told.map(({ kind, action, token, user, request_id, role, address }) => [kind, action, token, user, request_id, role, address]),
    ).toEqual([
      ["change", "trigger", maker.id, "ceo", "req-make", "operator", "127.0.0.1"],
      ["call", "POST /api/v1/trigger/manual", maker.id, maker.id, "req-make", "operator", "127.0.0.1"],
      ["change", "cancel", ender.id, "eva", "req-end", "operator", "127.0.0.1"],
      ["call", "POST /api/v1/triggers/{id}/cancel", ender.id, "eva", "req-end", "operator", "127.0.0.1"],
    ]);
    expect(made.json.user).toBe("ceo");
    expect(told.some(({ ids }) => ids.includes(other.json.id))).toBe(false);
    expect((await ask("GET", "/api/v1/audit/verify")).json).toMatchObject({ is_intact: true });
  });
});

it("every change over HTTP is recorded with token, role, address, request id, user and ids", async () => {
  running = await service([sales(), tuned()], { defaultPipeline: "sales" }, { newId: () => randomUUID() });
  const { ask, scheduler } = running;
  const { id: token, token: text } = await scheduler.tokens.issue({ role: "admin", user: "ana" });
  const before = (await scheduler.audit.list({ limit: 1 }))[0]?.seq ?? 0;
  const act = async (method: string, path: string, body?: unknown) => {
    const { status, json } = await ask(method, path, body, { authorization: `Bearer ${text}`, "x-request-id": "r-1" });
    expect(status, `${method} ${path} ${JSON.stringify(json)}`).toBeLessThan(300);
    return json;
  };
  const later = { not_before: "2027-01-01T00:00:00Z" };
  const manual = await act("POST", "/api/v1/trigger/manual", later);
  await act("POST", `/api/v1/triggers/${manual.id}/cancel`);
  const immediate = await act("POST", "/api/v1/trigger/immediate", {});
  const webhook = await act("POST", "/api/v1/trigger/webhook", { source: "a" });
  const foreign = await act("POST", "/api/v1/webhooks/a", { any: 1 });
  const few = await act("POST", "/api/v1/pipelines/sales/backfill", { from: "2026-02-28T00:00:00Z", to: "2026-02-28T03:00:00Z" });
  const many = await act("POST", "/api/v1/pipelines/sales/backfill", { from: "2026-01-01T00:00:00Z", to: "2026-02-01T00:00:00Z" });
  await act("PUT", "/api/v1/schedule/config", { max_concurrent_runs: 2 });
  const window = await act("POST", "/api/v1/schedule/maintenance", { start: "02:00", end: "03:00" });
  await act("DELETE", `/api/v1/schedule/maintenance/${window.id}`);
  await act("POST", "/api/v1/pipeline/pause", {});
  await act("POST", "/api/v1/pipeline/resume", {});
  const silence = await act("POST", "/api/v1/silences", { pipeline: "sales", duration_minutes: 5 });
  await act("DELETE", `/api/v1/silences/${silence.id}`);
  const issued = await act("POST", "/api/v1/tokens", { role: "viewer" });
  await act("POST", `/api/v1/tokens/${issued.id}/rotate`);
  await act("DELETE", `/api/v1/tokens/${issued.id}`);
  const records = (await audited(ask)).filter(({ seq, kind }) => seq > before && kind === "change").reverse();
  for (const one of records) {
    expect(one, one.action).toMatchObject({ token, role: "admin", address: "127.0.0.1", request_id: "r-1", user: "ana" });
  }
  const ids = (items: { id: string }[]) => items.map(({ id }) => id);
  expect(records.map(({ action, ids: all }) => [action, all])).toEqual([
    ["trigger", [manual.id]],
    ["cancel", [manual.id]],
    ["trigger", [immediate.id]],
    ["trigger", [webhook.id]],
    ["trigger", [foreign.id]],
    ["backfill", ids(few.items)],
    ["backfill", [many.items[0].id, many.items.at(-1).id]],
    ["settings", []],
    ["maintenance", [window.id]],
    ["maintenance", [window.id]],
    ["pause", []],
    ["resume", []],
    ["silence", [silence.id]],
    ["silence", [silence.id]],
    ["token.issue", [issued.id]],
    ["token.rotate", [issued.id]],
    ["token.revoke", [issued.id]],
  ]);
  expect(records[6]).toMatchObject({ after: { triggers: many.count, firstFireTime: "2026-01-01T00:00:00.000Z" } });
});

it("an interval that is reset and a pipeline that is retired for a caller are recorded with that caller", async () => {
  running = await service([sales()]);
  const { scheduler } = running;
  const caller = { token: "t-1", role: "admin", address: "10.0.0.1", requestId: "r-9" };
  const waiting = await scheduler.trigger("sales", { notBefore: "2027-01-01T00:00:00Z" });
  await scheduler.retire("sales", { user: "ana", caller });
  expect((await scheduler.audit.list({ limit: 1 }))[0]).toMatchObject({ action: "retire", user: "ana", ...caller, ids: [waiting.id] });
  await expect(scheduler.pause({ caller: { ...caller, requestId: "x".repeat(101) } })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
});

it("a retry under an idempotency key is recorded with what the first one made", async () => {
  running = await service();
  const key = { "idempotency-key": "k1" };
  const { json } = await running.ask("POST", "/api/v1/trigger/manual", {}, key);
  await running.ask("POST", "/api/v1/trigger/manual", {}, key);
  const all = (await audited(running.ask)).filter(({ ids }) => ids.includes(json.id));
  expect(all.map(({ kind }) => kind)).toEqual(["call", "call", "change"]);
});

describe("a token that does not act for others", () => {
  const bodies: readonly (readonly [method: string, path: string, body: object])[] = [
    ["POST", "/api/v1/trigger/manual", {}],
    ["POST", "/api/v1/trigger/immediate", {}],
    ["POST", "/api/v1/pipelines/sales/backfill", { from: "2026-03-01T22:00:00Z" }],
    ["POST", "/api/v1/pipeline/pause", {}],
    ["POST", "/api/v1/pipeline/resume", {}],
    ["POST", "/api/v1/pipelines/sales/pause", {}],
    ["POST", "/api/v1/pipelines/sales/resume", {}],
    ["POST", "/api/v1/pipelines/sales/skip", {}],
    ["POST", "/api/v1/pipelines/sales/unskip", {}],
    ["POST", "/api/v1/triggers/cancel", { pipelines: ["sales"], preview: true }],
    ["POST", "/api/v1/triggers/{trigger}/cancel", {}],
    ["PUT", "/api/v1/schedule/config", { max_concurrent_runs: 3 }],
    ["POST", "/api/v1/schedule/maintenance", { start: "02:00", end: "03:00" }],
    ["POST", "/api/v1/silences", { pipeline: "sales", duration_minutes: 5 }],
    ["POST", "/api/v1/pipelines/tuned/adaptive/reset", {}],
    ["POST", "/api/v1/tokens", { role: "viewer" }],
  ];

  it("cannot give another's name on any route that takes one, changes nothing by trying, and may give its own", async () => {
    running = await service([sales(), tuned()], { defaultPipeline: "sales" });
    const { ask, scheduler } = running;
    const { token } = await scheduler.tokens.issue({ role: "admin", user: "ana" });
    const mine = { authorization: `Bearer ${token}` };
    const trigger = await scheduler.trigger("sales", { notBefore: "2027-01-01T00:00:00Z" });
    const before = (await scheduler.triggers()).items.length;
    for (const [method, path, body] of bodies) {
      const url = path.replace("{trigger}", trigger.id);
      for (const user of ["ceo", "Ana", "environment", "webhook:github"])
        expect(await ask(method, url, { ...body, user }, mine), `${path} ${user}`).toMatchObject({
          status: 403,
          json: { code: "FORBIDDEN" },
        });
    }
    expect((await scheduler.triggers()).items.length).toBe(before);
    expect((await scheduler.audit.list({ limit: 1_000 })).filter(({ kind }) => kind === "change").map(({ action }) => action)).toEqual([
      "token.issue",
    ]);
    for (const [method, path, body] of bodies) {
      const { status } = await ask(method, path.replace("{trigger}", trigger.id), { ...body, user: "ana" }, mine);
      expect(status, path).toBeLessThan(300);
    }
  });

  it("covers every route whose body has a field user", async () => {
    running = await service([sales(), tuned()]);
    const document = running.api.openapi() as Json;
    const withUser = Object.entries<Json>(document.paths).flatMap(([path, methods]) =>
      Object.entries<Json>(methods).flatMap(([method, { requestBody }]) => {
        const resolved = JSON.stringify(requestBody ?? {}).replaceAll(/\{"\$ref":"#\/components\/schemas\/(\w+)"\}/g, (_, name) =>
          JSON.stringify(document.components.schemas[name]),
        );
        return resolved.includes('"user":') ? [`${method.toUpperCase()} ${path}`] : [];
      }),
    );
    const tried = bodies.map(
      ([method, path]) => `${method} ${path.replace("{trigger}", "{id}").replace(/pipelines\/(?:sales|tuned)/, "pipelines/{id}")}`,
    );
    expect(withUser.filter((one) => !one.startsWith("POST /api/v1/runs/{id}/")).toSorted()).toEqual(tried.toSorted());
  });

  it("cannot hand out a token that acts under another's name, nor take one over by rotating it", async () => {
    running = await service();
    const { ask, scheduler } = running;
    const admin = await scheduler.tokens.issue({ role: "admin", user: "ana" });
    const mine = { authorization: `Bearer ${admin.token}` };
    const shared = await scheduler.tokens.issue({ role: "viewer", actsForOthers: true });
    const named = await scheduler.tokens.issue({ role: "viewer", user: "ceo" });
    for (const body of [{ acts_for_others: true }, { user: "ceo" }])
      expect(await ask("POST", "/api/v1/tokens", { role: "viewer", ...body }, mine)).toMatchObject({ status: 403 });
    for (const { id } of [shared, named]) expect(await ask("POST", `/api/v1/tokens/${id}/rotate`, {}, mine)).toMatchObject({ status: 403 });
    expect(await ask("POST", "/api/v1/tokens", { role: "viewer", user: "ana" }, mine)).toMatchObject({
      status: 201,
      json: { user: "ana", acts_for_others: false, created_by: "ana" },
    });
    expect(await ask("POST", "/api/v1/tokens", { role: "viewer", user: "ceo", acts_for_others: true })).toMatchObject({
      status: 201,
      json: { user: "ceo", acts_for_others: true, created_by: "environment" },
    });
    expect(await ask("POST", "/api/v1/tokens", { role: "viewer", user: "webhook:github" })).toMatchObject({ status: 422 });
  });
});

it("a token that names no user acts as its own, and the environment's as anybody", async () => {
  running = await service([sales()], {
    tokens: [{ id: "etl", role: "operator", token: "a-static-token-of-tests", pipelines: null, user: "etl team" }],
  });
  const { ask, scheduler } = running;
  const { token, id } = await scheduler.tokens.issue({ role: "operator" });
  const userOf = async (headers: Record<string, string> | undefined, body = {}) =>
    (await ask("POST", "/api/v1/trigger/manual", body, headers)).json.user;
  expect(await userOf({ authorization: `Bearer ${token}` })).toBe(id);
  expect(await userOf({ authorization: "Bearer a-static-token-of-tests" })).toBe("etl team");
  expect(await userOf(undefined)).toBe("environment");
  expect(await userOf(undefined, { user: "admin" })).toBe("admin");
});

it("two tokens can never have one id: `environment`, reserved names and repeated ones are refused", () => {
  const scheduler = createScheduler({ pipelines: [sales()] });
  const one = (id: string, rest: Partial<StaticToken> = {}): StaticToken => ({
    id,
    role: "viewer",
    token: "x".repeat(20),
    pipelines: null,
    ...rest,
  });
  for (const tokens of [
    [one("environment")],
    [one("webhook:github")],
    [one("a"), one("a")],
    [one("")],
    [one("a", { user: "file:x" })],
    [one("a", { user: "" })],
  ])
    for (const adminToken of [null, "an-admin-token-of-tests"])
      expect(() => createTriggerApi(scheduler, { adminToken, tokens }), JSON.stringify(tokens)).toThrow(/createTriggerApi: tokens: /);
});

describe("calls that are refused before a caller is known", () => {
  it("are one record a minute for each address, action and outcome, with their count and the first and last instant", async () => {
    running = await service([sales()], { trustProxy: 1, addressLimit: { requests: 8, per: "1m" } });
    const { ask, clock, scheduler } = running;
    const from = (address: string, path = "/api/v1/info", method = "GET") =>
      ask(method, path, undefined, { "x-forwarded-for": address, authorization: "Bearer wrong-token" });
    for (let n = 0; n < 10; n++) await from("2001:db8:1:2::1");
    await clock.advance("20s");
    for (let n = 0; n < 3; n++) await from(`2001:db8:1:2:${n}::7`);
    for (let n = 0; n < 4; n++) await from("10.0.0.1", `/api/v1/nothing-${n}`);
    await from("10.0.0.1", "/api/v1/info", "DELETE");
    expect(await scheduler.audit.list({ limit: 10 })).toEqual([]);
    await clock.advance("40s");
    const records = await audited(ask);
    expect(records.find(({ outcome }) => outcome === "429 RATE_LIMITED")).toMatchObject({
      kind: "call",
      action: "GET /api/v1/info",
      address: "2001:db8:1:2::/64",
      token: null,
      sum: { first_at: "2026-03-02T00:00:00.000Z", last_at: "2026-03-02T00:00:20.000Z" },
    });
    expect(
      records
        .filter(({ sum }) => sum !== null)
        .map(({ action, address, outcome, sum }) => `${address} ${action} ${outcome} ${sum.count}`)
        .toSorted(),
    ).toEqual([
      "10.0.0.1 DELETE unknown path 405 METHOD_NOT_ALLOWED 1",
      "10.0.0.1 GET unknown path 404 NOT_FOUND 4",
      "2001:db8:1:2::/64 GET /api/v1/info 401 UNAUTHENTICATED 8",
      "2001:db8:1:2::/64 GET /api/v1/info 429 RATE_LIMITED 5",
    ]);
  });

  it("cannot fill the audit log: 1,200,000 of them in an hour make at most 1,860 records, in which none is lost, and push no change out of memory", async () => {
    running = await service();
    const { clock, scheduler } = running;
    await scheduler.settings.addMaintenance({ start: "01:00", end: "02:00" });
    for (let minute = 0; minute < 60; minute++) {
      for (let n = 0; n < 20_000; n++)
        scheduler.audit.count({ action: `GET /${n % 7}`, address: `10.0.${n % 250}.${n % 31}`, outcome: "401 UNAUTHENTICATED" });
      await clock.advance("1m");
    }
    const records = await scheduler.audit.list({ limit: 100_000 });
    const last = (await scheduler.audit.head()).seq;
    expect(last).toBeLessThanOrEqual(1 + 60 * 31);
    expect(records.filter(({ kind }) => kind === "change").length).toBe(1);
    const minutes = records.filter(({ sum }) => sum !== null && sum !== undefined);
    expect(minutes.slice(0, 31 * 30).reduce((total, { sum }) => total + (sum?.count ?? 0), 0)).toBe(30 * 20_000);
    expect(await scheduler.audit.verify()).toMatchObject({ isIntact: true });
  });

  it("over HTTP wait in memory no longer than a minute, and are recorded when the scheduler stops", async () => {
    const store = sqlite[1]();
    running = await service([sales()], {}, { store: store() });
    await running.ask("GET", "/api/v1/info", undefined, { authorization: "Bearer wrong-token" });
    await running.close();
    running = await service([sales()], {}, { store: store() });
    expect((await running.scheduler.audit.list({ limit: 10 }))[0]).toMatchObject({ outcome: "401 UNAUTHENTICATED", sum: { count: 1 } });
  });

  it("are recorded later when the store is away, each once", async () => {
    const inner = memoryStore();
    let isAway = false;
    const store: Store = {
      ...bound(inner),
      appendAudit: async (entries, sealer) => {
        if (isAway) throw new HeadgateError("STORE_UNAVAILABLE", "away");
        return inner.appendAudit(entries, sealer);
      },
    };
    running = await service([sales()], {}, { store });
    const { scheduler, clock } = running;
    const call = { action: "GET /x", address: "10.0.0.1", outcome: "401 UNAUTHENTICATED" };
    isAway = true;
    scheduler.audit.count(call);
    await clock.advance("2m");
    scheduler.audit.count(call);
    isAway = false;
    await clock.advance("2m");
    expect(await scheduler.audit.list({ limit: 10 })).toMatchObject([{ ...call, sum: { count: 2 } }]);
    expect(running.heard("error")).toEqual([]);
  });

  it("are added up with those that could not be recorded while the store was away", () => {
    const sums = new CallSums();
    const call = { action: "GET /x", address: "10.0.0.1", outcome: "401 UNAUTHENTICATED" };
    sums.add(call, 1);
    sums.add(call, 2);
    const lost = sums.take(3);
    expect(sums.isEmpty).toBe(true);
    sums.add(call, 5);
    sums.putBack(lost);
    expect(sums.take(6)).toMatchObject([{ ...call, sum: { count: 3, firstAt: 1, lastAt: 5 } }]);
    for (let n = 0; n < 100; n++) sums.add({ ...call, address: `10.0.0.${n}` }, n);
    const full = sums.take(100);
    for (let n = 0; n < 100; n++) sums.add({ ...call, address: `10.0.1.${n}` }, n);
    sums.putBack(full);
    const all = sums.take(200);
    expect(all.length).toBe(31);
    expect(all.reduce((total, { sum }) => total + (sum?.count ?? 0), 0)).toBe(200);
  });

  it("and those of a token that are too many are added up with its id", async () => {
    running = await service([sales()], { tokenLimit: { requests: 1, per: "1m" } });
    for (let n = 0; n < 5; n++) await running.ask("GET", "/api/v1/info");
    await running.clock.advance("1m");
    expect((await running.scheduler.audit.list({ limit: 10 })).map(({ outcome, token, sum }) => [outcome, token, sum?.count])).toEqual([
      ["429 RATE_LIMITED", "environment", 4],
      ["200", "environment", undefined],
    ]);
  });
});

describe("GET /api/v1/audit/verify and /head", () => {
  it("check against a head that was written down, in parts, and refuse half of one", async () => {
    running = await service();
    const { ask, scheduler } = running;
    for (let n = 0; n < 5; n++) await scheduler.settings.addMaintenance({ start: "01:00", end: "02:00" }, { id: `w${n}` });
    const head = (await ask("GET", "/api/v1/audit/head")).json;
    expect(head).toEqual({ seq: 5, hash: expect.stringMatching(/^[0-9a-f]{64}$/) });
    const verify = async (query: string) => (await ask("GET", `/api/v1/audit/verify?${query}`)).json;
    expect(await verify(`seq=5&hash=${head.hash}`)).toMatchObject({ is_intact: true, anchor: "kept", next_cursor: null });
    expect(await verify(`seq=5&hash=${"0".repeat(64)}`)).toMatchObject({ is_intact: false, anchor: "changed", problem: { seq: 5 } });
    expect(await verify(`seq=99&hash=${head.hash}`)).toMatchObject({ is_intact: false, anchor: "missing" });
    const part = await verify("limit=3");
    expect(part).toMatchObject({ is_intact: true, records: 3, anchor: null });
    expect(await verify(`cursor=${part.next_cursor}`)).toMatchObject({ is_intact: true, next_cursor: null });
    for (const bad of ["seq=5", `hash=${head.hash}`, "seq=0&hash=00", "limit=0", "limit=1000001", "cursor=x"])
      expect(await verify(bad), bad).toMatchObject({ status: 422, code: "INVALID_REQUEST" });
    const limited = await scheduler.tokens.issue({ role: "admin", pipelines: ["sales"] });
    expect((await ask("GET", "/api/v1/audit/head", undefined, { authorization: `Bearer ${limited.token}` })).status).toBe(403);
  });
});

it("a webhook that is signed acts as its source, with its id as the token", async () => {
  const secret = "what-github-was-given";
  running = await service([sales()], { webhooks: [{ source: "github", scheme: "github", secret }] });
  const { createHmac } = await import("node:crypto");
  const body = JSON.stringify({ ref: "main" });
  const signature = `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`;
  const headers = { "x-hub-signature-256": signature, "content-type": "application/json", "x-github-delivery": "d-1" };
  const { json } = (await fetch(`${running.url}/api/v1/webhooks/github`, { method: "POST", headers, body }).then(async (one) => ({
    json: await one.json(),
  }))) as Json;
  expect(json.user).toBe("webhook:github");
  const [record] = (await audited(running.ask)).filter(({ action }) => action === "trigger");
  expect(record).toMatchObject({ token: "webhook:github", role: "operator", user: "webhook:github", ids: [json.id] });
});
