import { connect } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import type { TriggerApiOptions } from "../../src/adapters/http/index.js";
import { condition, every, type Pipeline, pipeline } from "../../src/index.js";
import { bound } from "../support/bound-store.js";
import { ADMIN, type Service, sales, service } from "../support/service.js";
import { type Place, places } from "../support/stores.js";

const { memory, sqlite, postgres } = await places();
/** A page, and room for what is around its items. */
const MOST_BYTES = 1_048_576 + 65_536;
const PARAMETERS = { blob: "x".repeat(999_000) };
const TRIGGERS = 580;

const running: Service[] = [];
afterEach(async () => {
  for (const one of running.splice(0)) await one.close();
});

async function made(place: Place[1], pipelines: readonly Pipeline[] = [sales()], options: TriggerApiOptions = {}): Promise<Service> {
  const one = await service(pipelines, { tokenLimit: null, addressLimit: null, ...options }, { store: place()() });
  running.push(one);
  return one;
}

async function get({ url }: Service, path: string) {
  const response = await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${ADMIN}` } });
  const text = await response.text();
  // biome-ignore lint/suspicious/noExplicitAny: answers are looked at field by field
  return { status: response.status, bytes: Buffer.byteLength(text), json: JSON.parse(text) as any };
}

/** All items of a list, page by page, each of them within the bounds. */
async function all(one: Service, path: string) {
  // biome-ignore lint/suspicious/noExplicitAny: items are looked at field by field
  const items: any[] = [];
  let pages = 0;
  for (let cursor: string | null = ""; cursor !== null; ) {
    const behind: string = cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const { status, bytes, json } = await get(one, `${path}?limit=1000${behind}`);
    expect(status).toBe(200);
    expect(bytes).toBeLessThan(MOST_BYTES);
    expect(json.items.length).toBeGreaterThan(0);
    items.push(...json.items);
    cursor = json.next_cursor;
    pages++;
  }
  return { items, pages };
}

describe.each([[...memory, TRIGGERS], [...sqlite, TRIGGERS], ...postgres.map(([name, place]) => [name, place, 60] as const)] as const)(
  "no answer is larger than its bound, on %s",
  (_, place, count) => {
    it(`with ${count} waiting triggers of 999 kB`, { timeout: 240_000 }, async () => {
      const one = await made(place);
      await one.scheduler.pause();
      const to = Date.parse("2026-02-01T00:00:00Z");
      const span = { from: to - count * 3_600_000, to };
      const backfilled = await one.ask("POST", "/api/v1/pipelines/sales/backfill", {
        from: new Date(span.from).toISOString(),
        to: new Date(span.to).toISOString(),
        parameters: PARAMETERS,
      });
      expect(backfilled).toMatchObject({ status: 202, json: { count } });
      expect(JSON.stringify(backfilled.json).length).toBeLessThan(MOST_BYTES);
      expect(backfilled.json.items[0]).toMatchObject({ parameters: null, omitted: ["parameters"] });

      const before = process.memoryUsage().rss;
      for (const path of ["/api/v1/triggers/pending", "/api/v1/pipelines/sales/triggers"]) {
        const { items } = await all(one, path);
        expect(new Set(items.map(({ id }) => id)).size).toBe(count);
        expect(items.every(({ parameters, omitted }) => parameters === null && omitted.join() === "parameters")).toBe(true);
      }
      const [first] = backfilled.json.items;
      const explained = await get(one, `/api/v1/pipelines/sales/explain?at=${encodeURIComponent(first.scheduled_for)}`);
      expect(explained).toMatchObject({ status: 200, json: { answer: "waiting", trigger: { id: first.id, omitted: ["parameters"] } } });
      expect(explained.bytes).toBeLessThan(MOST_BYTES);
      for (const path of ["/api/v1/pipelines/sales/statistics", "/api/v1/statistics", "/api/v1/pipelines/sales/explain"]) {
        const { status, bytes } = await get(one, path);
        expect([status, bytes < MOST_BYTES]).toEqual([200, true]);
      }
      const whole = await get(one, `/api/v1/trigger/status/${first.id}`);
      expect(whole.json.trigger.parameters).toEqual(PARAMETERS);
      expect(whole.json.trigger.omitted).toBeUndefined();
      expect(process.memoryUsage().rss - before).toBeLessThan(256_000_000);
    });

    it("a trigger's own answer does not repeat large parameters, nor does what is kept for its idempotency key", async () => {
      const one = await made(place);
      await one.scheduler.pause();
      for (let turn = 0; turn < 2; turn++) {
        const { status, json, headers } = await one.ask(
          "POST",
          "/api/v1/trigger/manual",
          { parameters: PARAMETERS },
          { "idempotency-key": "large" },
        );
        expect([status, json.parameters, json.omitted]).toEqual([202, null, ["parameters"]]);
        expect((await get(one, headers.get("location") ?? "")).json.trigger.parameters).toEqual(PARAMETERS);
        const { json: ended } = turn === 0 ? { json: null } : await one.ask("POST", `/api/v1/triggers/${json.id}/cancel`, {});
        if (ended !== null) expect([ended.status, ended.parameters, ended.omitted]).toEqual(["cancelled", null, ["parameters"]]);
      }
    });

    it("decisions are listed without large evidence; each has it all", async () => {
      const open = condition("disk", () => ({ result: "pass", reason: "y".repeat(20_000), evidence: { listing: "z".repeat(200_000) } }));
      const one = await made(place, [pipeline({ id: "sales", conditions: [open], run: () => "done" })]);
      for (let turn = 0; turn < 12; turn++) await one.scheduler.trigger("sales");
      await one.clock.settle();
      const { items } = await all(one, "/api/v1/pipelines/sales/decisions");
      expect(items).toHaveLength(12);
      for (const { omitted, findings } of items) {
        expect(omitted).toContain("findings");
        expect(findings.length === 0 || findings[0].evidence === null).toBe(true);
      }
      const whole = await get(one, `/api/v1/decisions/${items[3].id}`);
      expect(whole.json).toMatchObject({ id: items[3].id, findings: [{ condition: "disk", evidence: { listing: "z".repeat(200_000) } }] });
      expect((await get(one, `/api/v1/decisions/${items[3].id}x`)).status).toBe(404);
      expect((await get(one, "/api/v1/decisions/none")).status).toBe(404);
      const status = await get(one, `/api/v1/trigger/status/${items[0].trigger_id}`);
      expect(status.bytes).toBeLessThan(MOST_BYTES);
      const explained = await get(one, "/api/v1/pipelines/sales/explain");
      expect(explained.bytes).toBeLessThan(MOST_BYTES);
    });

    it("records of the audit log are listed without large values; each has them", async () => {
      const one = await made(place);
      const value = { text: "v".repeat(30_000) };
      const nobody = { pipelineId: null, user: null, token: null, role: null, address: null, requestId: null, reason: null };
      for (let turn = 0; turn < 20; turn++)
        await one.scheduler.audit.append({ kind: "change", action: "test", outcome: "done", ...nobody, before: turn, after: value });
      const { items } = await all(one, "/api/v1/audit");
      const changes = items.filter(({ action }) => action === "test");
      expect(changes).toHaveLength(20);
      for (const { after, omitted } of changes) expect([after, omitted]).toEqual([null, ["after"]]);
      const record = await get(one, `/api/v1/audit/${changes[5].seq}`);
      expect(record.json).toMatchObject({ seq: changes[5].seq, after: value, before: 14 });
      await one.scheduler.audit.append({
        kind: "change",
        action: "long",
        outcome: "done",
        ...nobody,
        before: null,
        after: "v".repeat(300_000),
      });
      const [long] = (await get(one, "/api/v1/audit?limit=1")).json.items;
      expect((await get(one, `/api/v1/audit/${long.seq}`)).json).toMatchObject({
        action: "long",
        after: { shortened: true, characters: 300_002 },
      });
      for (const seq of ["999999", "x", "-1", "1e3"]) expect((await get(one, `/api/v1/audit/${seq}`)).status).toBe(404);
    });
  },
);

describe.each([memory, sqlite])("1,000 runs with outputs of 60 kB, on %s", (_, place) => {
  it("are listed within the bounds, also for eight clients that do not read", { timeout: 240_000 }, async () => {
    const output = "o".repeat(60_000);
    const one = await made(place, [pipeline({ id: "sales", schedule: every("1h"), execution: { maxActiveRuns: 100 }, run: () => output })]);
    for (let turn = 0; turn < 10; turn++) {
      await Promise.all(Array.from({ length: 100 }, () => one.scheduler.trigger("sales")));
      await one.clock.settle();
    }
    const before = process.memoryUsage().rss;
    const { items } = await all(one, "/api/v1/pipelines/sales/runs");
    expect(new Set(items.map(({ id }) => id)).size).toBe(1_000);
    expect(items.every((run) => run.output === null && run.omitted.join() === "output")).toBe(true);
    expect((await get(one, `/api/v1/runs/${items[500].id}`)).json.output).toBe(output);

    const { port, hostname } = new URL(one.url);
    const sockets = Array.from({ length: 8 }, () => connect(Number(port), hostname).pause());
    for (const socket of sockets)
      socket.write(`GET /api/v1/pipelines/sales/runs?limit=1000 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ADMIN}\r\n\r\n`);
    for (let turn = 0; turn < 20; turn++) expect((await get(one, "/health")).status).toBe(200);
    expect((await get(one, "/api/v1/pipelines/sales/runs?limit=1000")).status).toBe(200);
    expect(process.memoryUsage().rss - before).toBeLessThan(256_000_000);
    for (const socket of sockets) socket.destroy();
  });
});

describe("lists of what is kept as a whole", () => {
  it("have pages too: tokens, silences, maintenance windows, alerts, pipelines", async () => {
    const ids = Array.from({ length: 120 }, (_, index) => `pipeline-${String(index).padStart(3, "0")}-${"n".repeat(100)}`);
    const one = await made(
      memory[1],
      ids.map((id) => pipeline({ id, run: () => {} })),
    );
    for (let turn = 0; turn < 7; turn++) {
      await one.scheduler.tokens.issue({ role: "viewer", pipelines: ids });
      await one.scheduler.alerts.silence({ rule: `rule-${turn}`, duration: "1h" });
      await one.scheduler.settings.addMaintenance({ start: "02:00", end: "03:00" });
    }
    for (const path of ["/api/v1/tokens", "/api/v1/silences", "/api/v1/schedule/maintenance", "/api/v1/pipelines"]) {
      const first = await get(one, `${path}?limit=3`);
      expect(first.json.items).toHaveLength(3);
      const second = await get(one, `${path}?limit=3&cursor=${encodeURIComponent(first.json.next_cursor)}`);
      const rest = await get(one, `${path}?limit=1000&cursor=${encodeURIComponent(second.json.next_cursor)}`);
      const { items } = await all(one, path);
      expect([...first.json.items, ...second.json.items, ...rest.json.items]).toEqual(items);
      expect(items).toHaveLength(path.endsWith("pipelines") ? 120 : 7);
      expect(rest.json.next_cursor).toBeNull();
    }
    expect((await get(one, "/api/v1/alerts?limit=5")).json).toEqual({ items: [], next_cursor: null });
    const { items } = await all(one, "/api/v1/tokens");
    expect(items[0].omitted).toEqual(["pipelines"]);
    expect(items[0].pipelines).toEqual(ids.slice(0, items[0].pipelines.length)); // never null, which would read as all
    expect((await get(one, `/api/v1/tokens/${items[0].id}`)).json.pipelines).toEqual(ids);
    expect((await get(one, "/api/v1/tokens/none")).status).toBe(404);
  });
});

describe("a list of which too much was looked at", () => {
  it("ends before its limit, and goes on where the store has stopped", async () => {
    const store = bound(memory[1]()());
    const asked: (string | undefined)[] = [];
    const one = await service(
      [sales()],
      {},
      {
        store: {
          ...store,
          listTriggers: async (query) => {
            asked.push(query.before);
            if (query.before === undefined) return Object.assign([], { next: "01LATE" });
            return store.listTriggers({ ...query, before: "~" });
          },
        },
      },
    );
    running.push(one);
    const trigger = await one.scheduler.trigger("sales");
    asked.length = 0;
    const first = await get(one, "/api/v1/pipelines/sales/triggers?kind=manual");
    expect(first.json).toEqual({ items: [], next_cursor: "01LATE" });
    const second = await get(one, "/api/v1/pipelines/sales/triggers?kind=manual&cursor=01LATE");
    expect(second.json).toMatchObject({ items: [{ id: trigger.id }], next_cursor: null });
    expect(asked).toEqual([undefined, "01LATE"]);
  });
});
