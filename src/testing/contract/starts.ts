import assert from "node:assert/strict";
import type { DecideRequest } from "../../ports/store/claims.js";
import type { Store } from "../../ports/store.js";
import type { TriggerRecord } from "../../trigger/trigger.js";
import { type Case, claim, decideAll, deciding, finishOne, MINUTE, registration, request, startAll, T0 } from "./fixtures.js";

const PAUSE = { at: T0, until: null, reason: null, user: null };

/** Decides to run, resting on a limit. */
function underLimit(
  trigger: TriggerRecord,
  now: number,
  limits: DecideRequest["limits"] = [{ count: 3, periodMs: MINUTE }],
): DecideRequest {
  return { ...deciding(trigger, "run", now), trigger, ...(limits === undefined ? {} : { limits }) };
}

async function claimedOf(store: Store, id: string, count: number, now: number, rest = {}): Promise<readonly TriggerRecord[]> {
  await store.enqueue(
    Array.from({ length: count }, () => request(id, rest)),
    now,
  );
  return (await claim(store, now)).triggers;
}

/** Cases for what keeps a run back at the instant at which it would start: limits and pauses. */
export const STARTS: readonly Case[] = [
  [
    "starts no more runs than a limit allows, whatever is decided at once on whatever node",
    async (store) => {
      await store.register([registration("a", { maxActiveRuns: 99 }), registration("b", { maxActiveRuns: 99 })], T0);
      await store.enqueue(
        Array.from({ length: 12 }, (_, index) => request(index === 11 ? "b" : "a")),
        T0,
      );
      const claims = await Promise.all(["n1", "n2", "n3"].map((node) => claim(store, T0, { node, limit: 4, claimLeaseMs: 9 * MINUTE })));
      const batches = claims.map(({ triggers }) =>
        triggers.map((one) => underLimit(one, T0, one.pipelineId === "b" ? undefined : [{ count: 3, periodMs: MINUTE }])),
      );
      const results = (await Promise.all(batches.map((batch) => store.decide(batch, () => T0)))).flat();
      const requests = batches.flat();
      assert.equal(results.length, 12);
      const refused = requests.filter((_, index) => results[index]?.refusal !== undefined);
      assert.equal(refused.length, 8);
      assert.equal((await store.listRuns({ pipelineId: "a", limit: 99 })).length, 3);
      assert.equal((await store.listRuns({ pipelineId: "b", limit: 99 })).length, 1, "no limit of its own");
      assert.equal((await store.listDecisions({ limit: 99 })).length, 4, "what is refused is not recorded");
      for (const [index, result] of results.entries()) {
        if (result.isAccepted) continue;
        assert.deepEqual(result.refusal, { kind: "limit", opensAt: T0 + MINUTE });
        assert.equal(result.trigger?.status, "pending");
        assert.equal(result.trigger?.token, requests[index]?.token, "it stays claimed");
      }
      const again = (now: number) =>
        store.decide(
          refused.map(({ trigger }) => underLimit(trigger as TriggerRecord, now)),
          () => now,
        );
      assert.ok((await again(T0 + MINUTE - 1)).every(({ isAccepted }) => !isAccepted));
      const late = await again(T0 + MINUTE);
      assert.equal(late.filter(({ isAccepted }) => isAccepted).length, 3, "a start exactly a period ago counts no more");
      const left = refused.filter((_, index) => late[index]?.isAccepted === false).map(({ trigger }) => trigger as TriggerRecord);
      const [held] = await decideAll(store, left.slice(0, 1), "hold", T0 + MINUTE);
      assert.equal(held?.trigger?.status, "held", "it can be decided otherwise");
    },
  ],
  [
    "counts starts that rest on no limit, and keeps several limits at once",
    async (store) => {
      await store.register([registration("a", { maxActiveRuns: 99 })], T0);
      const [immediate, forced, ...others] = [
        ...(await claimedOf(store, "a", 1, T0, { kind: "immediate" })),
        ...(await claimedOf(store, "a", 1, T0, { isForced: true })),
        ...(await claimedOf(store, "a", 5, T0)),
      ];
      await decideAll(store, [immediate as TriggerRecord], "run", T0);
      await decideAll(store, [forced as TriggerRecord], "run", T0 + 10);
      const limits = [
        { count: 3, periodMs: MINUTE },
        { count: 1, periodMs: 20 },
      ];
      const decide = (some: readonly TriggerRecord[], now: number) =>
        store.decide(
          some.map((one) => underLimit(one, now, limits)),
          () => now,
        );
      assert.deepEqual(
        (await decide(others, T0 + 29)).map(({ refusal }) => refusal),
        Array(5).fill({ kind: "limit", opensAt: T0 + 30 }),
      );
      const results = await decide(others, T0 + 30);
      assert.equal(results.filter(({ isAccepted }) => isAccepted).length, 1);
      assert.equal(results.at(-1)?.trigger?.id, others.at(-1)?.id);
      assert.deepEqual(
        results.at(-1)?.refusal,
        { kind: "limit", opensAt: T0 + MINUTE },
        "the limit that has no room, as it is after this batch",
      );
      const unread = others.slice(-1).map((one) => ({ ...deciding(one, "run", T0 + MINUTE), limits }));
      const [last] = await store.decide(unread, () => T0 + MINUTE);
      assert.equal(last?.isAccepted, true, "also of a trigger that is read again");
    },
  ],
  [
    "says when a pipeline's newest runs started, no more of them than are asked for",
    async (store) => {
      await store.register([registration("a", { maxActiveRuns: 99 }), registration("b", { maxActiveRuns: 99 })], T0);
      for (const at of [10, 20, 20, 30, 40]) {
        const [trigger] = await claimedOf(store, "a", 1, T0 + at);
        const [result] = await decideAll(store, [trigger as TriggerRecord], "run", T0 + at);
        assert.ok(result?.run);
        await finishOne(store, result.run, T0 + at);
      }
      const starts = async (from: number, until: number, limit: number) => {
        const { count, oldestAt } = await store.recentStarts("a", T0 + from, T0 + until, limit);
        return [count, oldestAt === null ? null : oldestAt - T0];
      };
      assert.deepEqual(await starts(0, 99, 9), [5, 10]);
      assert.deepEqual(await starts(0, 99, 3), [3, 20]);
      assert.deepEqual(await starts(20, 40, 9), [3, 20], "[from, until)");
      assert.deepEqual(await starts(41, 99, 9), [0, null]);
      assert.deepEqual(await store.recentStarts("b", T0, T0 + 99, 9), { count: 0, oldestAt: null });
    },
  ],
  ...(["a", null] as const).map(
    (paused): Case => [
      `starts nothing after ${paused === null ? "everything" : "a pipeline"} was paused, but what is forced`,
      async (store) => {
        await store.register([registration("a", { maxActiveRuns: 99 }), registration("b", { maxActiveRuns: 99 })], T0);
        const [first, second, unread, hold, skip] = await claimedOf(store, "a", 5, T0);
        const [forced] = await claimedOf(store, "a", 1, T0, { isForced: true });
        const [other] = await claimedOf(store, "b", 1, T0);
        await store.pause([{ pipelineId: paused, pause: PAUSE }]);
        const known = [first, second, forced, other].map((one) => ({
          ...deciding(one as TriggerRecord, "run", T0),
          trigger: one as TriggerRecord,
        }));
        const requests = [...known, deciding(unread as TriggerRecord, "run", T0)];
        const results = [...(await store.decide(known.slice(0, 1), () => T0)), ...(await store.decide(requests.slice(1), () => T0))];
        const outcomes = results.map(({ isAccepted, refusal }) => (isAccepted ? "run" : refusal?.kind));
        assert.deepEqual(outcomes, ["paused", "paused", "run", paused === null ? "paused" : "run", "paused"]);
        for (const { trigger } of [results[0], results[1], results[4]].map((one) => ({ trigger: one?.trigger }))) {
          assert.deepEqual([trigger?.status, trigger?.node, trigger?.leaseUntil, trigger?.runId], ["pending", null, null, null]);
          assert.deepEqual(await store.trigger(trigger?.id ?? ""), trigger);
        }
        await decideAll(store, [hold as TriggerRecord], "hold", T0);
        await decideAll(store, [skip as TriggerRecord], "skip", T0);
        const statuses = await Promise.all([hold, skip].map(async (one) => (await store.trigger(one?.id ?? ""))?.status));
        assert.deepEqual(statuses, ["held", "skipped"], "what starts nothing is recorded");
        assert.equal((await store.listDecisions({ triggerId: first?.id ?? "", limit: 9 })).length, 0);
        assert.deepEqual((await claim(store, T0)).triggers, []);
        const [refused] = await store.decide([underLimit(first as TriggerRecord, T0)], () => T0);
        assert.equal(refused?.isAccepted, false, "its claim has ended");
        await store.resume([{ pipelineId: paused }], T0 + 1);
        const waiting = (await claim(store, T0 + 1)).triggers.map(({ id }) => id);
        assert.deepEqual(waiting.toSorted(), [first, second, unread, ...(paused === null ? [other] : [])].map((one) => one?.id).toSorted());
      },
    ],
  ),
  [
    "lets a pause in between two starts, and none of them after it",
    async (store) => {
      await store.register([registration("a", { maxActiveRuns: 999 })], T0);
      const triggers = await claimedOf(store, "a", 60, T0);
      await store.enqueue(
        Array.from({ length: 60 }, () => request("a")),
        T0,
      );
      const started = triggers.map(async (trigger) => {
        const [result] = await store.decide([{ ...deciding(trigger, "run", T0), trigger }], () => T0);
        return result?.isAccepted === true;
      });
      const judge = (trigger: TriggerRecord) => deciding(trigger, "run", T0);
      const claimed = Array.from(
        { length: 6 },
        async (_, index) => (await claim(store, T0, { node: `n${index}`, limit: 10, judge })).decided.length,
      );
      await store.pause([{ pipelineId: "a", pause: PAUSE }]);
      const before = (await store.listRuns({ pipelineId: "a", limit: 999 })).length;
      const decided = (await Promise.all(started)).filter(Boolean).length;
      const accepted = decided + (await Promise.all(claimed)).reduce((sum, one) => sum + one, 0);
      assert.equal((await store.listRuns({ pipelineId: "a", limit: 999 })).length, before, "a run started after the pause was accepted");
      assert.equal(accepted, before);
    },
  ],
  [
    "lets no retry start while its pipeline is paused, and starts it on resume",
    async (store) => {
      await store.register([registration("a", { maxActiveRuns: 9 })], T0);
      await store.enqueue([request("a"), request("a", { isForced: true })], T0);
      const runs = await startAll(store, T0);
      const failed = { outcome: "failed", error: { message: "down", code: null }, output: null, retryAt: T0 + MINUTE } as const;
      for (const run of runs) await finishOne(store, run, T0, { end: failed });
      await store.pause([{ pipelineId: "a", pause: PAUSE }]);
      const during = await claim(store, T0 + MINUTE);
      assert.deepEqual(
        during.attempts.map(({ run }) => run.isForced),
        [true],
        "only what is forced",
      );
      await store.resume([{ pipelineId: "a" }], T0 + 2 * MINUTE);
      const after = await claim(store, T0 + 2 * MINUTE);
      assert.deepEqual(
        after.attempts.map(({ run }) => [run.isForced, run.attempt]),
        [[false, 2]],
      );
    },
  ],
];
