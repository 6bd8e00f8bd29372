import { afterEach, describe, expect, it } from "vitest";
import { ApiError, type Client, createClient } from "../../src/adapters/http/client.js";
import { createTriggerApi } from "../../src/adapters/http/index.js";
import { harness } from "../support/harness.js";
import { ADMIN, type Service, sales, service } from "../support/service.js";

let running: Service | null = null;
afterEach(async () => {
  await running?.close();
  running = null;
});

/** A call of each method of the client, by the operation that it is for. */
const CALLS: Readonly<Record<string, (client: Client) => Promise<unknown>>> = {
  health: (client) => client.health(),
  ready: (client) => client.ready(),
  info: (client) => client.info(),
  openapi: (client) => client.openapi(),
  metrics: (client) => client.metrics(),
  events: async (client) => {
    for await (const _ of client.events({ wait: async () => Promise.reject(new Error("once")), signal: AbortSignal.timeout(1) })) break;
  },
  triggerManual: (client) => client.trigger(),
  triggerImmediate: (client) => client.triggerImmediate(),
  triggerWebhook: (client) => client.webhook({ source: "shop" }),
  triggerForeignWebhook: (client) => client.foreignWebhook("shop", {}),
  getTriggerStatus: (client) => client.triggerStatus("x"),
  listPendingTriggers: (client) => client.pending(),
  cancelTrigger: (client) => client.cancelTrigger("x"),
  cancelRun: (client) => client.cancelRun("x"),
  cancelMany: (client) => client.cancelMany({ everything: true }),
  retryRun: (client) => client.retryRun("x"),
  rerun: (client) => client.rerun("x"),
  getScheduleConfig: (client) => client.settings(),
  putScheduleConfig: (client) => client.changeSettings({}),
  listMaintenance: (client) => client.maintenance(),
  addMaintenance: (client) => client.addMaintenance({ start: "01:00", end: "02:00" }),
  removeMaintenance: (client) => client.removeMaintenance("x"),
  pause: (client) => client.pause(),
  resume: (client) => client.resume(),
  pausePipeline: (client) => client.pausePipeline("x"),
  resumePipeline: (client) => client.resumePipeline("x"),
  listSkips: (client) => client.skips("x"),
  skip: (client) => client.skip("x"),
  unskip: (client) => client.unskip("x"),
  listPipelines: (client) => client.pipelines(),
  getPipeline: (client) => client.pipeline("x"),
  getPipelineStatus: (client) => client.pipelineStatus(),
  getRun: (client) => client.run("x"),
  getDecision: (client) => client.decision("x"),
  explain: (client) => client.explain("x"),
  backfill: (client) => client.backfill("x", { from: "2026-01-01T00:00:00Z" }),
  listTriggers: (client) => client.triggers("x"),
  listRuns: (client) => client.runs("x"),
  listDecisions: (client) => client.decisions("x"),
  listUpcoming: (client) => client.upcoming("x"),
  listAllTriggers: (client) => client.allTriggers(),
  listAllRuns: (client) => client.allRuns(),
  listAllDecisions: (client) => client.allDecisions(),
  listAllUpcoming: (client) => client.allUpcoming(),
  getStatistics: (client) => client.statistics(),
  getPipelineStatistics: (client) => client.pipelineStatistics("x"),
  listAlerts: (client) => client.alerts(),
  listSilences: (client) => client.silences(),
  addSilence: (client) => client.silence({ rule: "run_failed", duration_minutes: 1 }),
  endSilence: (client) => client.endSilence("x"),
  listNodes: (client) => client.nodes(),
  dismissNode: (client) => client.dismissNode("x"),
  getAdaptive: (client) => client.adaptive("x"),
  resetAdaptive: (client) => client.resetAdaptive("x"),
  listTokens: (client) => client.tokens(),
  getToken: (client) => client.token("x"),
  issueToken: (client) => client.issueToken({ role: "viewer" }),
  rotateToken: (client) => client.rotateToken("x"),
  revokeToken: (client) => client.revokeToken("x"),
  listAudit: (client) => client.audit(),
  getAuditRecord: (client) => client.auditRecord(1),
  getAuditHead: (client) => client.auditHead(),
  verifyAudit: (client) => client.verifyAudit(),
};

describe("the typed client", () => {
  it("covers every route, each by its method and path", async () => {
    const { scheduler } = await harness([sales()]);
    const api = createTriggerApi(scheduler, { adminToken: ADMIN });
    const found: Record<string, string> = {};
    const wanted: Record<string, string> = {};
    for (const { id, method, path } of api.routes) {
      wanted[id] = `${method} ${path}`;
      const call = CALLS[id];
      const fetched = async (url: Parameters<typeof fetch>[0], init?: RequestInit): Promise<Response> => {
        const { pathname } = new URL(String(url));
        found[id] ??= `${init?.method} ${pathname}`;
        return new Response("{}", { status: 404 });
      };
      await call?.(createClient({ baseUrl: "http://service", token: ADMIN, fetch: fetched as typeof fetch })).catch(() => {});
    }
    const pattern = (text: string) => text.replaceAll(/\{\w+\}/g, "*");
    const called = Object.fromEntries(Object.entries(found).map(([id, text]) => [id, text.replace(/\/(?:x|shop|1)(?=\/|$)/, "/*")]));
    expect(called).toEqual(Object.fromEntries(Object.entries(wanted).map(([id, text]) => [id, pattern(text)])));
    await scheduler.stop();
  });

  it("does what its methods say: tokens, the audit log, health, and the document", async () => {
    running = await service([sales()]);
    const client = createClient({ baseUrl: running.url, token: ADMIN });
    const issued = await client.issueToken({ role: "operator", user: "ana" });
    expect((await client.tokens()).items.map(({ id }) => id)).toContain(issued.id);
    const ana = createClient({ baseUrl: running.url, token: issued.token });
    await ana.pausePipeline("sales", { reason: "moving" });
    expect(await ana.pipelineStatus()).toMatchObject({ id: "sales", paused: true, pause: { user: "ana", reason: "moving" } });
    const [record] = (await client.audit()).items;
    expect(await client.auditRecord(record?.seq ?? 0)).toMatchObject({ seq: record?.seq });
    expect(await client.verifyAudit(await client.auditHead())).toMatchObject({ is_intact: true });
    const rotated = await client.rotateToken(issued.id, { overlap_minutes: 0 });
    expect(rotated.token).not.toBe(issued.token);
    expect(await client.revokeToken(issued.id)).toMatchObject({ id: issued.id });
    await expect(ana.info()).rejects.toMatchObject({ name: "ApiError", status: 401 });
    expect([await client.health(), await client.ready()]).toEqual([{ status: "ok" }, { status: "ok" }]);
    expect((await client.openapi()).openapi).toBe("3.1.1");
  });

  it("reads events as they happen, and goes on behind the last one when the connection breaks", async () => {
    running = await service([sales()]);
    const { scheduler, url, clock } = running;
    const leaving = new AbortController();
    let connections = 0;
    let isOpen = false;
    const breaking = async (target: Parameters<typeof fetch>[0], init?: RequestInit): Promise<Response> => {
      connections++;
      if (connections === 2) throw new TypeError("fetch failed");
      const response = await fetch(target, init);
      isOpen = true;
      if (connections !== 1) return response;
      const reader = (response.body as ReadableStream<Uint8Array>).getReader();
      let seen = "";
      return new Response(
        new ReadableStream({
          pull: async (controller) => {
            const { value = new Uint8Array() } = await reader.read();
            seen += new TextDecoder().decode(value);
            controller.enqueue(value);
            if (!seen.includes("event: run.succeeded")) return;
            await reader.cancel();
            controller.close();
          },
        }),
      );
    };
    const client = createClient({ baseUrl: url, token: ADMIN, fetch: breaking as typeof fetch });
    const waits: number[] = [];
    const names: string[] = [];
    const run = async () => {
      await scheduler.trigger("sales");
      await clock.settle();
    };
    const wait = async (ms: number) => {
      waits.push(ms);
    };
    let isFirst = true;
    const events = client.events({ signal: leaving.signal, wait });
    const first = events.next();
    while (!isOpen) await new Promise((resolve) => setImmediate(resolve));
    await run();
    for (let next = await first; next.done !== true; next = await events.next()) {
      names.push(next.value.event);
      if (next.value.event !== "run.succeeded") continue;
      if (!isFirst) leaving.abort();
      else await run(); // while it is not connected
      isFirst = false;
    }
    expect(names).toEqual(["decision", "run.started", "run.succeeded", "decision", "run.started", "run.succeeded"]);
    expect([connections, waits]).toEqual([3, [1_000, 2_000]]);
  });

  it("ends a stream of events when the service refuses, or the loop is left", async () => {
    running = await service([sales()]);
    const refused = createClient({ baseUrl: running.url, token: "no-token-of-this-service" });
    await expect(refused.events().next()).rejects.toBeInstanceOf(ApiError);
  });
});
