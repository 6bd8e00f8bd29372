import { describe, expect, it } from "vitest";
import { type AlertNotification, condition, every, healthy, type Probe, pipeline, probeUnhealthy } from "../../src/index.js";
import { harness } from "../support/harness.js";

const mailbox = () => {
  const got: AlertNotification[] = [];
  return { got, channel: { name: "mail", send: async (one: AlertNotification) => void got.push(one) } };
};
const lines = (got: readonly AlertNotification[]) => got.flatMap(({ alerts }) => alerts.map(({ kind, alert }) => `${kind} ${alert.rule}`));
const rules = [probeUnhealthy({ failures: 3 })];

describe("the alert about a probe that is unhealthy", () => {
  it.each([
    ["says that it is not", () => ({ isHealthy: false, reason: "answers 503" })],
    ["says false", () => false],
    ["throws", () => Promise.reject(new Error("connection refused"))],
  ])("fires when the probe %s three times in a row, and is resolved when it is well", async (_, answer) => {
    const { got, channel } = mailbox();
    let isDown = true;
    let asked = 0;
    const probe: Probe<boolean | { isHealthy: boolean }> = {
      name: "warehouse",
      ttlMs: 0,
      breaker: null,
      measure: () => {
        asked++;
        return isDown ? (answer() as boolean) : { isHealthy: true };
      },
    };
    const one = pipeline({ id: "sales", schedule: every("10s"), conditions: [healthy({ probes: [probe] })], run: () => {} });
    const { clock, scheduler } = await harness([one], { monitoring: { channels: [channel], rules, every: "2s" } });
    await clock.advance("25s");
    expect([asked, lines(got)]).toEqual([2, []]);
    await clock.advance("10s");
    expect(lines(got)).toEqual(["fired probe_unhealthy"]);
    expect(got[0]?.text).toMatch(/warehouse failed 3 times in a row: (answers 503|is not healthy|connection refused)/);
    isDown = false;
    await clock.advance("10s");
    expect(lines(got)).toEqual(["fired probe_unhealthy", "resolved probe_unhealthy"]);
    await scheduler.stop();
  });

  it("counts a measurement that several pipelines share once, and opens no circuit breaker for an answer", async () => {
    const { got, channel } = mailbox();
    let asked = 0;
    const probe: Probe<boolean> = { name: "warehouse", ttlMs: 1_000, measure: () => ++asked < 0 };
    const all = ["a", "b", "c", "d"].map((id) =>
      pipeline({ id, schedule: every("10s"), conditions: [healthy({ probes: [probe] })], run: () => {} }),
    );
    const { clock, scheduler } = await harness(all, { monitoring: { channels: [channel], rules, every: "2s" } });
    await clock.advance("25s");
    expect([asked, lines(got)]).toEqual([2, []]);
    await clock.advance("60s");
    expect(asked).toBe(8);
    expect(lines(got)).toEqual(["fired probe_unhealthy"]);
    await scheduler.stop();
  });

  it("ends when a probe that threw answers a condition that judges nothing", async () => {
    const { got, channel } = mailbox();
    let isDown = true;
    const probe: Probe<number> = {
      name: "rows",
      ttlMs: 0,
      breaker: null,
      measure: () => (isDown ? Promise.reject(new Error("connection refused")) : 7),
    };
    const counted = condition("rows", async ({ measure }) => (await measure(probe)) > 0);
    const one = pipeline({ id: "sales", schedule: every("10s"), conditions: [counted], run: () => {} });
    const { clock, scheduler } = await harness([one], { monitoring: { channels: [channel], rules, every: "2s" } });
    await clock.advance("35s");
    isDown = false;
    await clock.advance("10s");
    expect(lines(got)).toEqual(["fired probe_unhealthy", "resolved probe_unhealthy"]);
    await scheduler.stop();
  });

  it.each(["removed", "replaced"])("ends when the pipeline that asked for it is %s", async (how) => {
    const { got, channel } = mailbox();
    const probe: Probe<boolean> = { name: "warehouse", ttlMs: 0, measure: () => false };
    const one = pipeline({ id: "sales", schedule: every("10s"), conditions: [healthy({ probes: [probe] })], run: () => {} });
    const { clock, scheduler } = await harness([one], { monitoring: { channels: [channel], rules, every: "2s" } });
    await clock.advance("35s");
    expect(lines(got)).toEqual(["fired probe_unhealthy"]);
    if (how === "removed") await scheduler.remove("sales");
    else await scheduler.replace(pipeline({ id: "sales", schedule: every("10s"), run: () => {} }));
    await clock.advance("5s");
    expect(lines(got)).toEqual(["fired probe_unhealthy", "resolved probe_unhealthy"]);
    await scheduler.stop();
  });
});
