import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import pg from "pg";
import { afterAll, describe, expect, it } from "vitest";
import { postgresStore } from "../../src/adapters/stores/postgres/postgres-store.js";
import { createScheduler, every, pipeline, type Scheduler } from "../../src/index.js";
import { request } from "../../src/testing/contract/fixtures.js";
import { fakeClock } from "../../src/testing/index.js";
import { dropSchemas, freshSchema, testDatabaseUrl } from "../support/postgres.js";

const url = await testDatabaseUrl();
const SILENT = { log: () => {} };
afterAll(dropSchemas);

function told(scheduler: Scheduler, name: Parameters<Scheduler["on"]>[0]): Promise<unknown> {
  return new Promise((resolve) => scheduler.once(name, resolve));
}

/** Passes bytes on to the server until it is cut. */
async function proxy(target: URL): Promise<{ url: string; cut(): void; mend(): Promise<void>; close(): void }> {
  const sockets = new Set<Socket>();
  const serve = () =>
    createServer((client) => {
      const server = connect(Number(target.port || 5432), target.hostname);
      for (const [from, to] of [
        [client, server],
        [server, client],
      ] as const) {
        sockets.add(from);
        from.on("error", () => to.destroy()).on("close", () => to.destroy());
        from.pipe(to);
      }
    });
  let listener: Server = serve().listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as { port: number };
  const through = new URL(target);
  through.hostname = "127.0.0.1";
  through.port = String(port);
  const cut = () => {
    listener.close();
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  return {
    url: through.toString(),
    cut,
    mend: async () => {
      listener = serve().listen(port, "127.0.0.1");
      await once(listener, "listening");
    },
    close: cut,
  };
}

describe.skipIf(url === null)("the PostgreSQL store", () => {
  const connectionString = url ?? "";
  const store = (schema: string) => postgresStore({ connectionString, schema });

  it("lets ten nodes start at once on an empty database", async () => {
    const schema = freshSchema();
    const job = pipeline({ id: "job", schedule: every("1h"), run: () => {} });
    const nodes = Array.from({ length: 10 }, (_, n) =>
      createScheduler({ pipelines: [job], store: store(schema), node: `n${n}`, logger: SILENT }),
    );
    await Promise.all(nodes.map((node) => node.start()));
    expect((await nodes[3]?.explain("job"))?.pipelineId).toBe("job");
    await Promise.all(nodes.map((node) => node.stop()));
  });

  it("wakes another node by a notice: its clock stands still, so that it never looks by itself", async () => {
    const schema = freshSchema();
    const works = createScheduler({
      pipelines: [pipeline({ id: "job", run: () => "done" })],
      store: store(schema),
      clock: fakeClock(),
      logger: SILENT,
    });
    await works.start();
    const asks = createScheduler({
      pipelines: [pipeline({ id: "job", run: () => {} })],
      store: store(schema),
      clock: fakeClock(),
      logger: SILENT,
    });
    await asks.start();
    await asks.remove("job");
    await asks.add(pipeline({ id: "other", run: () => {} }));
    const done = told(works, "run.succeeded");
    const other = store(schema);
    await other.open();
    await other.enqueue([request("job")], works.status().now.getTime());
    expect(await done).toMatchObject({ run: { output: "done" } });
    await Promise.all([asks.stop(), works.stop(), other.close()]);
  });

  it("joins a transaction of the caller's: what is rolled back was never asked for", async () => {
    const schema = freshSchema();
    const scheduler = createScheduler({
      pipelines: [pipeline({ id: "job", run: ({ trigger }) => trigger.reason })],
      store: store(schema),
      logger: SILENT,
    });
    await scheduler.start();
    const client = new pg.Client({ connectionString });
    await client.connect();
    await client.query("BEGIN");
    const gone = await scheduler.trigger("job", { reason: "rolled back", transaction: client });
    await client.query("ROLLBACK");
    expect(await scheduler.getTrigger(gone.id)).toBeNull();
    await client.query("BEGIN");
    const kept = await scheduler.trigger("job", { reason: "committed", transaction: client });
    expect(await scheduler.getTrigger(kept.id)).toBeNull();
    const done = told(scheduler, "run.succeeded");
    await client.query("COMMIT");
    await done;
    expect((await scheduler.getTrigger(kept.id))?.status).toBe("succeeded");
    await expect(scheduler.trigger("job", { transaction: {} })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await client.end();
    await scheduler.stop();
  });

  it("survives a server that goes away: says so, keeps what was accepted, records what ended meanwhile, recovers alone", async () => {
    const through = await proxy(new URL(connectionString));
    const schema = freshSchema();
    let release = () => {};
    const slow = pipeline({
      id: "slow",
      run: () => new Promise<string>((resolve) => (release = () => resolve("ended while the server was away"))),
    });
    const tick = pipeline({
      id: "tick",
      schedule: every("200ms"),
      execution: { catchup: "all", overlap: "queue", maxActiveRuns: 20 },
      run: () => {},
    });
    const scheduler = createScheduler({
      pipelines: [slow, tick],
      store: postgresStore({ connectionString: through.url, schema }),
      leaseDuration: "20s",
      logger: SILENT,
    });
    await scheduler.start();
    const accepted = await scheduler.trigger("slow");
    await told(scheduler, "run.started");
    const away = told(scheduler, "store.unavailable");
    through.cut();
    await away;
    expect(scheduler.status().store).toMatchObject({ isAvailable: false, error: expect.stringContaining("check that the server is up") });
    await expect(scheduler.trigger("slow")).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    release();
    const back = told(scheduler, "store.recovered");
    await through.mend();
    await back;
    while ((await scheduler.getTrigger(accepted.id))?.status !== "succeeded") await told(scheduler, "run.succeeded");
    expect(scheduler.status().store).toMatchObject({ isAvailable: true, error: null });
    expect((await scheduler.runs({ pipelineId: "slow" })).items[0]?.output).toBe("ended while the server was away");
    const fires = (await scheduler.triggers({ pipelineId: "tick", limit: 1_000 })).items
      .map(({ scheduledFor }) => scheduledFor?.getTime() ?? 0)
      .toReversed();
    expect(fires.every((at, index) => index === 0 || at - (fires[index - 1] ?? 0) === 200)).toBe(true);
    await scheduler.stop({ drain: 0 });
    through.close();
  });

  it("lets a node lose its database for a minute: its run is lost and retried elsewhere, nothing fires twice, nothing is missed", async () => {
    const through = await proxy(new URL(connectionString));
    const schema = freshSchema();
    const clock = fakeClock("2026-03-02T00:00:00Z");
    const late: (() => void)[] = [];
    const nodes = ["cut", "other"].map((node) => {
      const slow = pipeline({
        id: "slow",
        execution: { retries: 1, retryDelay: "1s" },
        run: () => (node === "cut" ? new Promise<string>((resolve) => late.push(() => resolve("too late"))) : "taken over"),
      });
      const tick = pipeline({
        id: "tick",
        schedule: every("1s"),
        execution: { catchup: "all", overlap: "queue", maxActiveRuns: 20 },
        run: () => {},
      });
      return createScheduler({
        pipelines: [slow, tick],
        store: postgresStore({ connectionString: node === "cut" ? through.url : connectionString, schema }),
        leaseDuration: "20s",
        logger: SILENT,
        clock,
        node,
        newId: () => randomUUID(),
      });
    });
    const [cut, other] = nodes as [Scheduler, Scheduler];
    await cut.start();
    const accepted = await cut.trigger("slow");
    await clock.settle();
    expect(late).toHaveLength(1);
    await other.start();
    await clock.advance("5s");
    const lateResult = told(cut, "run.late_result");
    through.cut();
    await clock.advance("60s");
    expect(cut.status().store.isAvailable).toBe(false);
    expect(await other.getTrigger(accepted.id)).toMatchObject({ status: "succeeded" });
    late[0]?.();
    await through.mend();
    const back = told(cut, "store.recovered");
    await clock.advance("15s");
    await back;
    await lateResult;
    const run = (await other.runs({ pipelineId: "slow" })).items;
    expect(run).toMatchObject([
      { status: "succeeded", output: "taken over", attempt: 2, node: "other", attempts: [{ outcome: "lost", node: "cut" }] },
    ]);
    await clock.advance("5s");
    const triggers = (await other.triggers({ pipelineId: "tick", limit: 1_000 })).items;
    const fires = triggers.map(({ scheduledFor }) => scheduledFor?.getTime() ?? 0).sort((a, b) => a - b);
    expect(fires.length).toBeGreaterThanOrEqual(85);
    expect(fires.every((at, index) => index === 0 || at - (fires[index - 1] ?? 0) === 1_000)).toBe(true);
    expect(triggers.filter(({ status }) => status !== "succeeded")).toEqual([]);
    expect((await other.runs({ pipelineId: "tick", limit: 1_000 })).items.filter(({ attempt }) => attempt > 2)).toEqual([]);
    await Promise.all(nodes.map((node) => node.stop({ drain: 0 })));
    through.close();
  });

  it("refuses a newer schema, and says what cannot be reached without the password", async () => {
    const schema = freshSchema();
    const first = store(schema);
    await first.open();
    await first.close();
    const client = new pg.Client({ connectionString });
    await client.connect();
    await client.query(`INSERT INTO "${schema}".migrations (version) VALUES (99)`);
    await client.end();
    await expect(store(schema).open()).rejects.toMatchObject({
      code: "STORE_INCOMPATIBLE",
      message: expect.stringContaining("upgrade headgate"),
    });
    const nowhere = postgresStore({ connectionString: "postgres://ana:s3cret@127.0.0.1:1/none" });
    const error = await nowhere.open().catch((problem: unknown) => problem);
    expect(error).toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(String(error)).not.toContain("s3cret");
    expect(() => postgresStore({ connectionString, schema: 'x"; DROP TABLE y' })).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT" }),
    );
  });

  it("names a row that somebody has broken", async () => {
    const schema = freshSchema();
    const one = store(schema);
    await one.open();
    const client = new pg.Client({ connectionString });
    await client.connect();
    await client.query(`INSERT INTO "${schema}".documents (kind, id, value, version, updated_at) VALUES ('window', 'w1', '{broken', 1, 0)`);
    await expect(one.documents("window", ["w1"])).rejects.toMatchObject({
      code: "STORE_CORRUPT",
      details: { table: "documents", column: "value", id: "w1" },
    });
    await client.end();
    await one.close();
  });

  it("measures how far this node's clock is ahead, and warns once above 5 s", async () => {
    const { systemClock } = await import("../../src/index.js");
    const clock = systemClock();
    const scheduler = createScheduler({
      pipelines: [],
      store: store(freshSchema()),
      clock: { ...clock, now: () => clock.now() + 8_000 },
      logger: SILENT,
    });
    const skewed = told(scheduler, "clock.skewed");
    await scheduler.start();
    expect(await skewed).toMatchObject({ aheadMs: expect.closeTo(8_000, -3) });
    expect(scheduler.status().clockAheadMs).toBeGreaterThan(7_000);
    await scheduler.stop();
  });

  it("registers the same pipelines again and again while others run, and shifts nothing", async () => {
    const schema = freshSchema();
    const tick = pipeline({
      id: "tick",
      schedule: every("100ms"),
      execution: { catchup: "all", overlap: "queue", maxActiveRuns: 50 },
      run: () => {},
    });
    const works = createScheduler({ pipelines: [tick], store: store(schema), node: "works", logger: SILENT });
    await works.start();
    const again = store(schema);
    await again.open();
    for (let round = 0; round < 200; round++) {
      await again.register(
        [
          {
            id: "tick",
            scheduleKey: tick.schedule.key,
            nextFireAt: Date.now() + 3_600_000,
            maxActiveRuns: 50,
            overlap: "queue",
            pool: null,
          },
        ],
        Date.now(),
      );
    }
    while ((await works.triggers({ limit: 100 })).items.length < 10) await told(works, "run.succeeded");
    const fires = (await works.triggers({ limit: 1_000 })).items.map(({ scheduledFor }) => scheduledFor?.getTime() ?? 0).toReversed();
    expect(fires.every((at, index) => index === 0 || at - (fires[index - 1] ?? 0) === 100)).toBe(true);
    await works.stop();
    await again.close();
  });
});
