import { readFileSync } from "node:fs";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { type AuditOptions, createScheduler, memoryStore, type Store } from "../../src/index.js";
import type { AuditRecord } from "../../src/monitor/audit.js";
import { fakeClock } from "../../src/testing/index.js";
import { type AuditDatabase, auditDatabases, resealed } from "../support/audit-database.js";
import { type Harness, harness, START } from "../support/harness.js";
import { sales } from "../support/service.js";

const KEY = "0123456789abcdef0123456789abcdef";
const OTHER = "fedcba9876543210fedcba9876543210";
const OLD = JSON.parse(readFileSync(new URL("../support/audit-log-0.1.0.json", import.meta.url), "utf8")) as {
  records: AuditRecord[];
  head: unknown;
  tokens: unknown;
};

const databases = await auditDatabases();
const node = (store: Store, audit: AuditOptions = { key: KEY }): Promise<Harness> => harness([sales()], { store, audit });

/** A day later, and the rounds of the loop until it prunes. */
async function aDayLater({ clock }: Harness, hours = 25): Promise<void> {
  clock.jump(hours * 3_600_000);
  await clock.advance("6m"); // after a step of the clock nothing is pruned for 5 minutes
}

async function filled({ scheduler }: Harness, count = 5): Promise<void> {
  for (let n = 0; n < count; n++) await scheduler.settings.addMaintenance({ start: "01:00", end: "02:00" }, { user: "eva", id: `w${n}` });
}

describe.each(databases)("the audit log with a key on %s", (_, make) => {
  let database: AuditDatabase;
  beforeEach(() => {
    database = make();
  });

  it("is intact from its first record on, and its records name the key and not more of it", async () => {
    const running = await node(database.store());
    await filled(running);
    expect(await running.scheduler.audit.verify()).toMatchObject({ isIntact: true, records: 6, problem: null, head: { seq: 6 } });
    const records = await database.records();
    expect(records[0]).toMatchObject({ action: "audit.key", after: { records: 0 } });
    expect(new Set(records.map(({ keyId }) => keyId)).size).toBe(1);
    expect(JSON.stringify([records, await database.mark("head")])).not.toContain(KEY);
    await running.scheduler.stop();
  });

  const head = ({ seq, hash }: AuditRecord) => ({ seq, hash });
  /** Each leaves a chain whose plain hashes are right. */
  const attacks: readonly (readonly [string, (records: AuditRecord[]) => Promise<void>, RegExp])[] = [
    [
      "rewritten as a whole without the key",
      async (records) => {
        const forged = resealed(
          records.map((one) => ({ ...one, user: one.user === "eva" ? "ana" : one.user })),
          "",
        );
        await database.put(forged);
        await database.setMark("head", head(forged.at(-1) as AuditRecord));
      },
      /end of the log .* without the key/,
    ],
    [
      "rewritten as a whole, with the old proof of its end",
      async (records) => {
        const forged = resealed(
          records.map((one) => ({ ...one, user: "ana" })),
          "",
        );
        await database.put(forged);
        await database.setMark("head", { ...(await database.mark("head")), ...head(forged.at(-1) as AuditRecord) });
      },
      /end of the log .* without the key/,
    ],
    [
      "rewritten before its end",
      async (records) => database.put(resealed(records.slice(0, 4), "")),
      /record 5 does not follow the one before it/,
    ],
    [
      "cut off, with its end moved",
      async (records) => {
        await database.remove(4, 6);
        await database.setMark("head", head(records[2] as AuditRecord));
      },
      /end of the log .* without the key/,
    ],
    [
      "cut off, with its end and the old proof moved",
      async (records) => {
        await database.remove(4, 6);
        await database.setMark("head", { ...(await database.mark("head")), ...head(records[2] as AuditRecord) });
      },
      /end of the log .* without the key/,
    ],
    [
      "shortened at its beginning, with that moved",
      async (records) => {
        await database.remove(1, 3);
        await database.setMark("tail", head(records[2] as AuditRecord));
      },
      /beginning of the log .* without the key/,
    ],
    [
      "shortened at its beginning",
      async () => {
        await database.remove(1, 3);
        await database.setMark("tail", null);
      },
      /record 1 is missing/,
    ],
    [
      "emptied",
      async () => {
        await database.remove(1, 6);
        await database.setMark("head", null);
        await database.setMark("tail", null);
      },
      /end of the log .* without the key/,
    ],
    [
      "written to by somebody without the key",
      async (records) => {
        const last = records.at(-1) as AuditRecord;
        const [forged] = resealed([{ ...last, seq: 7, user: "ana" }], last.hash);
        await database.put([forged as AuditRecord]);
        await database.setMark("head", head(forged as AuditRecord));
      },
      /end of the log .* without the key/,
    ],
  ];

  it.each(attacks)("cannot be %s unnoticed, not even once more was recorded or pruned behind it", async (_title, attack, problem) => {
    const store = database.store({ audit: "1d" });
    const running = await node(store);
    await filled(running);
    await running.clock.settle();
    await attack(await database.records());
    expect(await running.scheduler.audit.verify()).toMatchObject({ isIntact: false, problem: { problem: expect.stringMatching(problem) } });
    await running.scheduler.settings.addMaintenance({ start: "03:00", end: "04:00" });
    expect((await running.scheduler.audit.verify()).isIntact).toBe(false);
    await aDayLater(running); // the records from before the attack are pruned meanwhile
    await running.scheduler.settings.addMaintenance({ start: "05:00", end: "06:00" });
    expect((await running.scheduler.audit.verify()).isIntact).toBe(false);
    await running.scheduler.stop();
  });

  it("cannot be put back to an earlier state while a node runs that has reported a newer head", async () => {
    const running = await node(database.store(), { key: KEY, headInterval: "10s" });
    await filled(running, 2);
    const before = await database.mark("head");
    await filled(running, 5);
    await running.clock.advance("11s");
    expect(running.heard("audit.head").at(-1)).toMatchObject({ seq: 6 });
    await database.remove(4, 6);
    await database.setMark("head", before);
    expect(await running.scheduler.audit.verify()).toMatchObject({
      isIntact: false,
      problem: { seq: 6, problem: expect.stringMatching(/record 6, recorded elsewhere as/) },
    });
    await running.scheduler.settings.addMaintenance({ start: "03:00", end: "04:00" });
    await running.clock.advance("11s");
    expect(running.heard("error").at(-1)).toMatchObject({ error: { code: "AUDIT_CHANGED", message: expect.stringContaining("record 6") } });
    await running.scheduler.stop();
  });

  it("shows against a head that was written down elsewhere what became of it", async () => {
    const running = await node(database.store({ audit: "1d" }));
    await filled(running);
    const { audit } = running.scheduler;
    const records = await database.records();
    const at = (index: number) => head(records[index] as AuditRecord);
    expect(await audit.head()).toEqual(at(5));
    expect(await audit.verify({ head: at(2) })).toMatchObject({ isIntact: true, anchor: "kept" });
    expect(await audit.verify({ head: { seq: 3, hash: at(2).hash.slice(0, 12) } })).toMatchObject({ isIntact: true, anchor: "kept" });
    expect(await audit.verify({ head: { seq: 3, hash: at(3).hash } })).toMatchObject({
      isIntact: false,
      anchor: "changed",
      problem: { seq: 3 },
    });
    expect(await audit.verify({ head: { seq: 99, hash: at(3).hash } })).toMatchObject({
      isIntact: false,
      anchor: "missing",
      problem: { seq: 99 },
    });
    await aDayLater(running);
    await filled(running, 6);
    expect(await audit.verify({ head: at(2) })).toMatchObject({ isIntact: true, anchor: "pruned", problem: null });
    for (const bad of [
      { head: { seq: 0, hash: at(2).hash } },
      { head: { seq: 1, hash: "zz" } },
      { limit: 0 },
      { after: { seq: 1.5, hash: at(2).hash } },
    ])
      await expect(audit.verify(bad)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await running.scheduler.stop();
  });

  it("stays verifiable while retention prunes it", async () => {
    const running = await node(database.store({ audit: "1d" }));
    await filled(running, 3);
    running.clock.jump(23 * 3_600_000);
    await running.scheduler.pause({ user: "eva" });
    await aDayLater(running, 2);
    const records = await database.records();
    expect(records.map(({ action }) => action)).toEqual(["pause"]);
    expect(await database.mark("tail")).toMatchObject({ seq: 4, mac: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(await running.scheduler.audit.verify()).toMatchObject({ isIntact: true, records: 1 });
    await running.scheduler.stop();
  });

  it("takes another key, knows the old one, and refuses to start without the ones it needs", async () => {
    const first = await node(database.store());
    await filled(first, 2);
    await first.scheduler.stop();
    for (const audit of [{}, { key: OTHER }] as const)
      await expect(node(database.store(), audit)).rejects.toMatchObject({
        code: "AUDIT_KEY_UNKNOWN",
        message: expect.stringContaining("previousKeys"),
      });
    const second = await node(database.store(), { key: OTHER, previousKeys: [KEY] });
    await filled(second, 4);
    expect(await second.scheduler.audit.verify()).toMatchObject({ isIntact: true, records: 5 });
    await second.scheduler.stop();
    expect(new Set((await database.records()).map(({ keyId }) => keyId)).size).toBe(2);
    const third = await node(database.store(), { key: OTHER });
    expect(await third.scheduler.audit.verify()).toMatchObject({
      isIntact: false,
      problem: { problem: expect.stringContaining("previousKeys") },
    });
    await third.scheduler.stop();
  });

  it("can be given its first key while nodes run that know it as a previous one", async () => {
    const waiting = await node(database.store(), { previousKeys: [KEY] });
    await filled(waiting, 2);
    const sealing = await node(database.store());
    await filled(sealing, 3);
    await waiting.scheduler.pause({ user: "eva" });
    expect((await database.records()).map(({ keyId }) => keyId !== null)).toEqual([false, false, true, true, true]);
    for (const { scheduler } of [waiting, sealing]) expect(await scheduler.audit.verify()).toMatchObject({ isIntact: true, records: 5 });
    await waiting.scheduler.stop();
    await sealing.scheduler.stop();
  });

  it("refuses records of a node that does not know the key that the log got meanwhile", async () => {
    const without = await node(database.store(), {});
    const sealing = await node(database.store());
    await expect(without.scheduler.pause({ user: "eva" })).rejects.toMatchObject({ code: "AUDIT_KEY_UNKNOWN" });
    expect((await without.scheduler.getPipelineStatus("sales")).pause).toBeNull();
    expect(await sealing.scheduler.audit.verify()).toMatchObject({ isIntact: true });
    await without.scheduler.stop();
    await sealing.scheduler.stop();
  });

  it("goes on behind one that 0.1.0 wrote, and notices when that is changed or shortened", async () => {
    const store = database.store({ audit: null });
    await store.open();
    await database.put(OLD.records);
    await database.setMark("head", OLD.head);
    const tokens = (OLD.tokens as readonly { id: string }[]).map((value) => ({ kind: "token", id: value.id, value, expected: 0 }));
    await store.putDocuments(tokens, null, 0);
    const plain = await node(store, {});
    expect(await plain.scheduler.audit.verify()).toMatchObject({ isIntact: true, records: 5 });
    expect(await plain.scheduler.tokens.list()).toMatchObject([{ id: "id1", user: null, actsForOthers: false }]);
    await plain.scheduler.stop();
    const running = await node(database.store({ audit: null }));
    await filled(running, 2);
    expect(await running.scheduler.audit.verify()).toMatchObject({ isIntact: true, records: 8 });
    const changed = resealed(
      OLD.records.map((one) => ({ ...one, user: "nobody" })),
      "",
    );
    await database.put(changed);
    expect(await running.scheduler.audit.verify()).toMatchObject({ isIntact: false });
    await database.put(OLD.records);
    expect((await running.scheduler.audit.verify()).isIntact).toBe(true);
    await database.remove(1, 2);
    await database.setMark("tail", head(OLD.records[1] as AuditRecord));
    expect(await running.scheduler.audit.verify()).toMatchObject({
      isIntact: false,
      problem: { problem: expect.stringMatching(/beginning/) },
    });
    await running.scheduler.stop();
  });

  it("is checked in parts, each going on where the one before has ended", async () => {
    const running = await node(database.store());
    await filled(running, 9);
    const { audit } = running.scheduler;
    const first = await audit.verify({ limit: 4 });
    expect(first).toMatchObject({ isIntact: true, records: 4, next: { seq: 4 } });
    const second = await audit.verify({ limit: 4, after: first.next ?? { seq: 0, hash: "" } });
    expect(second).toMatchObject({ isIntact: true, records: 4, next: { seq: 8 } });
    expect(await audit.verify({ limit: 4, after: second.next ?? { seq: 0, hash: "" } })).toMatchObject({
      isIntact: true,
      records: 2,
      next: null,
    });
    const [, , , , fifth] = await database.records();
    await database.put([{ ...(fifth as AuditRecord), user: "ana" }]);
    expect(await audit.verify({ limit: 4, after: first.next ?? { seq: 0, hash: "" } })).toMatchObject({
      isIntact: false,
      problem: { seq: 5 },
    });
    await running.scheduler.stop();
  });

  it("accepts a trigger, a backfill, a cancel and a retirement together with its record, or not at all", async () => {
    const store = database.store();
    const running = await node(store, {});
    const other = await node(database.store()); // from here on the first node cannot write records
    const { scheduler } = running;
    const caller = { token: "t1", role: "operator", address: "10.0.0.1", requestId: "r1" };
    const { id } = await scheduler.trigger("sales", { notBefore: "2027-01-01T00:00:00Z" });
    const refused = { code: "AUDIT_KEY_UNKNOWN" };
    await expect(scheduler.trigger("sales", { caller })).rejects.toMatchObject(refused);
    await expect(scheduler.backfill("sales", { from: "2026-03-01T00:00:00Z", caller })).rejects.toMatchObject(refused);
    await expect(scheduler.cancel(id, { caller })).rejects.toMatchObject(refused);
    await expect(scheduler.retire("sales", { caller })).rejects.toMatchObject(refused);
    expect((await scheduler.triggers()).items.map(({ id: one, status }) => [one, status])).toEqual([[id, "pending"]]);
    await scheduler.stop();
    await other.scheduler.stop();
  });
});

describe("the audit log", () => {
  it("leaves the event loop to others while 20,000 records are checked", async () => {
    const [, make] = databases[0] as (typeof databases)[number];
    const running = await node(make().store(), {});
    const { audit } = running.scheduler;
    const entry = { kind: "call", action: "GET /x", pipelineId: null, user: null, token: "t", role: null, address: null } as const;
    const rest = { requestId: null, outcome: "200", reason: null, before: null, after: null };
    await Promise.all(Array.from({ length: 20_000 }, () => audit.append({ ...entry, ...rest })));
    let turns = 0;
    let isChecking = true;
    const turn = () => {
      turns++;
      if (isChecking) setImmediate(turn);
    };
    setImmediate(turn);
    expect(await audit.verify()).toMatchObject({ isIntact: true, records: 20_000 });
    isChecking = false;
    expect(turns).toBeGreaterThanOrEqual(20_000 / 250);
    await running.scheduler.stop();
  });

  it("reports its head when there are new records, at most as often as the interval says, and at the stop", async () => {
    const lines: unknown[] = [];
    const logger = { log: (level: string, message: string, fields?: object) => lines.push([level, message, fields]) };
    const clock = fakeClock(START);
    const running = await harness([sales()], { clock, logger, audit: { headInterval: "5m" } });
    await clock.advance("1h");
    expect(running.heard("audit.head")).toEqual([]);
    await filled(running, 3);
    await clock.advance("5m");
    await clock.advance("1h");
    expect(running.heard("audit.head")).toMatchObject([{ seq: 3 }]);
    await filled(running, 5);
    const { hash } = await running.scheduler.audit.head();
    await running.scheduler.stop();
    expect(running.heard("audit.head")).toMatchObject([{ seq: 3 }, { seq: 5, hash }]);
    expect(lines).toContainEqual(["info", "head of the audit log", { seq: 5, hash }]);
  });

  it("keeps no process alive by a timer before the scheduler has started", async () => {
    const clock = fakeClock(START);
    const setTimer = vi.spyOn(clock, "setTimer");
    const scheduler = createScheduler({ clock, store: memoryStore() });
    await scheduler.audit.open();
    await scheduler.tokens.issue({ role: "viewer" });
    scheduler.audit.count({ action: "GET /x", address: null, outcome: "401 UNAUTHENTICATED" });
    expect(setTimer).not.toHaveBeenCalled();
    await scheduler.start();
    await clock.advance("1m");
    expect((await scheduler.audit.list({ limit: 10 })).map(({ action }) => action)).toEqual(["GET /x", "token.issue"]);
    await scheduler.stop();
  });

  it("refuses options that are wrong", () => {
    const wrong: [unknown, RegExp][] = [
      [{ key: "short" }, /audit\.key: must have at least 32 characters/],
      [{ previousKeys: ["short"] }, /audit\.previousKeys: must have at least 32/],
      [{ previousKeys: KEY }, /audit\.previousKeys: must be an array/],
      [{ headInterval: "1ms" }, /audit\.headInterval: must be at least 1 s \(got 1 ms\)/],
      [{ secret: KEY }, /audit\.secret: unknown option; allowed: key, previousKeys, headInterval/],
    ];
    for (const [audit, message] of wrong) {
      expect(() => createScheduler({ audit: audit as AuditOptions })).toThrow(message);
      try {
        createScheduler({ audit: audit as AuditOptions });
      } catch (error) {
        expect(String(error)).not.toContain(KEY);
      }
    }
  });

  it("keeps changes in memory although calls flood it, and can still be checked", async () => {
    const running = await node(memoryStore());
    await filled(running, 3);
    const { audit } = running.scheduler;
    const call = {
      kind: "call",
      action: "GET /x",
      pipelineId: null,
      user: null,
      token: "t",
      role: "viewer",
      address: null,
      requestId: null,
    } as const;
    for (let n = 0; n < 25; n++)
      await Promise.all(
        Array.from({ length: 1_000 }, () => audit.append({ ...call, outcome: "200", reason: null, before: null, after: null })),
      );
    const records = await audit.list({ limit: 100_000 });
    expect(records.length).toBeLessThanOrEqual(11_004);
    expect(records.filter(({ kind }) => kind === "change").length).toBe(4);
    expect(await audit.verify()).toMatchObject({ isIntact: true, records: records.length });
    await running.scheduler.stop();
  });

  it("bounds what a record holds", async () => {
    const running = await node(memoryStore(), {});
    const { audit } = running.scheduler;
    const rest = {
      kind: "change",
      action: "x",
      pipelineId: null,
      user: null,
      token: null,
      role: null,
      address: null,
      requestId: null,
    } as const;
    const ids = Array.from({ length: 5_000 }, (_, n) => `id-${n}`);
    await audit.append({ ...rest, outcome: "done", reason: null, before: "b".repeat(1_000_000), after: null, ids });
    const [record] = await audit.list({ limit: 1 });
    expect(record).toMatchObject({ ids: ["id-0", "id-4999"], before: { shortened: true, characters: 1_000_002 } });
    expect(JSON.stringify(record).length).toBeLessThan(40_000);
    await running.scheduler.stop();
  });
});
