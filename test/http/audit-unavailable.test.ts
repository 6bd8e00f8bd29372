import { afterEach, describe, expect, it } from "vitest";
import { HeadgateError, type Store } from "../../src/index.js";
import { type Service, sales, service } from "../support/service.js";
import { places } from "../support/stores.js";

const { memory, sqlite } = await places();
const running: Service[] = [];
afterEach(async () => {
  for (const one of running.splice(0)) await one.close();
});

/** A store whose audit log can be switched off. */
function switchable(store: Store): { store: Store; log: { isDown: boolean } } {
  const log = { isDown: false };
  const proxy = new Proxy(store, {
    get: (target, name) => {
      const value = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      if (name !== "appendAudit") return value.bind(target);
      return async (...call: Parameters<Store["appendAudit"]>) => {
        if (log.isDown) throw new HeadgateError("STORE_FULL", "planted: the disk of the audit log is full");
        return target.appendAudit(...call);
      };
    },
  });
  return { store: proxy, log };
}

describe.each([memory, sqlite])("an audit log that cannot be written, on %s", (_, place) => {
  async function made(): Promise<Service & { log: { isDown: boolean } }> {
    const { store, log } = switchable(place()());
    const one = await service([sales()], {}, { store });
    running.push(one);
    await one.scheduler.pause();
    return { ...one, log };
  }
  const manual = "/api/v1/trigger/manual";

  it("never answers 500 to a write that was done, and refuses the next ones before they are done", async () => {
    const one = await made();
    one.log.isDown = true;
    expect(await one.ask("POST", manual, { reason: "done" })).toMatchObject({ status: 202, json: { reason: "done" } });
    expect(one.heard("error")).toHaveLength(1);
    const refusals = [
      await one.ask("POST", manual, { reason: "not done" }),
      await one.ask("PUT", "/api/v1/schedule/config", { max_concurrent_runs: 3 }),
      await one.ask("POST", "/api/v1/tokens", { role: "viewer" }),
      await one.ask("POST", "/api/v1/pipeline/resume", {}),
    ];
    for (const refused of refusals) {
      expect(refused).toMatchObject({ status: 503, json: { code: "AUDIT_UNAVAILABLE" } });
      expect(refused.headers.get("retry-after")).toBe("5");
    }
    expect((await one.scheduler.triggers()).items.map(({ reason }) => reason)).toEqual(["done"]);
    expect(await one.scheduler.tokens.list()).toEqual([]);
    expect(one.scheduler.status().pause).not.toBeNull();
    expect((await one.scheduler.settings.get("sales")).overrides).toEqual({});
  });

  it("lets nobody read tokens or the log without a record of it; other reads go on", async () => {
    const one = await made();
    one.log.isDown = true;
    for (const path of ["/api/v1/tokens", "/api/v1/audit", "/api/v1/audit/verify", "/api/v1/tokens"])
      expect(await one.ask("GET", path)).toMatchObject({ status: 503, json: { code: "AUDIT_UNAVAILABLE" } });
    for (const path of ["/api/v1/info", "/api/v1/triggers/pending", "/api/v1/statistics"])
      expect((await one.ask("GET", path)).status).toBe(200);
  });

  it("is written again as soon as it can be, with a record of how many are missing", async () => {
    const one = await made();
    one.log.isDown = true;
    await one.ask("GET", "/api/v1/info");
    await one.ask("POST", manual, {});
    await one.ask("GET", "/api/v1/tokens");
    one.log.isDown = false;
    expect((await one.ask("POST", manual, {})).status).toBe(503); // tried once a second
    await one.clock.advance("1s");
    expect((await one.ask("POST", manual, {})).status).toBe(202);
    expect((await one.ask("GET", "/api/v1/tokens")).status).toBe(200);
    const records = await one.scheduler.audit.list({ limit: 10 });
    const [resumed] = records.filter(({ action }) => action === "audit.resume");
    expect(resumed).toMatchObject({
      kind: "change",
      reason: expect.stringMatching(/since 2026-03-02T00:00:00.000Z; \d+ records are missing$/),
    });
    expect((await one.scheduler.audit.verify()).isIntact).toBe(true);
  });

  it("is reported once per outage, however many requests meet it", async () => {
    const one = await made();
    for (const outage of [1, 2]) {
      one.log.isDown = true;
      for (let count = 0; count < 20; count++) await one.ask("GET", "/api/v1/info");
      for (let count = 0; count < 3; count++) {
        await one.clock.advance("1s");
        expect((await one.ask("POST", manual, {})).status).toBe(503);
      }
      expect(one.heard("error")).toHaveLength(outage);
      one.log.isDown = false;
      if (outage === 1) expect((await one.ask("GET", "/api/v1/info")).status).toBe(200); // a read shows as well that it can be written
      await one.clock.advance("1s");
      expect((await one.ask("POST", manual, {})).status).toBe(202);
    }
    expect(one.heard("error")[0]?.where).toMatch(/^writing requests to the audit log \(request .+\)$/);
  });

  it("does not keep the first answer under an idempotency key when nothing was done", async () => {
    const one = await made();
    one.log.isDown = true;
    await one.ask("GET", "/api/v1/info");
    const key = { "idempotency-key": "once" };
    expect((await one.ask("POST", manual, { reason: "later" }, key)).status).toBe(503);
    one.log.isDown = false;
    await one.clock.advance("1s");
    expect((await one.ask("POST", manual, { reason: "later" }, key)).status).toBe(202);
    expect((await one.scheduler.triggers()).items).toHaveLength(1);
  });
});
