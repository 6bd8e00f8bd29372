import { Gauge, Registry } from "prom-client";
import { afterEach, describe, expect, it } from "vitest";
import { createTriggerApi, nodeTriggerApi, type TriggerApiOptions } from "../../src/adapters/http/index.js";
import { prometheusMetrics } from "../../src/adapters/metrics/prometheus.js";
import { every, pipeline } from "../../src/index.js";
import { harness } from "../support/harness.js";
import { ADMIN, listen } from "../support/service.js";

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const TOKENS = [
  { id: "va", role: "viewer", token: "the-token-of-viewer-a-only", pipelines: ["a"] },
  { id: "vo", role: "viewer", token: "the-token-of-viewer-other", pipelines: ["other"] },
] as const;

async function made(metrics: (scheduler: Awaited<ReturnType<typeof harness>>["scheduler"]) => NonNullable<TriggerApiOptions["metrics"]>) {
  const work = (id: string) => pipeline({ id, schedule: every("1h"), run: () => "done" });
  const { scheduler, clock } = await harness(["a", "b", "c", "other"].map(work));
  const api = createTriggerApi(scheduler, { adminToken: ADMIN, tokens: TOKENS, metrics: metrics(scheduler) });
  const { url, close } = await listen(nodeTriggerApi(api));
  closers.push(() => scheduler.stop({ drain: 0 }), close);
  await clock.advance("2h");
  return async (token: string) => {
    const response = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${token}` } });
    return { status: response.status, text: await response.text() };
  };
}

const labels = (text: string) => new Set([...text.matchAll(/pipeline="((?:[^"\\]|\\.)*)"/g)].map(([, label]) => label));

describe("/metrics for a token that is limited to pipelines", () => {
  it("has the series of its pipelines and no others, neither global ones nor those of others in the registry", async () => {
    const register = new Registry();
    new Gauge({ name: "shop_orders", help: "Orders of the host.", labelNames: ["pipeline"], registers: [register] }).set(
      { pipeline: "a" },
      7,
    );
    new Gauge({ name: "headgate_like", help: "A label that looks like one.", labelNames: ["x"], registers: [register] }).set(
      { x: 'y",pipeline="a' },
      1,
    );
    const read = await made((scheduler) => prometheusMetrics(scheduler, { register }));
    const all = await read(ADMIN);
    expect(labels(all.text)).toEqual(new Set(["a", "b", "c", "other"]));
    const limited = await read(TOKENS[0].token);
    expect(limited.status).toBe(200);
    expect(labels(limited.text)).toEqual(new Set(["a"]));
    expect(limited.text).toContain('headgate_runs_total{pipeline="a",status="succeeded"} 2');
    expect(limited.text).toContain('headgate_run_duration_seconds_count{pipeline="a"} 2');
    expect(limited.text).toMatch(/^# HELP headgate_runs_total .*\n# TYPE headgate_runs_total counter\nheadgate_runs_total/m);
    expect(limited.text).not.toMatch(/headgate_up|headgate_pipelines|queue_length|shop_orders|headgate_like/);
    for (const line of limited.text.trim().split("\n"))
      expect(line).toMatch(/^# (?:HELP|TYPE) headgate_|^headgate_\w+\{.*pipeline="a".*\} /);
  });

  it("does not have those that all pipelines beyond the limit share, whatever a pipeline is called", async () => {
    const read = await made((scheduler) => prometheusMetrics(scheduler, { pipelines: 1 }));
    expect((await read(TOKENS[1].token)).text.trim()).toBe("");
  });

  it("is refused when the source of the metrics cannot leave others out", async () => {
    const read = await made(() => ({ contentType: "text/plain", metrics: async () => "all 1\n" }));
    expect((await read(ADMIN)).text).toBe("all 1\n");
    const refused = await read(TOKENS[0].token);
    expect([refused.status, refused.text]).toEqual([403, expect.stringContaining("FORBIDDEN")]);
  });
});
