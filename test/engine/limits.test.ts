import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  allOf,
  anyOf,
  type Condition,
  condition,
  cron,
  every,
  maintenanceWindow,
  manual,
  maxPerPeriod,
  not,
  pipeline,
} from "../../src/index.js";
import { harness, START, timeOf } from "../support/harness.js";

const ok = () => {};

/** How many of these starts, in order, are in the fullest window of a length that is open at its beginning. */
function mostWithin(starts: readonly number[], periodMs: number): number {
  let most = 0;
  for (const [index, from] of starts.entries()) most = Math.max(most, starts.slice(index).filter((at) => at < from + periodMs).length);
  return most;
}

async function startsOf({ scheduler }: Awaited<ReturnType<typeof harness>>, pipelineId: string): Promise<number[]> {
  const { items } = await scheduler.runs({ pipelineId, limit: 1_000 });
  return items.map(({ startedAt }) => startedAt.getTime()).sort((a, b) => a - b);
}

const limited = (id: string, gate: readonly Condition[], rest = {}) =>
  pipeline({ id, schedule: manual(), execution: { maxActiveRuns: 50 }, conditions: gate, run: ok, ...rest });

describe("maxPerPeriod", () => {
  it("lets no more start than it allows when several are decided together, and the others say why", async () => {
    const { scheduler, clock } = await harness([limited("a", [maxPerPeriod({ count: 1, period: "1h" })])]);
    await Promise.all([1, 2, 3].map(() => scheduler.trigger("a")));
    await clock.advance("1m");
    const decisions = (await scheduler.decisions({ pipelineId: "a" })).items;
    expect(decisions.map(({ outcome }) => outcome).sort()).toEqual(["run", "skip", "skip"]);
    for (const { outcome, findings } of decisions) {
      if (outcome === "run")
        expect(findings).toEqual([
          { condition: "max per period", result: "pass", reason: "0 of 1 runs in 1h", evidence: expect.anything() },
        ]);
      else
        expect(findings).toMatchObject([
          {
            result: "block",
            reason: "1 of 1 runs in 1h; the next may start 2026-03-02T01:00:00Z",
            recheckAt: new Date("2026-03-02T01:00:00Z"),
          },
        ]);
    }
    await scheduler.stop();
  });

  it("lets a schedule that is as frequent as the limit run every time, also when a start was a little late", async () => {
    const late = condition("late", async ({ clock, now }) => {
      if (Math.floor(now / 86_400_000) % 2 === 0) await clock.sleep(400);
      return true;
    });
    const world = await harness([
      limited("daily", [maxPerPeriod({ count: 1, period: "24h" })], { schedule: cron("0 0 * * *") }),
      limited("hourly", [maxPerPeriod({ count: 24, period: "24h" })], { schedule: cron("0 * * * *") }),
      limited("late", [maxPerPeriod({ count: 1, period: "24h" }), late], { schedule: cron("0 0 * * *") }),
    ]);
    await world.clock.advance("4d 1m");
    expect(await startsOf(world, "daily")).toHaveLength(4);
    expect(await startsOf(world, "hourly")).toHaveLength(96);
    expect(await startsOf(world, "late")).toHaveLength(4);
    await world.scheduler.stop();
  });

  it("holds until the next slot opens: 5 per second are 5 every second", async () => {
    const world = await harness([limited("a", [maxPerPeriod({ count: 5, period: "1s" })], { onBlock: "hold" })]);
    await Promise.all(Array.from({ length: 23 }, () => world.scheduler.trigger("a")));
    await world.clock.advance("10s");
    const seconds = (await startsOf(world, "a")).map((at) => (at - Date.parse(START)) / 1_000);
    expect(seconds).toEqual(Array.from({ length: 23 }, (_, index) => Math.floor(index / 5)));
    const decisions = (await world.scheduler.decisions({ pipelineId: "a", outcome: "hold", limit: 100 })).items;
    expect(decisions, "one record of each that was held").toHaveLength(18);
    expect(Math.max(...decisions.map(({ repeated }) => repeated?.count ?? 1))).toBe(4);
    await world.scheduler.stop();
  });

  it("limits within allOf, does not where another part of anyOf passes, and counts immediate triggers", async () => {
    const once = maxPerPeriod({ count: 1, period: "1h" });
    const world = await harness([
      limited("all", [
        allOf(
          once,
          condition("open", () => true),
        ),
      ]),
      limited("any", [
        anyOf(
          once,
          condition("open", () => true),
        ),
      ]),
      limited("only", [
        anyOf(
          once,
          condition("closed", () => false),
        ),
      ]),
      limited("not", [not(once)]),
    ]);
    for (const id of ["all", "any", "only", "not"]) await Promise.all([1, 2, 3].map(() => world.scheduler.trigger(id)));
    await world.clock.advance("1m");
    const counts = async () => Promise.all(["all", "any", "only", "not"].map(async (id) => (await startsOf(world, id)).length));
    expect(await counts()).toEqual([1, 3, 1, 0]);
    await world.scheduler.trigger("only", { kind: "immediate", reason: "now", user: "ana" });
    await world.clock.advance("59m");
    await world.scheduler.trigger("only");
    await world.clock.advance("1s");
    expect(await counts(), "the first has left the window, the immediate one has not").toEqual([1, 3, 2, 0]);
    await world.scheduler.stop();
  });

  it("blocks, in the end, what a condition lets pass that does not see its own limit", async () => {
    const blind = condition("blind", () => ({ result: "pass", reason: "it looks at nothing", limits: [{ count: 1, periodMs: 60_000 }] }));
    const world = await harness([limited("a", [blind], { onBlock: "hold" })]);
    await Promise.all([1, 2].map(() => world.scheduler.trigger("a")));
    await world.clock.advance("30s");
    const [held] = (await world.scheduler.decisions({ pipelineId: "a", outcome: "hold" })).items;
    expect(held?.findings[1]).toMatchObject({ condition: "start limit", result: "block", recheckAt: new Date("2026-03-02T00:01:00Z") });
    await world.clock.advance("30s");
    expect((await startsOf(world, "a")).map((at) => timeOf(new Date(at)))).toEqual(["00:00:00", "00:01:00"]);
    await world.scheduler.stop();
  });

  it("is kept in every window of random worlds, by a count of the windows themselves", async () => {
    const world = fc.record({
      count: fc.integer({ min: 1, max: 4 }),
      periodMs: fc.constantFrom(1_000, 60_000, 600_000),
      onBlock: fc.constantFrom("hold", "skip"),
      slowMs: fc.constantFrom(0, 300),
      triggers: fc.array(fc.record({ atMs: fc.integer({ min: 0, max: 1_200_000 }), many: fc.integer({ min: 1, max: 3 }) }), {
        maxLength: 6,
      }),
    });
    await fc.assert(
      fc.asyncProperty(world, async ({ count, periodMs, onBlock, slowMs, triggers }) => {
        const slow = condition("slow", async ({ clock }) => {
          if (slowMs > 0) await clock.sleep(slowMs);
          return true;
        });
        const one = await harness([limited("a", [maxPerPeriod({ count, period: periodMs }), slow], { onBlock })]);
        for (const { atMs, many } of [...triggers].sort((a, b) => a.atMs - b.atMs)) {
          await one.clock.advanceTo(new Date(Date.parse(START) + atMs));
          await Promise.all(Array.from({ length: many }, () => one.scheduler.trigger("a")));
        }
        await one.clock.advance("4h");
        const starts = await startsOf(one, "a");
        expect(mostWithin(starts, periodMs)).toBeLessThanOrEqual(count);
        const asked = triggers.reduce((sum, { many }) => sum + many, 0);
        if (onBlock === "hold") expect(starts).toHaveLength(asked);
        else if (asked > 0) expect(starts.length).toBeGreaterThan(0);
        await one.scheduler.stop();
      }),
      { numRuns: 12 },
    );
  });
});

describe("a hold", () => {
  it("is looked at the instant that a condition of the time alone changes, through combinators", async () => {
    const window = maintenanceWindow({ start: "01:00", end: "02:00" });
    const { scheduler, clock } = await harness([
      limited("not", [not(window)], { onBlock: "hold" }),
      limited(
        "nested",
        [
          allOf(
            not(window),
            anyOf(
              not(maintenanceWindow({ start: "01:30", end: "01:40" })),
              condition("never", () => false),
            ),
          ),
        ],
        { onBlock: "hold" },
      ),
    ]);
    await clock.advance("7m");
    await Promise.all(["not", "nested"].map((id) => scheduler.trigger(id)));
    await clock.advance("3h");
    const at = async (pipelineId: string) => (await scheduler.runs({ pipelineId })).items.map(({ startedAt }) => timeOf(startedAt));
    expect(await at("not")).toEqual(["01:00:00"]);
    expect(await at("nested")).toEqual(["01:30:00"]);
    await scheduler.stop();
  });

  it("is one decision however often it is looked at, and each look is an event", async () => {
    let isUp = false;
    const { scheduler, clock, heard } = await harness([
      limited("a", [condition("warehouse", () => (isUp ? true : { result: "block", reason: "HTTP 503" }))], {
        onBlock: "hold",
        recheckInterval: "5m",
      }),
    ]);
    await scheduler.trigger("a");
    await clock.advance("1h");
    isUp = true;
    await clock.advance("5m");
    const [run, hold, ...rest] = (await scheduler.decisions({ pipelineId: "a" })).items;
    expect(rest).toEqual([]);
    expect(run).toMatchObject({ outcome: "run", repeated: null });
    expect(hold).toMatchObject({ outcome: "hold", at: new Date(START), repeated: { count: 13, lastAt: new Date("2026-03-02T01:00:00Z") } });
    expect(Object.keys(hold?.repeated ?? {})).toEqual(["count", "lastAt"]);
    expect(hold?.reason).toContain("next check at 2026-03-02T01:05:00Z");
    const events = heard("decision").map(({ decision }) => decision);
    expect(events).toHaveLength(14);
    expect(events.slice(0, 13).every(({ id }) => id === hold?.id)).toBe(true);
    expect(events[2]).toMatchObject({ at: new Date("2026-03-02T00:10:00Z"), repeated: { count: 3 } });
    expect(heard("trigger.held")).toHaveLength(13);
    expect((await scheduler.explain("a", "2026-03-02T00:20:00Z")).decisions).toHaveLength(2);
    await scheduler.stop();
  });
});

describe("a part that hangs", () => {
  it("counts as its own onError says after its own timeout, and does not decide for the others", async () => {
    const hanging = (onError: "pass" | "block") =>
      condition("hanging", ({ clock, signal }) => clock.sleep("1h", signal).then(() => true), { onError, timeout: "5s" });
    const quick = condition("quick", () => true);
    const { scheduler, clock } = await harness([
      limited("all", [allOf(hanging("pass"), quick)]),
      limited("any", [anyOf(hanging("block"), quick)]),
      limited("nested", [allOf(anyOf(hanging("block"), quick), not(not(hanging("pass"))))]),
      limited("blocked", [allOf(hanging("block"), quick)]),
    ]);
    await Promise.all(["all", "any", "nested", "blocked"].map((id) => scheduler.trigger(id)));
    await clock.advance("4s");
    expect((await scheduler.runs()).items).toEqual([]);
    await clock.advance("1s");
    const decisions = (await scheduler.decisions()).items;
    expect(Object.fromEntries(decisions.map(({ pipelineId, outcome }) => [pipelineId, outcome]))).toEqual({
      all: "run",
      any: "run",
      nested: "run",
      blocked: "skip",
    });
    expect(decisions.find(({ pipelineId }) => pipelineId === "any")?.findings[0]?.evidence).toMatchObject({
      findings: [
        { condition: "hanging", result: "block", reason: "could not be evaluated (no response within 5s), which counts as block" },
        { condition: "quick", result: "pass" },
      ],
    });
    await scheduler.stop();
  });
});

describe("a pause", () => {
  it("keeps back what is being decided on when it comes, and lets it go on resume", async () => {
    const slow = condition("slow", ({ clock, signal }) => clock.sleep("5s", signal).then(() => true));
    for (const target of ["a", undefined]) {
      const { scheduler, clock } = await harness([limited("a", [slow], { schedule: every("1h") })]);
      await clock.advance("1h");
      await clock.advance("2s");
      await (target === undefined ? scheduler.pause() : scheduler.pause(target));
      await clock.advance("30m");
      expect((await scheduler.runs()).items).toEqual([]);
      expect((await scheduler.triggers()).items.map(({ status }) => status)).toEqual(["pending"]);
      expect((await scheduler.decisions()).items).toEqual([]);
      expect((await scheduler.explain("a", "2026-03-02T01:00:00Z")).text).toContain("paused");
      await (target === undefined ? scheduler.resume() : scheduler.resume(target));
      await clock.advance("5s");
      expect((await scheduler.runs()).items.map(({ startedAt }) => timeOf(startedAt))).toEqual(["01:30:07"]);
      await scheduler.stop();
    }
  });
});
