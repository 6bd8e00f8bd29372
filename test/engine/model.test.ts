import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Catchup,
  condition,
  cron,
  every,
  maintenanceWindow,
  maxPerPeriod,
  type Overlap,
  type Pipeline,
  pipeline,
  stale,
  union,
} from "../../src/index.js";
import { type Simulation, simulate } from "../../src/testing/index.js";

const FROM = Date.parse("2026-03-28T00:00:00Z");
const TO = Date.parse("2026-03-30T00:00:00Z");

const schedule = fc.oneof(
  fc
    .constantFrom("0 * * * *", "*/20 * * * *", "30 2 * * *", "15 */3 * * 0")
    .chain((text) => fc.constantFrom("UTC", "Europe/Berlin").map((timeZone) => cron(text, { timeZone }))),
  fc.integer({ min: 10, max: 300 }).map((minutes) => every(minutes * 60_000)),
  fc.constant(union(cron("0 6 * * *"), every("95m"))),
);
const gate = fc.constantFrom(
  [],
  [maintenanceWindow({ start: "23:00", end: "05:00", timeZone: "Europe/Berlin" })],
  [maintenanceWindow({ start: "01:00", end: "04:30" }, { onBlock: "hold" })],
  [stale({ olderThan: "2h" })],
  [maxPerPeriod({ count: 3, period: "6h" }), condition("partner", ({ now }) => (now / 3_600_000) % 5 > 1, { onBlock: "hold" })],
);
const one = fc.record({
  schedule,
  conditions: gate,
  overlap: fc.constantFrom<Overlap>("queue", "queue_one", "skip", "cancel_running"),
  catchup: fc.constantFrom<Catchup>("none", "latest", "all"),
  maxActiveRuns: fc.integer({ min: 1, max: 3 }),
  retries: fc.integer({ min: 0, max: 2 }),
  pool: fc.constantFrom(null, "db"),
});
const pauses = fc.array(
  fc.record({ from: fc.integer({ min: 0, max: 40 }), hours: fc.integer({ min: 1, max: 6 }), who: fc.constantFrom("p0", "p1", null) }),
  { maxLength: 2 },
);

function built(specs: readonly (typeof one extends fc.Arbitrary<infer T> ? T : never)[]): Pipeline[] {
  return specs.map(({ schedule: when, conditions, ...execution }, index) =>
    pipeline({
      id: `p${index}`,
      schedule: when,
      conditions: [...conditions],
      holdFor: "3h",
      recheckInterval: "10m",
      execution: { ...execution, retryDelay: "7m", timeout: "4h" },
      run: () => {},
    }),
  );
}

function play(
  pipelines: readonly Pipeline[],
  stops: readonly { from: number; hours: number; who: string | null }[],
  seed: number,
): Promise<Simulation> {
  return simulate({
    pipelines,
    from: FROM,
    to: TO,
    seed,
    pools: { db: 2 },
    maxActiveRuns: 4,
    world: {
      run: ({ random }) => ({
        outcome: random() < 0.25 ? "fail" : random() < 0.05 ? "hang" : "succeed",
        duration: Math.floor(random() * 3 * 3_600_000),
      }),
      triggers: [5, 11, 23, 30].map((hour) => ({ at: FROM + hour * 3_600_000, pipelineId: "p0", user: "ana", priority: "high" as const })),
      pauses: stops.map(({ from, hours, who }) => ({
        from: FROM + from * 3_600_000,
        duration: `${hours}h`,
        ...(who === null || Number(who.slice(1)) >= pipelines.length ? {} : { pipelineId: who }),
      })),
    },
  });
}

/** Every fire time of the two days is one trigger, or is told once as dropped; or, at the end, still waits behind a pause. */
function checkFireTimes({ triggers, decisions }: Simulation, { id, schedule: when }: Pipeline, isPausedAtEnd: boolean): void {
  const outcomes = new Map<number, number>();
  const count = (at: number) => outcomes.set(at, (outcomes.get(at) ?? 0) + 1);
  for (const { pipelineId, kind, scheduledFor } of triggers)
    if (pipelineId === id && kind === "scheduled" && scheduledFor !== null) count(scheduledFor.getTime());
  for (const { pipelineId, triggerId, scheduledFor, missed } of decisions) {
    if (pipelineId !== id || triggerId !== null || scheduledFor === null) continue;
    for (
      let at: number | null = scheduledFor.getTime();
      at !== null && at <= (missed?.lastAt ?? scheduledFor).getTime();
      at = when.nextAfter(at)
    )
      count(at);
  }
  for (let at = when.nextAfter(FROM - 1); at !== null && at < TO; at = when.nextAfter(at)) {
    const found = outcomes.get(at) ?? 0;
    if (found !== 1 && !(found === 0 && isPausedAtEnd))
      throw new Error(`${id}: fire time ${new Date(at).toISOString()} has ${found} outcomes`);
    outcomes.delete(at);
  }
  expect([...outcomes.keys()]).toEqual([]);
}

function checkTriggers({ triggers, decisions, runs }: Simulation): void {
  for (const { id, status, runId, supersededBy, kind } of triggers) {
    const own = decisions.filter(({ triggerId }) => triggerId === id);
    const ownRuns = runs.filter(({ triggerId }) => triggerId === id);
    const ran = own.filter(({ outcome }) => outcome === "run").length;
    expect(ownRuns).toHaveLength(ran);
    if (status === "succeeded" || status === "failed" || status === "running") expect([ran, ownRuns[0]?.id]).toEqual([1, runId]);
    if (status === "skipped") expect(own.at(-1)?.outcome).toBe("skip");
    if (status === "held" || status === "expired") expect(own.at(-1)?.outcome).toBe("hold");
    if (status === "superseded") expect([kind, triggers.some((other) => other.id === supersededBy)]).toEqual(["scheduled", true]);
    expect(own.filter(({ outcome }) => outcome === "skip").length).toBe(status === "skipped" ? 1 : 0);
  }
}

function mostAtOnce(spans: readonly { startedAt: Date; endedAt: Date | null }[]): number {
  const steps = spans.flatMap(({ startedAt, endedAt }) => [
    { at: startedAt.getTime(), by: 1 },
    { at: endedAt?.getTime() ?? Number.POSITIVE_INFINITY, by: -1 },
  ]);
  let now = 0;
  let most = 0;
  for (const { by } of steps.toSorted((a, b) => a.at - b.at || a.by - b.by)) {
    now += by;
    most = Math.max(most, now);
  }
  return most;
}

describe("whatever pipelines, outcomes and pauses there are", () => {
  it("every fire time ends in exactly one recorded outcome, and no limit is exceeded", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(one, { minLength: 1, maxLength: 4 }),
        pauses,
        fc.integer({ min: 0, max: 1_000 }),
        async (specs, stops, seed) => {
          const pipelines = built(specs);
          const played = await play(pipelines, stops, seed);
          const lastPause = Math.max(0, ...stops.map(({ from, hours }) => from + hours));
          for (const each of pipelines) {
            checkFireTimes(played, each, lastPause >= (TO - FROM) / 3_600_000);
            expect(mostAtOnce(played.runs.filter(({ pipelineId }) => pipelineId === each.id))).toBeLessThanOrEqual(
              each.execution.maxActiveRuns,
            );
          }
          checkTriggers(played);
          const pooled = pipelines.filter(({ execution }) => execution.pool === "db").map(({ id }) => id);
          const attempts = played.runs.flatMap(({ pipelineId, attempt, attempts: earlier, attemptStartedAt, endedAt }) => [
            ...earlier.map((each) => ({ pipelineId, startedAt: each.startedAt, endedAt: each.endedAt as Date | null })),
            ...(earlier.at(-1)?.attempt === attempt ? [] : [{ pipelineId, startedAt: attemptStartedAt, endedAt }]), // else it is closed, and waits for the next
          ]);
          expect(mostAtOnce(attempts.filter(({ pipelineId }) => pooled.includes(pipelineId)))).toBeLessThanOrEqual(2);
          expect(mostAtOnce(attempts)).toBeLessThanOrEqual(4);
        },
      ),
      { numRuns: 150 },
    );
  });

  it("the same input gives the same result, byte for byte", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(one, { minLength: 1, maxLength: 3 }),
        pauses,
        fc.integer({ min: 0, max: 1_000 }),
        async (specs, stops, seed) => {
          const first = JSON.stringify(await play(built(specs), stops, seed));
          expect(JSON.stringify(await play(built(specs), stops, seed))).toBe(first);
        },
      ),
      { numRuns: 15 },
    );
  });
});
