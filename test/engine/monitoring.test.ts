import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { sqliteStore } from "../../src/adapters/stores/sqlite/sqlite-store.js";
import {
  type AlertChannel,
  type AlertNotification,
  at,
  createScheduler,
  every,
  HeadgateError,
  healthy,
  maintenanceWindow,
  type Pipeline,
  pipeline,
  pipelineRule,
  runFailed,
  type SchedulerOptions,
  type Store,
  sensor,
  stale,
} from "../../src/index.js";
import { type FakeClock, fakeClock } from "../../src/testing/index.js";
import { harness, START } from "../support/harness.js";
import { sharedStore } from "../support/shared-store.js";

const folder = mkdtempSync(join(tmpdir(), "headgate-monitoring-"));
afterAll(() => rmSync(folder, { recursive: true }));
let files = 0;
const file = () => join(folder, `${files++}.db`);

interface Recorded extends AlertChannel {
  readonly got: AlertNotification[];
  fails: boolean;
}

function recorder(name: string, rest: Partial<AlertChannel> = {}): Recorded {
  const channel: Recorded = {
    name,
    got: [],
    fails: false,
    ...rest,
    send: async (notification) => {
      if (channel.fails) throw new Error(`${name} does not answer`);
      channel.got.push(notification);
    },
  };
  return channel;
}

const told = ({ got }: Recorded) =>
  got.flatMap(({ alerts }) => alerts.map(({ kind, alert }) => `${kind} ${alert.rule} ${alert.pipelineId ?? "-"}`));
/** Fails while told to. */
function flaky(id: string, rest: Partial<Parameters<typeof pipeline>[0]> = {}) {
  const state = { fails: true };
  const one = pipeline({
    id,
    schedule: every("1m"),
    execution: { retries: 0 },
    alertOn: ["failure"],
    ...rest,
    run: () => {
      if (state.fails) throw new Error("no warehouse");
    },
  });
  return { one, state };
}
const watched = (
  pipelines: readonly Pipeline[],
  channels: readonly AlertChannel[],
  monitoring: object = {},
  options: SchedulerOptions = {},
) => harness(pipelines, { monitoring: { channels, ...monitoring }, ...options });

describe("alerts", () => {
  it("fire once when runs fail, and are resolved by a success; pipelines ask for them by alertOn", async () => {
    const channel = recorder("mail");
    const { one, state } = flaky("sales");
    const silent = flaky("silent", { alertOn: [] });
    const { clock, scheduler, heard } = await watched([one, silent.one], [channel], { rules: [runFailed()] });
    await clock.advance("5m");
    expect(told(channel)).toEqual(["fired run_failed sales"]);
    expect(channel.got[0]).toMatchObject({
      severity: "critical",
      subject: expect.stringContaining("CRITICAL run_failed sales: the last run failed"),
    });
    expect(await scheduler.alerts.list()).toMatchObject([{ rule: "run_failed", status: "firing", pipelineId: "sales" }]);
    state.fails = false;
    await clock.advance("2m");
    expect(told(channel)).toEqual(["fired run_failed sales", "resolved run_failed sales"]);
    expect(heard("error")).toEqual([]);
    expect(await scheduler.alerts.list()).toEqual([]);
    await scheduler.stop();
  });

  it("are silent during maintenance, and by a silence, which survives a restart", async () => {
    const store = file();
    const channel = recorder("mail");
    const { one } = flaky("sales", { conditions: [maintenanceWindow({ start: "01:00", end: "02:00" })] });
    const first = await watched([one, flaky("other").one], [channel], { rules: [runFailed()] }, { store: sqliteStore({ file: store }) });
    const silence = await first.scheduler.alerts.silence({ pipelineId: "other", duration: "2h", user: "ana", reason: "known" });
    await first.clock.advance("1m30s");
    expect(told(channel)).toEqual(["fired run_failed sales"]);
    await first.scheduler.stop();
    const second = await watched(
      [one, flaky("other").one],
      [channel],
      { rules: [runFailed()] },
      { store: sqliteStore({ file: store }), clock: fakeClock(first.clock.now()) },
    );
    await second.clock.advance("30m");
    expect(told(channel)).toEqual(["fired run_failed sales"]);
    expect(await second.scheduler.alerts.silences()).toMatchObject([{ id: silence.id, user: "ana", pipelineId: "other" }]);
    await second.scheduler.alerts.unsilence(silence.id, { user: "ana" });
    await second.clock.advance("1m");
    expect(told(channel)).toEqual(["fired run_failed sales", "fired run_failed other"]);
    await expect(second.scheduler.alerts.unsilence("nothing")).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(second.scheduler.alerts.silence({ duration: 0 })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await second.scheduler.stop();
  });

  it("are sent once by several nodes, and another goes on when the one that sends stops or dies", async () => {
    const store = sharedStore();
    const clock = fakeClock(START);
    const channel = recorder("mail");
    const { one, state } = flaky("sales");
    const nodes = await Promise.all(
      ["n1", "n2", "n3"].map((node) => watched([one], [channel], { rules: [runFailed()] }, { store, clock, node })),
    );
    await clock.advance("3m");
    expect(told(channel)).toEqual(["fired run_failed sales"]);
    await nodes[0]?.scheduler.stop();
    await nodes[1]?.scheduler.stop();
    state.fails = false;
    await clock.advance("3m");
    expect(told(channel)).toEqual(["fired run_failed sales", "resolved run_failed sales"]);
    await nodes[2]?.scheduler.stop();
  });

  it("that were not delivered are kept over a restart, and tried again", async () => {
    const store = file();
    const channel = recorder("mail");
    channel.fails = true;
    const { one } = flaky("sales");
    const first = await watched([one], [channel], { rules: [runFailed()] }, { store: sqliteStore({ file: store }) });
    await first.clock.advance("2m");
    expect(first.heard("channel.failed").at(-1)).toMatchObject({ channel: "mail", error: new Error("mail does not answer") });
    await first.scheduler.stop();
    channel.fails = false;
    const second = await watched(
      [one],
      [channel],
      { rules: [runFailed()] },
      { store: sqliteStore({ file: store }), clock: fakeClock(first.clock.now()) },
    );
    await second.clock.advance("11m");
    expect(told(channel)).toEqual(["fired run_failed sales"]);
    await second.scheduler.stop();
  });

  it("go to the fallback when their channel fails three times, which is itself told", async () => {
    const [mail, pager] = [recorder("mail"), recorder("pager")];
    mail.fails = true;
    const { one } = flaky("sales");
    const routes = [{ channels: ["mail"], fallback: "pager" }];
    const { clock, scheduler, heard } = await watched([one], [mail, pager], { rules: [runFailed()], routes });
    await clock.advance("5m");
    expect(told(pager)).toEqual(["fired run_failed sales"]);
    expect(pager.got[0]).toMatchObject({ insteadOf: "mail", subject: expect.stringContaining("(channel mail is not responding)") });
    mail.fails = false;
    await clock.advance("15m");
    expect(told(mail)).toEqual(["fired run_failed sales"]);
    expect(heard("channel.recovered").length).toBe(1);
    await scheduler.stop();
  });

  it("are given up after a day, which is told", async () => {
    const mail = recorder("mail");
    mail.fails = true;
    const { one } = flaky("sales", { schedule: at("2026-03-02T00:01:00Z") });
    const { clock, scheduler, heard } = await watched([one], [mail], { rules: [runFailed()], every: "5m" });
    await clock.advance("25h");
    expect(heard("alert.undelivered")).toMatchObject([{ channel: "mail", alerts: [{ rule: "run_failed" }] }]);
    await scheduler.stop();
  });

  it("beyond a channel's rate are sent later, together", async () => {
    const mail = recorder("mail", { rateLimit: { count: 2, perMs: 600_000 } });
    const all = Array.from({ length: 6 }, (_, n) => flaky(`p${n}`).one);
    const { clock, scheduler } = await watched(all, [mail], { rules: [runFailed()], routes: [{ channels: ["mail"], groupBy: "none" }] });
    await clock.advance("5m");
    expect(mail.got.length).toBeLessThanOrEqual(2);
    await clock.advance("20m");
    expect(told(mail).toSorted()).toEqual(all.map(({ id }) => `fired run_failed ${id}`));
    await scheduler.stop();
  });

  it("never hold up scheduling: a channel that hangs is given up after its timeout", async () => {
    const hanging = recorder("mail", { timeoutMs: 5_000 });
    hanging.send = ({ id }, { signal }) =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error(`aborted ${id}`))));
    const { one } = flaky("sales", { schedule: every("5s") });
    const { clock, scheduler, heard } = await watched([one], [hanging], { rules: [runFailed()] });
    await clock.advance("35s");
    expect((await scheduler.runs({ pipelineId: "sales" })).items.length).toBe(7);
    expect(heard("channel.failed")[0]?.error).toMatchObject({ code: "CHANNEL_TIMED_OUT" });
    await scheduler.stop();
  });

  it("tell of failing sensors and probes, and of a rule that throws", async () => {
    const mail = recorder("mail");
    const failing = sensor("orders", () => Promise.reject(new Error("no shop")), { every: "10s", jitter: 0, maxBackoff: "10s" });
    const probe = { name: "warehouse", ttlMs: 1_000, breaker: null, measure: () => Promise.reject(new Error("refused")) };
    const one = pipeline({
      id: "sales",
      schedule: every("20s"),
      sensors: [failing],
      conditions: [healthy({ probes: [probe] })],
      run: () => {},
    });
    const { clock, scheduler, heard } = await watched([one], [mail], {});
    await clock.advance("6m");
    expect(told(mail)).toEqual(expect.arrayContaining(["fired sensor_failing sales", "fired probe_unhealthy -"]));
    await scheduler.stop();
    const bad = pipelineRule("bad", () => {
      throw new Error("a bad rule");
    });
    const other = await watched([one], [mail], { rules: [bad] });
    await other.clock.advance("5m");
    expect(other.heard("error").map(({ where }) => where)).toEqual(["the alert rule bad"]);
    await other.scheduler.stop();
    expect(heard("error")).toEqual([]);
  });

  it("tell of an SLA at risk and missed, and of a node that died, but not of one that stopped", async () => {
    const store = sharedStore();
    const clock = fakeClock(START);
    const mail = recorder("mail");
    const slow = pipeline({
      id: "slow",
      schedule: every("2h"),
      sla: "30m",
      alertOn: ["sla_miss"],
      run: ({ clock: own }) => own.sleep("45m"),
    });
    const nodes = await Promise.all(["n1", "n2", "n3"].map((node) => watched([slow], [mail], {}, { store, clock, node })));
    await clock.advance("2h50m");
    expect(told(mail)).toEqual([
      "fired sla_at_risk slow",
      "fired sla_missed slow",
      "resolved sla_at_risk slow",
      "resolved sla_missed slow",
    ]);
    let isDead = false;
    const cutOff: Store = {
      ...store,
      putDocuments: (...args) =>
        isDead ? Promise.reject(new HeadgateError("STORE_UNAVAILABLE", "its cable was pulled")) : store.putDocuments(...args),
    };
    await watched([slow], [mail], {}, { store: cutOff, clock, node: "dying" });
    await clock.advance("1m");
    isDead = true;
    await nodes[2]?.scheduler.stop();
    await clock.advance("3m");
    expect(told(mail).slice(4)).toEqual(["fired node_lost -"]);
    expect(mail.got.at(-1)?.text).toMatch(/CRITICAL node_lost: node dying has been silent for 1m/);
    for (const { scheduler } of nodes.slice(0, 2)) await scheduler.stop();
  });
});

describe("statistics", () => {
  it("are made of what the store says, over all nodes and after a restart", async () => {
    const store = sharedStore();
    const clock: FakeClock = fakeClock(START);
    const { one, state } = flaky("sales");
    state.fails = false;
    const skipped = pipeline({ id: "fresh", schedule: every("30m"), conditions: [stale({ olderThan: "1h" })], run: () => {} });
    const nodes = await Promise.all(["n1", "n2"].map((node) => harness([one, skipped], { store, clock, node })));
    await clock.advance("1h");
    state.fails = true;
    await clock.advance("10m");
    for (const { scheduler } of nodes) {
      expect(await scheduler.statistics.get("sales")).toMatchObject({
        runs: { succeeded: 60, failed: 10 },
        consecutiveFailures: 10,
        successRate: 60 / 70,
      });
      expect(await scheduler.statistics.get("fresh")).toMatchObject({
        runs: { succeeded: 1 },
        skipped: 1,
        skipReasons: { stale: 1 },
        skipRate: 0.5,
      });
      const total = await scheduler.statistics.total();
      expect(total).toMatchObject({ runs: { succeeded: 61, failed: 10 }, queue: { length: 0, byPriority: { high: { length: 0 } } } });
      expect(total.lag?.max).toBeLessThan(1_000);
    }
    for (const { scheduler } of nodes) await scheduler.stop();
    const again = createScheduler({ pipelines: [one, skipped], store, clock, logger: { log: () => {} } });
    await again.start();
    expect(await again.statistics.get("sales")).toMatchObject({ runs: { succeeded: 60, failed: 10 }, consecutiveFailures: 10 });
    await expect(again.statistics.get("nobody")).rejects.toMatchObject({ code: "UNKNOWN_PIPELINE" });
    await again.stop();
  });

  it("tell what waits, by priority", async () => {
    const { clock, scheduler } = await harness([pipeline({ id: "p", run: () => {} })]);
    await scheduler.pause();
    await clock.settle();
    await scheduler.trigger("p", { priority: "high" });
    await clock.advance("5m");
    await scheduler.trigger("p", { priority: "low" });
    const { queue } = await scheduler.statistics.total();
    expect(queue).toMatchObject({
      length: 2,
      oldestAt: new Date(START),
      byPriority: { high: { length: 1 }, low: { length: 1 }, normal: { length: 0 } },
    });
    await scheduler.stop();
  });
});

describe("options of monitoring", () => {
  it.each<[string, object, RegExp]>([
    ["two channels of one name", { channels: [recorder("a"), recorder("a")] }, /two are named "a"/],
    ["two rules of one name", { rules: [runFailed(), runFailed()] }, /two are named "run_failed"/],
    ["a route to nowhere", { channels: [recorder("a")], routes: [{ channels: ["b"] }] }, /channel "b" is unknown; available: a/],
    ["a fallback to nowhere", { channels: [recorder("a")], routes: [{ channels: ["a"], fallback: "b" }] }, /"b" is unknown/],
    ["a route for no rule", { channels: [recorder("a")], routes: [{ channels: ["a"], rules: ["x"] }] }, /rule "x" is unknown/],
    ["a channel that is none", { channels: [{ name: "a" }] }, /no function send/],
    ["too often", { every: 5 }, /at least 100 ms/],
  ])("%s is refused", (_, monitoring, words) => {
    expect(() => createScheduler({ monitoring })).toThrow(HeadgateError);
    expect(() => createScheduler({ monitoring })).toThrow(words);
  });
});
