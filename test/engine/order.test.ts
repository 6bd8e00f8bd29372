import { describe, expect, it } from "vitest";
import { type Priority, pipeline } from "../../src/index.js";
import { harness } from "../support/harness.js";

function recorder() {
  const order: string[] = [];
  const record = (id: string, pool?: string) =>
    pipeline({
      id,
      execution: { maxActiveRuns: 100, timeout: "10h", ...(pool === undefined ? {} : { pool }) },
      run: async ({ trigger, clock }) => {
        order.push(trigger.reason ?? "");
        await clock.sleep("10m");
      },
    });
  return { order, record };
}

describe("the line", () => {
  it("goes by priority, then by age", async () => {
    const { order, record } = recorder();
    const { scheduler, clock } = await harness([record("a")], { maxActiveRuns: 1 });
    await scheduler.trigger("a", { reason: "first" });
    await clock.settle();
    for (const priority of ["low", "normal", "critical", "high", "normal"] as Priority[]) {
      await scheduler.trigger("a", { priority, reason: `${priority}${order.length}` });
      await clock.advance("1s");
    }
    await clock.advance("2h");
    expect(order.map((one) => one.replace(/\d/, ""))).toEqual(["first", "critical", "high", "normal", "normal", "low"]);
    await scheduler.stop({ drain: 0 });
  });

  it("lets nothing starve: one that has waited long passes newer ones of a higher priority", async () => {
    const { order, record } = recorder();
    const { scheduler, clock } = await harness([record("a")], { maxActiveRuns: 1 });
    await scheduler.trigger("a", { reason: "first" });
    await scheduler.trigger("a", { priority: "low", reason: "patient" });
    for (let n = 0; n < 12; n++) {
      await scheduler.trigger("a", { priority: "critical", reason: `critical ${n}` });
      await clock.advance("9m");
    }
    await clock.advance("5h");
    const place = order.indexOf("patient");
    expect(place).toBeGreaterThan(1);
    expect(place).toBeLessThan(7);
    await scheduler.stop({ drain: 0 });
  });

  it("puts an immediate trigger at its head", async () => {
    const { order, record } = recorder();
    const { scheduler, clock } = await harness([record("a")], { maxActiveRuns: 1 });
    for (const reason of ["one", "two", "three"]) await scheduler.trigger("a", { reason, priority: "critical" });
    await clock.advance("1m");
    await scheduler.trigger("a", { kind: "immediate", reason: "now", user: "ana" });
    await clock.advance("2h");
    expect(order).toEqual(["one", "now", "two", "three"]);
    const [decision] = (await scheduler.decisions()).items.filter(({ kind }) => kind === "immediate");
    expect(decision?.reason).toBe("conditions bypassed: immediate trigger by ana: now");
    await scheduler.stop({ drain: 0 });
  });

  it("keeps the slots of pools and of the whole, whatever waits", async () => {
    let active = 0;
    let most = 0;
    const poolActive = new Map<string, number>();
    const poolMost = new Map<string, number>();
    const worker = (id: string, pool: string) =>
      pipeline({
        id,
        execution: { maxActiveRuns: 50, pool, timeout: "10h" },
        run: async ({ clock }) => {
          most = Math.max(most, ++active);
          poolActive.set(pool, (poolActive.get(pool) ?? 0) + 1);
          poolMost.set(pool, Math.max(poolMost.get(pool) ?? 0, poolActive.get(pool) ?? 0));
          await clock.sleep("1m");
          active--;
          poolActive.set(pool, (poolActive.get(pool) ?? 0) - 1);
        },
      });
    const { scheduler, clock } = await harness([worker("a", "db"), worker("b", "db"), worker("c", "api")], {
      pools: { db: 3, api: 5 },
      maxActiveRuns: 6,
    });
    for (let n = 0; n < 20; n++) for (const id of ["a", "b", "c"]) await scheduler.trigger(id);
    await clock.advance("1h");
    expect(await scheduler.runs({ status: "succeeded", limit: 100 }).then(({ items }) => items.length)).toBe(60);
    expect(poolMost).toEqual(
      new Map([
        ["db", 3],
        ["api", 3],
      ]),
    );
    expect(most).toBe(6);
    await scheduler.stop();
  });

  it("waits for notBefore", async () => {
    const { order, record } = recorder();
    const { scheduler, clock } = await harness([record("a")]);
    await scheduler.trigger("a", { reason: "later", notBefore: "2026-03-02T01:00:00Z" });
    await clock.advance("59m59s");
    expect(order).toEqual([]);
    await clock.advance("1s");
    expect(order).toEqual(["later"]);
    await scheduler.stop({ drain: 0 });
  });
});
