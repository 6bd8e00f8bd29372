import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { connect } from "../../src/adapters/shared/sqlite-driver.js";
import { sqliteStore } from "../../src/adapters/stores/sqlite/sqlite-store.js";
import { fakeClock } from "../../src/testing/index.js";
import { START } from "../support/harness.js";
import { type Service, sales, service } from "../support/service.js";
import { places } from "../support/stores.js";

const folder = mkdtempSync(join(tmpdir(), "headgate-http-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const { memory, postgres } = await places();
const stores = [memory, ...postgres];

describe.each(stores)("on %s", (name, fresh) => {
  it("a change on one node is in force on all, and survives a restart", async () => {
    const make = fresh();
    const clock = fakeClock(START);
    const node = (id: string): Promise<Service> => service([sales()], {}, { store: make(), clock, node: id, newId: () => randomUUID() });
    const [one, two] = [await node("one"), await node("two")];
    const { token, id } = await one.scheduler.tokens.issue({ role: "operator" });
    const holder = { authorization: `Bearer ${token}` };
    expect((await two.ask("GET", "/api/v1/info", undefined, holder)).status).toBe(200);
    await one.ask("PUT", "/api/v1/schedule/config", { schedule_interval_minutes: 4, max_concurrent_runs: 2 });
    await one.ask("POST", "/api/v1/schedule/maintenance", { start: "00:08", end: "00:09" });
    expect((await two.ask("GET", "/api/v1/schedule/config")).json).toMatchObject({
      schedule_interval_minutes: 4,
      max_concurrent_runs: 2,
    });
    await clock.advance("31s");
    for (const { scheduler } of [one, two])
      expect((await scheduler.upcoming({ count: 1 }))[0]?.fireAt.toISOString()).toBe("2026-03-02T00:04:00.000Z");
    await clock.advance("4m");
    expect((await two.scheduler.triggers({ kind: "scheduled" })).items.map(({ scheduledFor }) => scheduledFor?.getUTCMinutes())).toEqual([
      4,
    ]);
    await two.ask("DELETE", `/api/v1/tokens/${id}`);
    expect((await one.ask("GET", "/api/v1/info", undefined, holder)).json).toMatchObject({ status: 401, code: "TOKEN_REVOKED" });
    if (name !== "memory") {
      await Promise.all([one.close(), two.close()]);
      const again = await node("three");
      expect((await again.ask("GET", "/api/v1/schedule/config")).json).toMatchObject({ schedule_interval_minutes: 4 });
      await clock.advance("5m");
      expect((await again.scheduler.decisions({ outcome: "skip" })).items[0]).toMatchObject({
        findings: [{ condition: "maintenance window set at run time", result: "block" }],
      });
      expect((await again.scheduler.audit.verify()).isIntact).toBe(true);
      await again.close();
    } else await Promise.all([one.close(), two.close()]);
  });

  it("two changes at the same moment undo nothing of each other", async () => {
    const make = fresh();
    const clock = fakeClock(START);
    const nodes = await Promise.all(
      ["one", "two"].map((id) => service([sales()], {}, { store: make(), clock, node: id, newId: () => randomUUID() })),
    );
    const [one, two] = nodes as [Service, Service];
    await Promise.all([
      one.ask("PUT", "/api/v1/schedule/config", { max_concurrent_runs: 5 }),
      two.ask("PUT", "/api/v1/schedule/config", { schedule_interval_minutes: 90 }),
      ...Array.from({ length: 6 }, (_, n) =>
        nodes[n % 2]?.scheduler.settings.addMaintenance({ start: `0${n}:00`, end: `0${n}:30` }, { id: `w${n}` }),
      ),
    ]);
    expect((await one.ask("GET", "/api/v1/schedule/config")).json).toMatchObject({ max_concurrent_runs: 5, schedule_interval_minutes: 90 });
    expect((await two.scheduler.settings.maintenance()).map(({ id }) => id).sort()).toEqual(["w0", "w1", "w2", "w3", "w4", "w5"]);
    expect(await two.scheduler.audit.verify()).toMatchObject({ isIntact: true, problem: null });
    for (const node of nodes) await node.close();
  });
});

it("settings, windows, tokens and the audit log survive a restart on SQLite", async () => {
  const file = join(folder, `${randomUUID()}.db`);
  const clock = fakeClock(START);
  const node = () => service([sales()], {}, { store: sqliteStore({ file }), clock });
  const first = await node();
  const { token } = await first.scheduler.tokens.issue({ role: "viewer" });
  await first.ask("PUT", "/api/v1/schedule/config", { schedule_interval_minutes: 4, staleness_threshold_hours: 1 });
  await first.ask("POST", "/api/v1/schedule/maintenance", { start: "05:00", end: "06:00" });
  await first.close();
  const second = await node();
  const holder = { authorization: `Bearer ${token}` };
  expect((await second.ask("GET", "/api/v1/schedule/config", undefined, holder)).json).toMatchObject({
    schedule_interval_minutes: 4,
    staleness_threshold_hours: 1,
  });
  expect((await second.ask("GET", "/api/v1/schedule/maintenance", undefined, holder)).json.items).toHaveLength(1);
  expect((await second.scheduler.upcoming({ count: 1 }))[0]?.fireAt.toISOString()).toBe("2026-03-02T00:04:00.000Z");
  expect(await second.scheduler.audit.verify()).toMatchObject({ isIntact: true });
  await second.close();
});

describe("the audit log", () => {
  it("has every call and every change, without secrets", async () => {
    const running = await service();
    const { ask, scheduler } = running;
    await ask("POST", "/api/v1/trigger/manual", { parameters: { password: "hunter2" } }, { "x-request-id": "req-1" });
    await ask("PUT", "/api/v1/schedule/config", { max_concurrent_runs: 2, user: "ana", reason: "more at once" });
    await ask("GET", "/api/v1/info", undefined, { authorization: "Bearer wrong-token-here" });
    const [call, change, first, made] = await scheduler.audit.list({ limit: 10 });
    expect(made).toMatchObject({ kind: "change", action: "trigger", pipelineId: "sales", token: "environment", requestId: "req-1" });
    expect(first).toMatchObject({
      kind: "call",
      action: "POST /api/v1/trigger/manual",
      token: "environment",
      role: "admin",
      address: "127.0.0.1",
      requestId: "req-1",
      outcome: "202",
      pipelineId: "sales",
    });
    expect(change).toMatchObject({
      kind: "change",
      action: "settings",
      pipelineId: "sales",
      user: "ana",
      token: "environment",
      reason: "more at once",
      before: {},
      after: { maxActiveRuns: 2 },
    });
    expect(call).toMatchObject({ action: "PUT /api/v1/schedule/config", outcome: "200" });
    await running.clock.advance("1m");
    const [refused] = await scheduler.audit.list({ limit: 1 });
    expect(refused).toMatchObject({ action: "GET /api/v1/info", outcome: "401 UNAUTHENTICATED", token: null, sum: { count: 1 } });
    const text = JSON.stringify(await scheduler.audit.list({ limit: 100 }));
    for (const secret of ["hunter2", "wrong-token-here", "an-admin-token"]) expect(text).not.toContain(secret);
    expect((await ask("GET", "/api/v1/audit?limit=2")).json).toMatchObject({ items: [{ seq: 5 }, { seq: 4 }], next_cursor: "4" });
    expect((await ask("GET", "/api/v1/audit/verify")).json).toMatchObject({ is_intact: true, problem: null });
    await running.close();
  });

  it("forgets its oldest records by age, and what is left can still be checked", async () => {
    const file = join(folder, `${randomUUID()}.db`);
    const store = sqliteStore({ file, retention: { audit: "1d" } });
    const { scheduler, clock, close } = await service([sales()], {}, { store });
    const add = (id: string) => scheduler.settings.addMaintenance({ start: "01:00", end: "02:00" }, { id });
    for (const id of ["a", "b", "c"]) await add(id);
    clock.jump(26 * 3_600_000);
    for (const id of ["d", "e"]) await add(id);
    await store.prune(clock.now());
    expect((await scheduler.audit.list({ limit: 10 })).map(({ seq }) => seq)).toEqual([5, 4]);
    expect(await scheduler.audit.verify()).toMatchObject({ isIntact: true, records: 2, problem: null });
    await clock.settle();
    const hand = connect(file);
    hand.prepare("DELETE FROM audit WHERE seq = 4").run();
    hand.close();
    expect(await scheduler.audit.verify()).toMatchObject({ isIntact: false, problem: { seq: 4, problem: "record 4 is missing" } });
    await close();
  });

  it.each([
    ["changed", "UPDATE audit SET record = replace(record, 'ana', 'bob') WHERE seq = 2", 2, /was changed/],
    ["taken out", "DELETE FROM audit WHERE seq = 2", 2, /is missing/],
    ["cut off at its end", "DELETE FROM audit WHERE seq >= 3", 3, /ends at record 2/],
  ])("shows when something in it was %s", async (_, sql, seq, problem) => {
    const file = join(folder, `${randomUUID()}.db`);
    const running = await service([sales()], {}, { store: sqliteStore({ file }) });
    for (const user of ["ana", "ana", "eva", "eva"])
      await running.scheduler.settings.addMaintenance({ start: "01:00", end: "02:00" }, { user });
    expect(await running.scheduler.audit.verify()).toMatchObject({ isIntact: true, records: 4, problem: null });
    await running.clock.settle();
    const hand = connect(file);
    hand.prepare(sql).run();
    hand.close();
    expect(await running.scheduler.audit.verify()).toMatchObject({
      isIntact: false,
      problem: { seq, problem: expect.stringMatching(problem) },
    });
    await running.close();
  });
});
