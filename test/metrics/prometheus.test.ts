import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Registry } from "prom-client";
import { describe, expect, it } from "vitest";
import { prometheusMetrics } from "../../src/adapters/metrics/prometheus.js";
import { adaptive, every, loadBased, pipeline } from "../../src/index.js";
import { harness } from "../support/harness.js";
import { service } from "../support/service.js";

const hasPromtool = spawnSync("promtool", ["--version"]).status === 0;
const EXAMPLES = new URL("../../examples/monitoring/", import.meta.url);

/** A node with something of everything. */
async function busy() {
  let count = 0;
  const sync = pipeline({
    id: "sync",
    schedule: adaptive({ base: "1m", min: "1m", max: "4m", tuner: loadBased() }),
    execution: { retries: 1, retryDelay: "1s" },
    run: () => {
      if (++count % 2 === 1) throw new Error("odd");
    },
  });
  const skipped = pipeline({ id: "other", schedule: every("1m"), execution: { catchup: "none" }, run: () => {} });
  return harness([sync, skipped], { measureLoad: () => ({ cpu: 0.7, memory: 0.1 }) });
}

describe("Prometheus metrics", () => {
  it("count what happens, in base units, and tell how things are", async () => {
    const { clock, scheduler } = await busy();
    const metrics = prometheusMetrics(scheduler);
    await clock.advance("10m30s");
    const text = await metrics.metrics();
    const value = (line: string) =>
      Number(
        text
          .split("\n")
          .find((one) => one.startsWith(`${line} `))
          ?.slice(line.length + 1),
      );
    expect(value('headgate_runs_total{pipeline="sync",status="succeeded"}')).toBe(10);
    expect(value('headgate_run_retries_total{pipeline="sync"}')).toBe(10);
    expect(value('headgate_triggers_total{pipeline="other",kind="scheduled"}')).toBe(10);
    expect(value('headgate_decisions_total{pipeline="other",outcome="run"}')).toBe(10);
    expect(value('headgate_run_duration_seconds_bucket{le="5",pipeline="sync"}')).toBe(10);
    expect(value('headgate_schedule_lag_seconds_count{pipeline="sync"}')).toBe(10);
    expect(value("headgate_up")).toBe(1);
    expect(value("headgate_last_tick_timestamp_seconds")).toBeGreaterThan(clock.now() / 1_000 - 35);
    expect(value('headgate_adaptive_interval_seconds{pipeline="sync"}')).toBe(60);
    expect(value('headgate_queue_length{priority="normal"}')).toBe(0);
    metrics.close();
    await clock.advance("1m");
    expect(await metrics.metrics()).toContain('headgate_runs_total{pipeline="sync",status="succeeded"} 10');
    await scheduler.stop();
    expect(await metrics.metrics()).toContain("headgate_up 0");
  });

  it("keep labels few", async () => {
    const all = Array.from({ length: 20 }, (_, n) => pipeline({ id: `p${n}`, schedule: every("1m"), run: () => {} }));
    const { clock, scheduler } = await harness(all);
    const metrics = prometheusMetrics(scheduler, { pipelines: 3 });
    await clock.advance("1m");
    const names = new Set([...(await metrics.metrics()).matchAll(/pipeline="([^"]+)"/g)].map(([, name]) => name));
    expect(names.size).toBe(4);
    expect(names).toContain("other");
    expect(await metrics.metrics()).toContain('headgate_runs_total{pipeline="other",status="succeeded"} 17');
    await scheduler.stop();
  });

  it("go into a registry of the host's, beside what is there", async () => {
    const { scheduler } = await busy();
    const register = new Registry();
    const metrics = prometheusMetrics(scheduler, { register });
    expect(await register.metrics()).toContain("# TYPE headgate_runs_total counter");
    expect(metrics.register).toBe(register);
    await scheduler.stop();
  });

  it("have the head of the audit log, by which it can be verified later", async () => {
    const { scheduler, clock } = await busy();
    await scheduler.pause({ user: "ana" });
    await scheduler.resume();
    await clock.settle();
    const text = await prometheusMetrics(scheduler).metrics();
    const numberOf = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1]);
    const head = { seq: numberOf("headgate_audit_head_seq"), hash: numberOf("headgate_audit_head_hash").toString(16).padStart(12, "0") };
    expect((await scheduler.audit.head()).hash.slice(0, 12)).toBe(head.hash);
    await scheduler.pause({ user: "eva" });
    expect(await scheduler.audit.verify({ head })).toMatchObject({ isIntact: true, anchor: "kept" });
    await scheduler.stop();
  });

  it("are served at /metrics to whoever may read, and to nobody else", async () => {
    let scheduler: Parameters<typeof prometheusMetrics>[0] | undefined;
    const running = await service(undefined, {
      metrics: {
        contentType: "text/plain; version=0.0.4; charset=utf-8",
        metrics: async () => (scheduler === undefined ? "" : prometheusMetrics(scheduler).metrics()),
      },
    });
    scheduler = running.scheduler;
    const { token } = await running.scheduler.tokens.issue({ role: "viewer" });
    const answer = await fetch(`${running.url}/metrics`, { headers: { authorization: `Bearer ${token}` } });
    expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "text/plain; version=0.0.4; charset=utf-8"]);
    expect(await answer.text()).toContain("headgate_up 1");
    expect((await fetch(`${running.url}/metrics`)).status).toBe(401);
    await running.close();
    const without = await service();
    expect((await fetch(`${without.url}/metrics`)).status).toBe(404);
    await without.close();
  });

  it.skipIf(!hasPromtool)("pass promtool check metrics", async () => {
    const { clock, scheduler } = await busy();
    const metrics = prometheusMetrics(scheduler);
    await clock.advance("5m");
    const { status, stderr, stdout } = spawnSync("promtool", ["check", "metrics"], { input: await metrics.metrics(), encoding: "utf8" });
    expect([status, stderr, stdout]).toEqual([0, "", ""]);
    await scheduler.stop();
  });
});

describe("the example of monitoring", () => {
  it.skipIf(!hasPromtool)("has alert rules that pass promtool check rules", () => {
    const { status, stdout, stderr } = spawnSync("promtool", ["check", "rules", fileURLToPath(new URL("alerts.yaml", EXAMPLES))], {
      encoding: "utf8",
    });
    expect([status, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/SUCCESS: \d+ rules found/);
  });

  it("asks only for metrics that there are", async () => {
    const { clock, scheduler } = await busy();
    const metrics = prometheusMetrics(scheduler);
    await clock.advance("2m");
    const there = new Set([...(await metrics.metrics()).matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name));
    const dashboard = readFileSync(new URL("grafana-dashboard.json", EXAMPLES), "utf8");
    expect(JSON.parse(dashboard).panels.length).toBeGreaterThan(5);
    const asked = [dashboard, readFileSync(new URL("alerts.yaml", EXAMPLES), "utf8")].flatMap((text) =>
      [...text.matchAll(/headgate_[a-z_]+/g)].map(([name]) => name),
    );
    expect(asked.length).toBeGreaterThan(10);
    for (const name of asked) expect(there, name).toContain(name.replace(/_(?:bucket|sum|count)$/, ""));
    await scheduler.stop();
  });
});
