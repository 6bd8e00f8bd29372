import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTriggerApi, type TriggerApi } from "../../src/adapters/http/index.js";
import { prometheusMetrics } from "../../src/adapters/metrics/prometheus.js";
import { adaptive, every, performanceBased, pipeline, type Role, type Store, type TokenInfo } from "../../src/index.js";
import { type Harness, harness } from "../support/harness.js";
import { places } from "../support/stores.js";
import { EXPECTATIONS, FOREIGN, MARK, OWN, planted, type Sent, type Target, World } from "./routes.js";
import { scaled } from "./scale.js";

const RANK: Readonly<Record<Role, number>> = { viewer: 0, operator: 1, admin: 2 };
const ROLES = ["viewer", "operator", "admin"] as const;
const ENVIRONMENT = "the-admin-token-of-the-environment";
const STATIC = "a-static-token-of-one-pipeline";

interface Caller {
  readonly name: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Appended to the query. */
  readonly query?: string;
  /** `null`: nobody. */
  readonly role: Role | null;
  readonly isLimited: boolean;
}

interface Attacked extends Harness {
  readonly api: TriggerApi;
  readonly world: World;
  readonly strangers: readonly Caller[];
  readonly holders: readonly Caller[];
  /** The text of a token by what it is of, such as `"viewer of all"`. */
  readonly tokens: ReadonlyMap<string, string>;
}

async function attacked(store: Store): Promise<Attacked> {
  const run = ({ pipelineId }: { pipelineId: string }) => `${pipelineId === FOREIGN ? MARK : "own"}-output`;
  const execution = { maxActiveRuns: 1, overlap: "queue" } as const;
  const made = (id: string) =>
    pipeline({
      id,
      description: `${id} description`,
      schedule: adaptive({ base: "1h", min: "30m", max: "2h", tuner: performanceBased() }),
      tags: ["shared"],
      execution,
      run,
    });
  const failing = pipeline({
    id: `${FOREIGN}-2`,
    tags: [`${MARK}-tag`],
    schedule: every("1h"),
    run: () => {
      throw new Error(`${MARK}-error`);
    },
  });
  const inner = await harness([made(OWN), made(FOREIGN), failing], { store, monitoring: { every: "15s" } });
  const { scheduler, clock } = inner;
  const api = createTriggerApi(scheduler, {
    adminToken: ENVIRONMENT,
    tokens: [{ id: "static", role: "admin", token: STATIC, pipelines: [OWN] }],
    defaultPipeline: OWN,
    tokenLimit: null,
    addressLimit: null,
    metrics: prometheusMetrics(scheduler),
  });
  const world = new World(scheduler);
  for (const id of [OWN, FOREIGN]) {
    const { id: triggerId } = await scheduler.trigger(id, {
      ...planted(id),
      parameters: { secret: `${id === FOREIGN ? MARK : "own"}-parameters` },
    });
    await clock.settle();
    const { runId } = (await scheduler.getTrigger(triggerId)) ?? {};
    if (typeof runId !== "string") throw new Error(`${id} did not run`);
    world.runs.set(id, runId);
    await scheduler.settings.change(id, { stalenessThresholdMs: id === FOREIGN ? 7_200_000 : 3_600_000 }, planted(id));
    await world.trigger(id);
    await world.silence(id);
    await world.maintenance(id);
    await scheduler.pause({ pipelineId: id, ...planted(id) });
    await scheduler.resume({ pipelineId: id, ...planted(id) });
  }
  await scheduler.trigger(failing.id);
  await clock.advance("1m");
  await world.token();

  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
  const tokens = new Map<string, string>();
  const infos = new Map<string, TokenInfo>();
  const issue = async (
    name: string,
    options: { role: Role; pipelines?: readonly string[]; expiresIn?: string; actsForOthers?: boolean },
  ) => {
    const { token, ...info } = await scheduler.tokens.issue(options);
    tokens.set(name, token);
    infos.set(name, info);
    return token;
  };
  const holders: Caller[] = [
    { name: "the environment's token", headers: bearer(ENVIRONMENT), role: "admin", isLimited: false },
    { name: "a static token of one pipeline", headers: bearer(STATIC), role: "admin", isLimited: true },
  ];
  const strangers: Caller[] = [];
  const stranger = (name: string, headers: Readonly<Record<string, string>>, query?: string) =>
    strangers.push({ name, headers, role: null, isLimited: true, ...(query === undefined ? {} : { query }) });
  for (const role of ROLES) {
    const all = await issue(`${role} of all`, { role, actsForOthers: true });
    const one = await issue(`${role} of one`, { role, pipelines: [OWN] });
    holders.push({ name: `${role} of all`, headers: bearer(all), role, isLimited: false });
    holders.push({ name: `${role} of one`, headers: bearer(one), role, isLimited: true });
    stranger(`expired ${role}`, bearer(await issue(`${role} expired`, { role, expiresIn: "1m" })));
    stranger(`revoked ${role}`, bearer(await issue(`${role} revoked`, { role })));
    await scheduler.tokens.revoke(infos.get(`${role} revoked`)?.id ?? "");
    stranger(`${role} before its rotation`, bearer(await issue(`${role} rotated`, { role })));
    await scheduler.tokens.rotate(infos.get(`${role} rotated`)?.id ?? "", { overlap: "1m" });
  }
  await clock.advance("2m");

  const token = tokens.get("admin of all") ?? "";
  const other = tokens.get("viewer of one") ?? "";
  const [prefix = "", id = "", secret = ""] = token.split("_");
  const [, otherId = ""] = other.split("_");
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  stranger("no header", {});
  for (const header of [
    "",
    "Bearer",
    "Bearer ",
    "Bearer null",
    "Bearer undefined",
    "Bearer [object Object]",
    "Bearer *",
    "Bearer ' OR 1=1 --",
    token,
    ENVIRONMENT,
    `Token ${token}`,
    `Basic ${token}`,
    `Basic ${base64(`:${token}`)}`,
    `Basic ${base64(`admin:${token}`)}`,
    `Digest username="${token}"`,
    `Bearer ${token} ${token}`,
    `Bearer ${token},`,
    `Bearer ${token}, Bearer ${other}`,
    `Bearer x, Bearer ${token}`,
    `Bearer "${token}"`,
    `Bearer '${token}'`,
    `Bearer: ${token}`,
    `Bearer=${token}`,
    `Bearer\u00a0${token}`,
    `Bearer Bearer ${token}`,
    `Bearer ${encodeURIComponent(`${token} `)}`,
    `Bearer ${base64(token)}`,
    `Bearer ${token}x`,
    `Bearer ${token.slice(0, -1)}`,
    `Bearer ${token.toUpperCase()}`,
    `Bearer ${token.slice(0, -1)}%`,
    `Bearer ${ENVIRONMENT}x`,
    `Bearer ${ENVIRONMENT.toUpperCase()}`,
    `Bearer ${prefix}_${otherId}_${secret}`,
    `Bearer ${prefix}_${id}_${"x".repeat(secret.length)}`,
    `Bearer ${prefix}_${id}_`,
    `Bearer ${prefix}_${id}`,
    `Bearer ${prefix}__${secret}`,
    `Bearer ${prefix}_${"0".repeat(26)}_${secret}`,
    `Bearer ${createHash("sha256").update(token).digest("hex")}`,
    `Bearer ${createHash("sha256").update(ENVIRONMENT).digest("hex")}`,
    `Bearer ${id}`,
    "Bearer environment",
    "Bearer static",
    `Bearer ${"x".repeat(500)}`,
    `Bearer ${"x".repeat(501)}`,
    `Bearer ${"x".repeat(10_000)}`,
  ])
    stranger(`the header ${JSON.stringify(header.slice(0, 40))}`, { authorization: header });
  for (const name of ["x-api-key", "x-authorization", "proxy-authorization", "x-auth-token", "x-forwarded-authorization", "cookie"])
    stranger(`a token in ${name}`, { [name]: name === "cookie" ? `token=${token}; authorization=Bearer ${token}` : `Bearer ${token}` });
  for (const name of ["access_token", "token", "authorization", "api_key"])
    stranger(`a token in ?${name}`, {}, `${name}=${encodeURIComponent(token)}`);
  return { ...inner, api, world, strangers, holders, tokens };
}

interface Reply {
  readonly status: number;
  readonly text: string;
}

async function send(api: TriggerApi, method: string, { path, body }: Sent, { headers, query }: Caller): Promise<Reply> {
  const url = `http://headgate.test${path}${query === undefined ? "" : `${path.includes("?") ? "&" : "?"}${query}`}`;
  const json = body === undefined ? {} : { body: JSON.stringify(body) };
  const response = await api.fetch(new Request(url, { method, headers: { "content-type": "application/json", ...headers }, ...json }));
  if (response.headers.get("content-type") === "text/event-stream") {
    await response.body?.cancel();
    return { status: response.status, text: "" };
  }
  return { status: response.status, text: await response.text() };
}

/** Everything that a request could have changed. */
async function stateOf({ scheduler }: Attacked): Promise<string> {
  const [triggers, runs, tokens, silences, windows, own, foreign, statuses] = await Promise.all([
    scheduler.triggers({ limit: 1_000 }),
    scheduler.runs({ limit: 1_000 }),
    scheduler.tokens.list(),
    scheduler.alerts.silences(),
    scheduler.settings.maintenance(),
    scheduler.settings.get(OWN),
    scheduler.settings.get(FOREIGN),
    Promise.all([OWN, FOREIGN].map((id) => scheduler.getPipelineStatus(id))),
  ]);
  return JSON.stringify([
    triggers,
    runs,
    tokens,
    silences,
    windows,
    own,
    foreign,
    statuses.map(({ pause }) => pause),
    scheduler.status().pause,
  ]);
}

function may({ role, isLimited }: Caller, least: Role | null, target: Target): boolean {
  if (least === null) return true;
  if (role === null || RANK[role] < RANK[least]) return false;
  return !isLimited || target === "own" || target === "any";
}

const { memory, sqlite, postgres } = await places();
const probe = await attacked(memory[1]()());
const routes = probe.api.routes;
await probe.scheduler.stop({ drain: 0 });

it("no route is without an expectation of who may use it, and none has another least role than that", () => {
  const told = routes.map(({ id, role }) => [id, role === "public" ? null : role === "signed" ? "operator" : role]);
  expect(Object.fromEntries(told)).toEqual(Object.fromEntries(Object.entries(EXPECTATIONS).map(([id, { least }]) => [id, least])));
});

describe.each([memory, ...(scaled(0, 1) === 1 ? [sqlite, ...postgres] : [])])("on %s", (_, place) => {
  let one: Attacked;
  beforeAll(async () => {
    one = await attacked(place()());
  });
  afterAll(() => one.scheduler.stop({ drain: 0 }));

  const cases = routes.flatMap(({ id, method }) => {
    const { requests = {}, least = "admin" } = EXPECTATIONS[id] ?? {};
    return Object.entries(requests).map(([target, forms]) => ({ id, method, least, target: target as Target, forms }));
  });

  it.each(cases)(
    "$id of $target is closed to who may not, changes nothing for them and shows them nothing of others",
    async ({ method, least, target, forms }) => {
      const refused = [...one.strangers, ...one.holders].filter((caller) => !may(caller, least, target));
      const sent = await forms(one.world);
      const before = await stateOf(one);
      for (const caller of refused) {
        for (const request of sent) {
          const { status, text } = await send(one.api, method, request, caller);
          const about = `${caller.name}: ${method} ${request.path} ${JSON.stringify(request.body) ?? ""} -> ${status} ${text.slice(0, 300)}`;
          if (caller.role === null) expect(status, about).toBe(401);
          else expect(target === "foreign" ? [403, 404] : [403], about).toContain(status);
          expect(leaked(text, request), about).toBe(false);
        }
      }
      expect(await stateOf(one)).toBe(before);
    },
  );

  it.each(cases)(
    "$id of $target is open to who may, and shows a limited token nothing of others",
    async ({ method, least, target, forms }) => {
      for (const caller of one.holders.filter((holder) => may(holder, least, target))) {
        for (const request of await forms(one.world)) {
          const { status, text } = await send(one.api, method, request, caller);
          const about = `${caller.name}: ${method} ${request.path} -> ${status} ${text.slice(0, 300)}`;
          expect([401, 405, 500], about).not.toContain(status);
          if (!(caller.isLimited && target === "any" && status === 403)) expect(status, about).not.toBe(403);
          if (caller.isLimited) expect(leaked(text, request), about).toBe(false);
        }
      }
    },
  );

  it("a role or a pipeline is not gained by headers that other servers believe", async () => {
    const viewer = one.holders.find(({ name }) => name === "viewer of one") as Caller;
    const before = await stateOf(one);
    for (const name of [
      "x-http-method-override",
      "x-http-method",
      "x-method-override",
      "x-original-url",
      "x-rewrite-url",
      "x-forwarded-user",
      "x-role",
      "x-forwarded-for",
      "forwarded",
    ])
      for (const value of ["DELETE", "POST", "/api/v1/tokens", "admin", "127.0.0.1"]) {
        const caller = { ...viewer, headers: { ...viewer.headers, [name]: value } };
        expect((await send(one.api, "GET", { path: "/api/v1/tokens" }, caller)).status, name).toBe(403);
        expect((await send(one.api, "POST", { path: "/api/v1/pipeline/pause", body: { pipeline: OWN } }, caller)).status, name).toBe(403);
        expect((await send(one.api, "GET", { path: `/api/v1/pipelines/${FOREIGN}` }, caller)).status, name).toBe(403);
      }
    expect(await stateOf(one)).toBe(before);
  });

  it("no other spelling of a path or a method lets in who may not", async () => {
    const viewer = one.holders.find(({ name }) => name === "viewer of one") as Caller;
    const nobody: Caller = { name: "nobody", headers: {}, role: null, isLimited: true };
    const before = await stateOf(one);
    const to = (path: string) => [
      path,
      `${path}/`,
      `/${path}`,
      path.replace("/api", "//api"),
      path.replace("/api", "/./api"),
      path.replace("/api", "/x/../api"),
      path.toUpperCase(),
      path.replace("tokens", "%74okens"),
      path.replace("/v1/", "/v1//"),
      `${path}%00`,
      `${path};a=b`,
      `${path}%2f`,
      `${path}.json`,
      `${path}%20`,
      `${path}?`,
      path.replace("/v1/", "%2fv1%2f"),
    ];
    for (const path of to("/api/v1/tokens"))
      for (const method of ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "get", "QUERY"])
        for (const caller of [nobody, viewer]) {
          const withBody = method === "GET" || method === "HEAD" || method === "get" ? {} : { body: { role: "admin" } };
          const { status, text } = await send(one.api, method, { path, ...withBody }, caller);
          expect([401, 403, 404, 405], `${caller.name}: ${method} ${path}`).toContain(status);
          expect(text).not.toContain(MARK);
        }
    for (const path of [
      "/api/v1/pipelines/alpha/../MARKB-pipeline",
      "/api/v1/pipelines/alpha%2f..%2fMARKB-pipeline",
      "/api/v1/pipelines/alpha/runs/../../MARKB-pipeline/runs",
      "/api/v1/pipelines/alpha%00MARKB-pipeline",
      "/api/v1/pipelines/alpha,MARKB-pipeline/runs",
      "/api/v1/pipelines/*/runs",
      "/api/v1/pipelines/%25/runs",
      "/api/v1/pipelines/MARKB%2dpipeline/runs",
      "/api/v1/triggers/pending?pipeline=alpha&pipeline=MARKB-pipeline",
      "/api/v1/triggers/pending?pipeline=MARKB-pipeline&pipeline=alpha",
      "/api/v1/triggers/pending?pipeline[]=MARKB-pipeline",
      "/api/v1/pipelines/alpha/triggers?pipeline=MARKB-pipeline",
      "/api/v1/schedule/config?pipeline=alpha&dag_id=MARKB-pipeline",
      "/api/v1/pipelines/alpha/runs?pipelineId=MARKB-pipeline",
    ]) {
      const { status, text } = await send(one.api, "GET", { path }, viewer);
      expect(status, path).toBeLessThan(500);
      expect(text.replaceAll(FOREIGN, ""), path).not.toContain(MARK);
      if (status === 200) expect(text, path).not.toContain(MARK);
    }
    expect(await stateOf(one)).toBe(before);
  });

  it("a cursor of one pipeline's list shows a limited token nothing of another's", async () => {
    const admin = one.holders[0] as Caller;
    const limited = one.holders.find(({ name }) => name === "viewer of one") as Caller;
    for (let count = 0; count < 3; count++) await one.world.trigger(FOREIGN);
    for (const list of ["triggers", "runs", "decisions"]) {
      const foreign = await send(one.api, "GET", { path: `/api/v1/pipelines/${FOREIGN}/${list}?limit=1` }, admin);
      const cursor = (JSON.parse(foreign.text) as { next_cursor: string | null }).next_cursor ?? one.world.run(FOREIGN);
      for (const path of [`/api/v1/pipelines/${OWN}/${list}`, "/api/v1/triggers/pending", "/api/v1/pipelines"]) {
        const { status, text } = await send(one.api, "GET", { path: `${path}?limit=1000&cursor=${encodeURIComponent(cursor)}` }, limited);
        expect(status).toBeLessThan(500);
        expect(text).not.toContain(MARK);
      }
    }
  });

  it("an idempotency key of another caller neither shows nor blocks anything", async () => {
    const path = "/api/v1/trigger/manual";
    const keyed = (caller: Caller) => ({ ...caller, headers: { ...caller.headers, "idempotency-key": "the-same-for-all" } });
    const ids = new Set<string>();
    const callers = one.holders.filter(({ role }) => role !== "viewer");
    for (const caller of callers) {
      const body = {
        pipeline: caller.isLimited ? OWN : FOREIGN,
        reason: caller.isLimited ? "mine" : `${MARK}-reason`,
        not_before: "2027-01-01T00:00:00Z",
      };
      const { status, text } = await send(one.api, "POST", { path, body }, keyed(caller));
      expect(status, caller.name).toBe(202);
      if (caller.isLimited) expect(text).not.toContain(MARK);
      ids.add((JSON.parse(text) as { id: string }).id);
    }
    expect(ids.size).toBe(callers.length);
  });

  it("an event stream tells a limited token nothing of others, neither live nor after any Last-Event-ID", async () => {
    const { scheduler, clock, api } = one;
    const open = async (token: string, lastEventId?: string) => {
      const headers = { authorization: `Bearer ${token}`, ...(lastEventId === undefined ? {} : { "last-event-id": lastEventId }) };
      const response = await api.fetch(new Request("http://headgate.test/api/v1/events", { headers }));
      expect(response.status).toBe(200);
      const reader = (response.body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream()).getReader();
      return async (isEnough: (text: string) => boolean) => {
        let text = "";
        let reading = reader.read();
        for (let look = 0; look < 600 && !isEnough(text); look++) {
          // events of a store that nodes share come with the clock
          const read = await Promise.race([reading, clock.advance("1s").then(() => null)]);
          if (read === null) continue;
          if (read.done) break;
          text += read.value;
          reading = reader.read();
        }
        expect(isEnough(text), text.slice(-500)).toBe(true);
        await reader.cancel();
        return text;
      };
    };
    const limited = one.tokens.get("viewer of one") ?? "";
    const read = await open(limited);
    const readAll = await open(ENVIRONMENT);
    await clock.advance("5s"); // until all nodes publish
    for (let count = 0; count < 5; count++) {
      await scheduler.trigger(FOREIGN, { kind: "immediate", force: true });
      await clock.settle();
    }
    await scheduler.trigger(OWN, { kind: "immediate", force: true, reason: "the last" });
    await clock.settle();
    const isEnough = (text: string) => /event: run\.succeeded\ndata: .*"pipeline":"alpha"/.test(text);
    expect(await read(isEnough)).not.toContain(MARK);
    const everything = await readAll(isEnough);
    expect(everything).toContain(MARK);
    const [first = ""] = /(?<=^id: ).+$/m.exec(everything) ?? [];
    const [life = ""] = first.split("-");
    for (const id of [
      first,
      `${life}-0`,
      `${life}-1`,
      `${life}--1`,
      `${life}-1e3`,
      `${life}-9999999`,
      `${life}-NaN`,
      `${life}-`,
      "-",
      "x",
      "0-0",
    ]) {
      const again = await open(limited, id);
      expect(await again((text) => isEnough(text) || text.includes("event: reset")), id).not.toContain(MARK);
    }
  });
});

/** Whether an answer shows something of the other pipeline that the request did not name itself. */
function leaked(text: string, { path, body }: Sent): boolean {
  const isNamed = `${path} ${JSON.stringify(body) ?? ""}`.includes(FOREIGN);
  return (isNamed ? text.replaceAll(FOREIGN, "") : text).includes(MARK);
}
