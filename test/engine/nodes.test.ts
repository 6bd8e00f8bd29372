import { describe, expect, it } from "vitest";
import { createTriggerApi } from "../../src/adapters/http/index.js";
import {
  type AlertNotification,
  every,
  HeadgateError,
  healthy,
  type Pipeline,
  pipeline,
  probeUnhealthy,
  type Store,
  sensor,
} from "../../src/index.js";
import { type FakeClock, fakeClock } from "../../src/testing/index.js";
import { harness, START } from "../support/harness.js";
import { sharedStore } from "../support/shared-store.js";

const mailbox = () => {
  const got: AlertNotification[] = [];
  const lines = () => got.flatMap(({ alerts }) => alerts.map(({ kind, alert }) => `${kind} ${alert.rule}`));
  return { channel: { name: "mail", send: async (one: AlertNotification) => void got.push(one) }, lines };
};

/** A node that dies: from then on the store does not answer it. */
async function mortal(store: Store, clock: FakeClock, node: string, pipelines: readonly Pipeline[], monitoring: object) {
  let isDead = false;
  const cut = new Proxy(store, {
    get(target, name) {
      const value = Reflect.get(target, name) as unknown;
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        if (isDead && name !== "close" && name !== "subscribe") return Promise.reject(new HeadgateError("STORE_UNAVAILABLE", "killed"));
        return value.apply(target, args) as unknown;
      };
    },
  });
  const die = () => {
    isDead = true;
  };
  const made = await harness(pipelines, { store: cut, clock, node, monitoring });
  return { ...made, die };
}

describe("a node that died", () => {
  const idle = pipeline({ id: "idle", run: () => {} });

  it("is lost until it restarts under its name", async () => {
    const [store, clock, mail] = [sharedStore(), fakeClock(START), mailbox()];
    const monitoring = { channels: [mail.channel], every: "5s" };
    const dying = await mortal(store, clock, "worker", [idle], monitoring);
    const other = await harness([idle], { store, clock, node: "other", monitoring });
    await clock.advance("1m");
    dying.die();
    await clock.advance("3m");
    expect(mail.lines()).toEqual(["fired node_lost"]);
    const again = await harness([idle], { store, clock, node: "worker", monitoring });
    await clock.advance("40s");
    expect(mail.lines()).toEqual(["fired node_lost", "resolved node_lost"]);
    for (const { scheduler } of [again, other, dying]) await scheduler.stop({ drain: 0 });
  });

  it("can be dismissed over HTTP, which ends its alerts and is in the audit log; one that lives cannot", async () => {
    const [store, clock, mail] = [sharedStore(), fakeClock(START), mailbox()];
    const monitoring = { channels: [mail.channel], every: "5s" };
    const dying = await mortal(store, clock, "worker", [idle], monitoring);
    const leader = await harness([idle], { store, clock, node: "leader", monitoring });
    const third = await harness([idle], { store, clock, node: "third", monitoring });
    await clock.advance("1m");
    dying.die();
    await clock.advance("3m");
    const api = createTriggerApi(third.scheduler, {
      adminToken: null,
      tokens: [
        { id: "ops", role: "operator", token: "operator-of-all-pipelines", pipelines: null },
        { id: "one", role: "operator", token: "operator-of-one-pipeline", pipelines: ["idle"] },
      ],
    });
    const call = async (method: string, path: string, token = "operator-of-all-pipelines") => {
      const answered = await api.fetch(new Request(`http://x${path}`, { method, headers: { authorization: `Bearer ${token}` } }));
      return { status: answered.status, body: (await answered.json()) as Record<string, unknown> };
    };
    expect((await call("GET", "/api/v1/nodes")).body).toMatchObject({
      items: [
        { node: "leader", is_lost: false },
        { node: "third", is_lost: false },
        { node: "worker", is_lost: true, seen_at: "2026-03-02T00:00:35.000Z" },
      ],
    });
    expect(await call("GET", "/api/v1/nodes", "operator-of-one-pipeline")).toMatchObject({ status: 403 });
    expect(await call("DELETE", "/api/v1/nodes/worker", "operator-of-one-pipeline")).toMatchObject({ status: 403 });
    expect(await call("DELETE", "/api/v1/nodes/leader")).toMatchObject({ status: 409, body: { code: "NODE_ACTIVE" } });
    expect(await call("DELETE", "/api/v1/nodes/nobody")).toMatchObject({ status: 404, body: { code: "NOT_FOUND" } });
    expect(await call("DELETE", "/api/v1/nodes/worker?reason=the+machine+is+gone")).toMatchObject({
      status: 200,
      body: { node: "worker" },
    });
    expect(await call("DELETE", "/api/v1/nodes/worker")).toMatchObject({ status: 404 });
    await clock.advance("5s");
    expect(mail.lines()).toEqual(["fired node_lost", "resolved node_lost"]);
    const records = (await third.scheduler.audit.list({ limit: 10 })).filter(({ kind }) => kind === "change");
    expect(records).toMatchObject([
      { action: "node", user: "ops", token: "ops", reason: "the machine is gone", ids: ["worker"], after: null },
    ]);
    for (const { scheduler } of [leader, third, dying]) await scheduler.stop({ drain: 0 });
  });

  it("is believed no longer in what it said of sensors and probes", async () => {
    const [store, clock, mail] = [sharedStore(), fakeClock(START), mailbox()];
    const monitoring = { channels: [mail.channel], every: "5s" };
    let isBroken = true;
    const orders = sensor("orders", () => (isBroken ? Promise.reject(new Error("no shop")) : { events: [], cursor: null }), {
      every: "5s",
      jitter: 0,
      maxBackoff: "5s",
    });
    const warehouse = { name: "warehouse", ttlMs: 0, measure: () => !isBroken };
    const one = pipeline({
      id: "sales",
      schedule: every("10s"),
      sensors: [orders],
      conditions: [healthy({ probes: [warehouse] })],
      run: () => {},
    });
    const dying = await mortal(store, clock, "worker", [one], monitoring);
    await clock.advance("2m30s");
    expect(mail.lines().toSorted()).toEqual(["fired probe_unhealthy", "fired sensor_failing"]);
    dying.die();
    isBroken = false;
    const next = await harness([one], { store, clock, node: "next", monitoring });
    await clock.advance("3m");
    expect((await next.scheduler.alerts.list()).map(({ rule }) => rule)).toEqual(["node_lost"]);
    for (const { scheduler } of [next, dying]) await scheduler.stop({ drain: 0 });
  });
});

describe("what several nodes say of one thing", () => {
  it("is one alert, which fires once", async () => {
    const [store, clock, mail] = [sharedStore(), fakeClock(START), mailbox()];
    const monitoring = { channels: [mail.channel], every: "5s", rules: [probeUnhealthy({ for: "1m" })] };
    const warehouse = { name: "warehouse", ttlMs: 0, breaker: null, measure: () => Promise.reject(new Error("refused")) };
    const made = (id: string) => pipeline({ id, schedule: every("5s"), conditions: [healthy({ probes: [warehouse] })], run: () => {} });
    const nodes = await Promise.all(["n1", "n2"].map((node) => harness([made(`of-${node}`)], { store, clock, node, monitoring })));
    await clock.advance("10m");
    expect(mail.lines()).toEqual(["fired probe_unhealthy"]);
    expect(await nodes[0]?.scheduler.alerts.list()).toHaveLength(1);
    for (const { scheduler } of nodes) await scheduler.stop();
  });
});
