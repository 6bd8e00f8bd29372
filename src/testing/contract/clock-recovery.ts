import assert from "node:assert/strict";
import type { DecisionRecord } from "../../gate/finding.js";
import type { ReplanRequest } from "../../ports/store/clock-recovery.js";
import type { Store } from "../../ports/store.js";
import { type Case, claim, decideAll, finishOne, firing, MINUTE, nextId, registration, request, startAll, T0 } from "./fixtures.js";

/** Offset of a clock that was ahead. */
const AHEAD = T0 + 600 * MINUTE;

function dropped(pipelineId: string, scheduledFor: number, at: number, rest: Partial<DecisionRecord> = {}): DecisionRecord {
  const record = { id: nextId(), pipelineId, triggerId: null, kind: "scheduled", scheduledFor, at, outcome: "skip" } as const;
  return { ...record, reason: "missed", findings: [], missed: null, ...rest };
}

function replanning(pipelineId: string, expectedFireAt: number, rest: Partial<ReplanRequest> = {}): ReplanRequest {
  const plan = (all: readonly DecisionRecord[]) => ({
    nextFireAt: T0 + 2 * MINUTE,
    withdrawn: all.map(({ id }) => id),
    amended: [],
    skips: [],
  });
  return { pipelineId, scheduleKey: "every(60000,0)", expectedFireAt, since: T0 + MINUTE, plan, ...rest };
}

/** A schedule that a clock ahead has advanced, dropping what is between. */
async function advanced(store: Store, pipelineId: string, decisions: readonly DecisionRecord[]): Promise<void> {
  await store.register([registration(pipelineId, { overlap: "queue" })], T0);
  const made = [request(pipelineId, { kind: "scheduled", scheduledFor: AHEAD })];
  await store.fire(
    [firing(pipelineId, T0 + MINUTE, { triggers: made, dropped: decisions, nextFireAt: AHEAD + MINUTE, lastFireAt: AHEAD })],
    AHEAD,
  );
}

/** Cases for the recovery of records that a clock that was ahead has made, once it is set back. */
export const CLOCK_RECOVERY: readonly Case[] = [
  [
    "puts back a schedule and the decisions on fire times to come, in one step, once, however many try",
    async (store) => {
      const [early, first, second] = [1, 2, 3].map((minute) => dropped("a", T0 + minute * MINUTE, AHEAD));
      await advanced(store, "a", [early, first, second] as DecisionRecord[]);
      await advanced(store, "b", [dropped("b", T0 + 2 * MINUTE, AHEAD)]);
      let seen: readonly DecisionRecord[] = [];
      const asking = replanning("a", AHEAD + MINUTE);
      const plan: ReplanRequest["plan"] = (all) => {
        seen = all;
        return asking.plan(all);
      };
      const tries = await Promise.all(Array.from({ length: 5 }, () => store.replan([{ ...asking, plan }], T0 + MINUTE)));
      const outcomes = tries.flat().map(({ outcome }) => outcome);
      assert.deepEqual(outcomes.toSorted(), ["moved", "moved", "moved", "moved", "replanned"]);
      assert.deepEqual(
        seen.map(({ scheduledFor }) => scheduledFor),
        [T0 + 2 * MINUTE, T0 + 3 * MINUTE],
      );
      const [state] = await store.states(["a"]);
      assert.deepEqual([state?.nextFireAt, state?.lastFireAt], [T0 + 2 * MINUTE, T0 + MINUTE]);
      const left = await store.listDecisions({ pipelineId: "a", limit: 10 });
      assert.deepEqual(
        left.map(({ scheduledFor }) => scheduledFor),
        [T0 + MINUTE],
      );
      assert.equal((await store.listDecisions({ pipelineId: "b", limit: 10 })).length, 1);
      const ended = await store.listFinished({ from: T0, until: AHEAD + MINUTE, limit: 10 });
      assert.equal(ended.filter(({ decisions }) => decisions[0]?.pipelineId === "a").length, 1);
      const [gone] = await store.replan([replanning("nobody", T0)], T0);
      assert.equal(gone?.outcome, "gone");
      const [other] = await store.replan([replanning("b", AHEAD + MINUTE, { scheduleKey: "other" })], T0);
      assert.equal(other?.outcome, "moved");
    },
  ],
  [
    "cuts a decision on several fire times, leaves those that were recorded in time, and puts back a paused schedule too",
    async (store) => {
      const several = dropped("a", T0 + MINUTE, AHEAD, { missed: { count: 9, lastAt: T0 + 9 * MINUTE } });
      const inTime = dropped("a", T0 + 2 * MINUTE, T0 + MINUTE);
      await advanced(store, "a", [several, inTime]);
      await store.pause([{ pipelineId: "a", pause: { at: T0, until: null, reason: null, user: null } }]);
      const amended = { ...several, reason: "cut", missed: null };
      const request = replanning("a", AHEAD + MINUTE, {
        plan: () => ({ nextFireAt: T0 + 2 * MINUTE, withdrawn: [], amended: [amended], skips: [] }),
      });
      const [result] = await store.replan([request], T0 + MINUTE);
      assert.deepEqual([result?.outcome, result?.state?.nextFireAt], ["replanned", T0 + 2 * MINUTE]);
      const left = await store.listDecisions({ pipelineId: "a", limit: 10 });
      assert.deepEqual(
        left.map(({ reason, missed, scheduledFor }) => [reason, missed, scheduledFor]),
        [
          ["missed", null, T0 + 2 * MINUTE],
          ["cut", null, T0 + MINUTE],
        ],
      );
    },
  ],
  [
    "knows the fire times that were made ahead of their schedule, and makes none of them again",
    async (store) => {
      await advanced(store, "a", []);
      assert.deepEqual(await store.firesMade(["a", "nobody"], AHEAD + MINUTE), [[], []]);
      await store.replan([replanning("a", AHEAD + MINUTE)], T0 + MINUTE);
      assert.deepEqual(await store.firesMade(["a"], AHEAD), [[AHEAD]]);
      assert.deepEqual(await store.firesMade(["a"], AHEAD - 1), [[]]);
      const again = [request("a", { kind: "scheduled", scheduledFor: AHEAD })];
      const [fired] = await store.fire([firing("a", T0 + 2 * MINUTE, { triggers: again })], T0 + 2 * MINUTE);
      assert.deepEqual([fired?.outcome, fired?.triggers], ["fired", []]);
    },
  ],
  [
    "starts what was accepted ahead of time, in its order, and later what was asked for later",
    async (store) => {
      await store.register([registration("a", { maxActiveRuns: 10 })], T0);
      const [low, now, later] = await store.enqueue(
        [request("a", { priority: "low" }), request("a", { kind: "immediate" }), request("a", { notBefore: AHEAD + 5 * MINUTE })],
        AHEAD,
      );
      const [plain] = await store.enqueue([request("a", { priority: "low" })], T0 + 1);
      await store.rebase(T0 + MINUTE, T0);
      await store.rebase(T0 + MINUTE, T0);
      const { triggers } = await claim(store, T0 + 2);
      assert.deepEqual(
        triggers.map(({ id }) => id),
        [now, low, plain].map((one) => one?.trigger.id),
      );
      const kept = await store.trigger(later?.trigger.id ?? "");
      assert.deepEqual([kept?.createdAt, kept?.availableAt], [T0, AHEAD + 5 * MINUTE]);
    },
  ],
  [
    "looks at what was held, and tries again what failed, as long after the clock was set back as it would have",
    async (store) => {
      await store.register([registration("a", { maxActiveRuns: 10 })], T0);
      await store.enqueue([request("a"), request("a")], T0);
      const { triggers } = await claim(store, AHEAD, { limit: 1, claimLeaseMs: MINUTE });
      await decideAll(store, triggers, "hold", AHEAD);
      const [run] = await startAll(store, AHEAD);
      if (run === undefined) throw new Error("nothing was started");
      await finishOne(store, run, AHEAD, {
        end: { outcome: "failed", error: { message: "down", code: null }, output: null, retryAt: AHEAD + 2 * MINUTE },
      });
      await store.rebase(T0 + MINUTE, T0);
      assert.equal((await store.trigger(triggers[0]?.id ?? ""))?.availableAt, T0 + MINUTE);
      assert.equal((await store.run(run.id))?.retryAt, T0 + 2 * MINUTE);
      const first = await claim(store, T0 + MINUTE);
      assert.deepEqual([first.triggers.length, first.attempts.length], [1, 0]);
      assert.equal((await claim(store, T0 + 2 * MINUTE)).attempts.length, 1);
    },
  ],
  [
    "looks at what was held, and was due by a clock that was ahead, as soon after that was set back",
    async (store) => {
      await store.register([registration("a", { maxActiveRuns: 10, pool: "db" })], T0);
      await store.enqueue([request("a")], T0);
      const open = { pools: new Map([["db", 1]]) };
      const { triggers } = await claim(store, AHEAD, open);
      await decideAll(store, triggers, "hold", AHEAD);
      const shut = await claim(store, AHEAD + 2 * MINUTE, { pools: new Map([["db", 0]]) });
      assert.deepEqual(shut.triggers, [], "it is due, and its pool has no slot");
      await store.rebase(T0 + MINUTE, T0);
      assert.equal((await store.trigger(triggers[0]?.id ?? ""))?.availableAt, T0 + MINUTE);
      assert.deepEqual((await claim(store, T0, open)).triggers, []);
      assert.equal(await store.nextDueAt(T0), T0 + MINUTE);
      assert.equal((await claim(store, T0 + MINUTE, open)).triggers.length, 1);
    },
  ],
  [
    "shortens leases that end too late, and moves nothing that is as it should be",
    async (store) => {
      await store.register([registration("a", { maxActiveRuns: 10 })], T0);
      await store.enqueue([request("a"), request("a")], T0);
      const [run] = await startAll(store, AHEAD, { limit: 1 });
      const { triggers } = await claim(store, AHEAD);
      await store.claimCursors(["c", "d"], "node-1", AHEAD, AHEAD);
      await store.claimCursors(["d"], "node-1", T0 + 5, T0);
      await store.claimLease("l", "node-1", AHEAD, T0);
      const [kept] = await store.enqueue([request("a", { notBefore: T0 + 9 * MINUTE })], T0);
      await store.rebase(T0 + MINUTE, T0);
      assert.equal((await store.run(run?.id ?? ""))?.leaseUntil, T0 + MINUTE);
      assert.equal((await store.trigger(triggers[0]?.id ?? ""))?.leaseUntil, T0 + MINUTE);
      assert.equal((await store.expiredRuns(T0 + MINUTE, 10)).length, 1);
      assert.equal((await claim(store, T0 + MINUTE, { node: "node-2" })).triggers.length, 1);
      const cursors = await store.claimCursors(["c", "d"], "node-2", T0 + 2 * MINUTE, T0 + MINUTE);
      assert.deepEqual(
        cursors.map((one) => one?.node),
        ["node-2", "node-2"],
      );
      assert.equal((await store.lease("l"))?.leaseUntil, T0 + MINUTE);
      assert.equal((await store.trigger(kept?.trigger.id ?? ""))?.availableAt, T0 + 9 * MINUTE);
    },
  ],
  [
    "ends pauses that were made ahead of time as long after it was set back",
    async (store) => {
      await store.register([registration("a"), registration("b")], T0);
      const pause = { at: AHEAD, until: AHEAD + 5 * MINUTE, reason: "moving", user: "ana" };
      await store.pause([{ pipelineId: "a", pause }]);
      await store.pause([{ pipelineId: "b", pause }]);
      await store.resume([{ pipelineId: "b" }], AHEAD + MINUTE);
      await store.pause([{ pipelineId: null, pause }]);
      await store.rebase(T0 + MINUTE, T0);
      const [a, b] = await store.states(["a", "b"]);
      const moved = { ...pause, at: T0, until: T0 + 5 * MINUTE };
      assert.deepEqual([a?.pause, b?.pause, b?.endedPauses], [moved, null, []]);
      assert.deepEqual(await store.globalPause(), { pause: moved, endedPauses: [] });
    },
  ],
];
