import { execFileSync, spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { connect } from "../../src/adapters/shared/sqlite-driver.js";
import { sqliteStore } from "../../src/adapters/stores/sqlite/sqlite-store.js";
import { storeFromUrl } from "../../src/entry/store-from-url.js";
import { createScheduler, cron, pipeline } from "../../src/index.js";
import { fakeClock } from "../../src/testing/index.js";
import { harness, START, timeOf } from "../support/harness.js";

const canMount = process.getuid?.() === 0 && spawnSync("mount", ["-t", "tmpfs", "-o", "size=100k", "tmpfs", "/mnt"]).status === 0;
if (canMount) spawnSync("umount", ["/mnt"]);

const READ_ONLY = fileURLToPath(new URL("read-only.fixture.ts", import.meta.url));
const OPENER = fileURLToPath(new URL("opener.fixture.ts", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "headgate-sqlite-"));
let files = 0;
const fresh = () => join(folder, `${++files}.db`);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const hourly = pipeline({
  id: "hourly",
  schedule: cron("0 * * * *"),
  execution: { retries: 1, retryDelay: "10m" },
  run: ({ attempt, trigger }) => {
    if (attempt === 1 && trigger.scheduledFor?.getUTCHours() === 2) throw new Error("once");
  },
});

describe("the SQLite store", () => {
  it("keeps schedules, history and pauses over a restart, and catches up", async () => {
    const file = fresh();
    const clock = fakeClock(START);
    const first = await harness([hourly], { clock, store: sqliteStore({ file }) });
    await clock.advance("2h5m");
    await first.scheduler.pause({ pipelineId: "hourly", reason: "audit", user: "ana" });
    await first.scheduler.stop();
    await clock.advance("3h");
    const second = await harness([hourly], { clock, store: sqliteStore({ file }) });
    expect((await second.scheduler.explain("hourly", "2026-03-02T04:00:00Z")).text).toContain(
      "paused since 2026-03-02T02:05:00Z by ana (audit)",
    );
    await second.scheduler.resume({ pipelineId: "hourly" });
    await clock.advance("1m");
    const runs = (await second.scheduler.runs()).items;
    expect(runs.map(({ scheduledFor, status, attempt }) => `${timeOf(scheduledFor)} ${status} ${attempt}`)).toEqual([
      "05:00:00 succeeded 1",
      "02:00:00 succeeded 2",
      "01:00:00 succeeded 1",
    ]);
    expect((await second.scheduler.decisions({ outcome: "skip" })).items.map(({ missed }) => missed?.pause !== undefined)).toEqual([
      true,
      true,
    ]);
    await second.scheduler.stop();
  });

  it("is durable by default: WAL and synchronous=FULL", async () => {
    const file = fresh();
    const store = sqliteStore({ file });
    await store.open();
    expect(connect(file).prepare("PRAGMA journal_mode").all()).toMatchObject([{ journal_mode: "wal" }]);
    await store.close();
    expect(() => sqliteStore({ file, synchronous: "off" as never })).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });

  it("says what is wrong with a file, and what to do", async () => {
    const junk = fresh();
    writeFileSync(junk, "this is no database, but it is long enough to be taken for one by its size".repeat(100));
    await expect(sqliteStore({ file: junk }).open()).rejects.toMatchObject({
      code: "STORE_CORRUPT",
      message: expect.stringContaining("restore it"),
    });
    await expect(sqliteStore({ file: join(folder, "no", "such", "folder.db") }).open()).rejects.toMatchObject({
      code: "STORE_UNAVAILABLE",
    });
    const newer = fresh();
    connect(newer).exec("PRAGMA user_version = 99");
    await expect(sqliteStore({ file: newer }).open()).rejects.toMatchObject({
      code: "STORE_INCOMPATIBLE",
      message: expect.stringContaining("upgrade headgate"),
    });
    await expect(
      sqliteStore({ file: fresh() }).register(
        [{ id: "a", scheduleKey: "x", nextFireAt: null, maxActiveRuns: 1, overlap: "queue", pool: null }],
        0,
      ),
    ).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  });

  it("sets aside a trigger that somebody has broken, and the line moves on", async () => {
    const file = fresh();
    const { scheduler, clock } = await harness([pipeline({ id: "a", run: () => "ran" })], { store: sqliteStore({ file }) });
    await scheduler.pause();
    const bad = await scheduler.trigger("a", { parameters: { n: 1 } });
    const good = await scheduler.trigger("a");
    await clock.settle();
    const hand = connect(file);
    hand.prepare("UPDATE triggers SET parameters = '{broken' WHERE id = ?").run(bad.id);
    await scheduler.resume();
    await clock.settle();
    expect((await scheduler.getTrigger(good.id))?.status).toBe("succeeded");
    const [row] = hand.prepare("SELECT status, end_reason FROM triggers WHERE id = ?").all(bad.id);
    expect(row).toMatchObject({ status: "failed", end_reason: expect.stringContaining("column parameters: not JSON") });
    await expect(scheduler.getTrigger(bad.id)).rejects.toMatchObject({ code: "STORE_CORRUPT" });
    hand.close();
    await scheduler.stop();
  });

  it.skipIf(!canMount)("on a full disk says so, and goes on when there is room", async () => {
    const small = mkdtempSync(join(folder, "full-"));
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=600k", "tmpfs", small]);
    try {
      const big = "x".repeat(5_000);
      const scheduler = createScheduler({
        pipelines: [pipeline({ id: "a", run: () => big })],
        store: sqliteStore({ file: join(small, "headgate.db") }),
        logger: { log: () => {} },
      });
      await scheduler.start();
      let accepted = 0;
      let error: unknown;
      while (error === undefined && accepted < 1_000) {
        await scheduler.trigger("a", { parameters: { big } }).then(
          () => accepted++,
          (problem: unknown) => {
            error = problem;
          },
        );
      }
      expect(error).toMatchObject({ code: "STORE_FULL", message: expect.stringContaining("free space") });
      execFileSync("mount", ["-o", "remount,size=20m", small]);
      const done = new Promise<void>((resolve) => {
        const look = async () => {
          if ((await scheduler.runs({ status: "succeeded", limit: 1_000 })).items.length === accepted) resolve();
        };
        scheduler.on("run.succeeded", look);
        void look();
      });
      await done;
      await scheduler.stop();
    } finally {
      execFileSync("umount", [small]);
    }
  });

  it("that is read-only is refused, and says what to do", async () => {
    const file = fresh();
    const store = sqliteStore({ file });
    await store.open();
    await store.close();
    chmodSync(folder, 0o777);
    chmodSync(file, 0o444);
    const { stdout } = spawnSync(process.execPath, ["--import", "tsx", READ_ONLY, fresh(), file], { encoding: "utf8" });
    chmodSync(folder, 0o700);
    expect(JSON.parse(stdout)).toEqual({
      code: "STORE_READ_ONLY",
      message: expect.stringContaining("grant this process write access to the file"),
    });
  });
});

describe("storeFromUrl", () => {
  it("knows the addresses of the three stores", async () => {
    expect(storeFromUrl("memory:").name).toBe("memory");
    expect(storeFromUrl("sqlite:./headgate.db").name).toBe("sqlite");
    expect(storeFromUrl(`sqlite://${join(folder, "absolute.db")}`).name).toBe("sqlite");
    expect(storeFromUrl("postgres://ana@db.example/app?schema=jobs").name).toBe("postgres");
    expect(storeFromUrl("postgresql://db.example/app").name).toBe("postgres");
  });

  it.each(["", "mysql://db.example/app", "sqlite:", "sqlite://host/file", "headgate.db", "postgres://ana:s3cret@:x/"])(
    "refuses %j",
    (url) => {
      expect(() => storeFromUrl(url)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
      expect(() => storeFromUrl(url)).not.toThrow(/s3cret/);
    },
  );
});

describe("a SQLite file that others use too", () => {
  it("is opened by ten processes at once, all of them", async () => {
    const file = fresh();
    const nodes = Array.from({ length: 10 }, () =>
      spawn(process.execPath, ["--import", "tsx", OPENER, file], { stdio: ["ignore", "pipe", "inherit"] }),
    );
    const said = await Promise.all(
      nodes.map(async (child) => {
        let text = "";
        for await (const chunk of child.stdout) text += String(chunk);
        return text.trim();
      }),
    );
    expect(said).toEqual(Array.from({ length: 10 }, () => "open"));
  }, 60_000);

  it("lets the event loop turn while another process has it locked", async () => {
    const file = fresh();
    const store = sqliteStore({ file });
    await store.open();
    const other = connect(file);
    const put = [{ kind: "k", id: "a", value: 1, expected: null }];
    other.exec("BEGIN IMMEDIATE");
    let turns = 0;
    let isOver = false;
    const turn = () => {
      turns++;
      if (!isOver) setImmediate(turn);
    };
    turn();
    const locked = store.putDocuments(put, null, 0).catch(({ code }) => code);
    expect(await locked).toBe("STORE_UNAVAILABLE");
    isOver = true;
    expect(turns).toBeGreaterThan(20);
    other.exec("ROLLBACK");
    expect((await store.putDocuments(put, null, 0))?.[0]?.version).toBe(1);
    other.close();
    await store.close();
  });

  it("is not written to when it was deleted or replaced: two nodes never work with two files", async () => {
    const file = fresh();
    const clock = fakeClock(START);
    const { scheduler } = await harness([hourly], { clock, store: sqliteStore({ file }) });
    await clock.advance("1h");
    renameSync(file, `${file}.away`);
    const other = await harness([hourly], { clock, store: sqliteStore({ file }) });
    await clock.advance("1h");
    const { store } = scheduler.status();
    expect(store.isAvailable).toBe(false);
    expect(store.error).toContain("was deleted or replaced while it was in use");
    await expect(scheduler.trigger("hourly")).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    await Promise.all([scheduler.stop({ drain: 0 }), other.scheduler.stop({ drain: 0 })]);
  });
});
