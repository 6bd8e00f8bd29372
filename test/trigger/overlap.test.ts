import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OVERLAPS, type OverlapPlan, type OverlapState, planOverlap } from "../../src/trigger/overlap.js";

const instant = fc.integer({ min: 1, max: 12 });
const waiting = (prefix: string) =>
  fc.array(instant, { maxLength: 4 }).map((times) => times.map((fireTime, index) => ({ id: `${prefix}${index}`, fireTime })));
const state = fc.record({
  overlap: fc.constantFrom(...OVERLAPS),
  maxActiveRuns: fc.integer({ min: 1, max: 3 }),
  runs: fc
    .array(fc.record({ fireTime: fc.option(instant, { nil: null }), startedAt: instant, isCancelled: fc.boolean() }), { maxLength: 3 })
    .map((runs) => runs.map((run, index) => ({ ...run, id: `run${index}`, triggerId: `of-run${index}` }))),
  claimed: waiting("claimed"),
  claimedOthers: fc.integer({ min: 0, max: 1 }),
  ready: waiting("ready"),
});

/** The state after a plan was applied, before any cancelled run has ended. */
function applied({ skip, supersede, cancel }: OverlapPlan, before: OverlapState): OverlapState {
  const gone = new Set([...skip, ...supersede.map(({ id }) => id)]);
  return {
    ...before,
    claimed: before.claimed.filter(({ id }) => !gone.has(id)),
    ready: before.ready.filter(({ id }) => !gone.has(id)),
    runs: before.runs.map((run) => (cancel.includes(run.id) ? { ...run, isCancelled: true } : run)),
  };
}

const isNewer = (one: { id: string; fireTime: number }, other: { id: string; fireTime: number }) =>
  one.fireTime > other.fireTime || (one.fireTime === other.fireTime && one.id > other.id);

describe("the overlap rule", () => {
  it("skips what is ready exactly while runs take every slot, and leaves queues alone", () => {
    fc.assert(
      fc.property(state, (given) => {
        const plan = planOverlap(given);
        const isFull = given.overlap === "skip" && given.runs.length >= given.maxActiveRuns;
        expect(plan.skip).toEqual(isFull ? given.ready.map(({ id }) => id) : []);
        if (given.overlap !== "cancel_running") expect([plan.supersede, plan.cancel]).toEqual([[], []]);
      }),
      { numRuns: 500 },
    );
  });

  it("cancel_running: supersedes what has enough newer fire times, and nothing else, by the newest", () => {
    fc.assert(
      fc.property(state, (some) => {
        const given = { ...some, overlap: "cancel_running" as const };
        const running = given.runs.flatMap(({ triggerId: id, fireTime, isCancelled }) =>
          fireTime === null || isCancelled ? [] : [{ id, fireTime }],
        );
        const all = [...running, ...given.claimed, ...given.ready];
        const expected = [...given.claimed, ...given.ready].filter(
          (one) => given.ready.length > 0 && all.filter((other) => isNewer(other, one)).length >= given.maxActiveRuns,
        );
        const { supersede } = planOverlap(given);
        expect(supersede.map(({ id }) => id).toSorted()).toEqual(expected.map(({ id }) => id).toSorted());
        for (const { by } of supersede) expect(all.some((one) => isNewer(one, all.find(({ id }) => id === by) ?? one))).toBe(false);
      }),
      { numRuns: 1_000 },
    );
  });

  it("cancel_running: cancels only runs that are older than a winner without a slot, as many as can help, and is content then", () => {
    fc.assert(
      fc.property(state, (some) => {
        const given: OverlapState = { ...some, overlap: "cancel_running" };
        const plan = planOverlap(given);
        const after = applied(plan, given);
        const winners = after.ready;
        const cancelled = given.runs.filter(({ id }) => plan.cancel.includes(id));
        expect(cancelled).toHaveLength(plan.cancel.length);
        for (const run of cancelled) {
          expect(run.isCancelled).toBe(false);
          expect(winners.some(({ fireTime }) => (run.fireTime ?? run.startedAt) < fireTime)).toBe(true);
        }
        const ending = given.runs.filter(({ isCancelled }) => isCancelled).length;
        const slots = given.maxActiveRuns - given.runs.length - after.claimed.length - given.claimedOthers;
        const needed = winners.length - Math.max(0, slots) - Math.max(0, ending + Math.min(0, slots));
        expect(plan.cancel.length).toBeLessThanOrEqual(Math.max(0, needed));
        if (needed > 0 && plan.cancel.length === 0) {
          const oldest = winners.toSorted((a, b) => (isNewer(a, b) ? 1 : -1)).slice(Math.max(0, slots))[needed - 1];
          const canHelp = given.runs.some((run) => !run.isCancelled && (run.fireTime ?? run.startedAt) < (oldest?.fireTime ?? 0));
          expect(canHelp).toBe(false);
        }
        if (slots >= 0) expect(planOverlap(after)).toMatchObject({ skip: [], supersede: [], cancel: [] });
      }),
      { numRuns: 2_000 },
    );
  });

  it("cancel_running: one slot, one run, three fire times: the newest cancels, the others give way", () => {
    const fire = (fireTime: number) => ({ id: `t${fireTime}`, fireTime });
    const run = { id: "r1", triggerId: "t1", fireTime: 1, startedAt: 1, isCancelled: false };
    const given = { overlap: "cancel_running" as const, maxActiveRuns: 1, runs: [run], claimed: [], claimedOthers: 0 };
    expect(planOverlap({ ...given, ready: [fire(2), fire(3), fire(4)] })).toEqual({
      skip: [],
      supersede: [
        { id: "t2", by: "t4" },
        { id: "t3", by: "t4" },
      ],
      cancel: ["r1"],
    });
  });
});
