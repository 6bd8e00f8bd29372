import assert from "node:assert/strict";
import type { DecisionRecord } from "../../gate/finding.js";
import type { Store } from "../../ports/store.js";
import { type Case, firing, MINUTE, nextId, registration, T0 } from "./fixtures.js";

const BY = { at: T0, reason: "holiday", user: "ana" };
const first = { fireAt: T0 + MINUTE, ...BY };
const third = { fireAt: T0 + 3 * MINUTE, ...BY };

/** The decision that a fire time was skipped. */
function skipped({ fireAt, ...skip }: typeof first): DecisionRecord {
  const record = {
    id: nextId(),
    pipelineId: "a",
    triggerId: null,
    kind: "scheduled",
    scheduledFor: fireAt,
    at: fireAt,
    outcome: "skip",
  } as const;
  return { ...record, reason: "skipped", findings: [], missed: { count: 1, lastAt: fireAt, skip } };
}

async function skipsOf(store: Store): Promise<unknown> {
  return (await store.states(["a"]))[0]?.skips;
}

/** Fire times that are to be left out. */
export const SKIPS: readonly Case[] = [
  [
    "keeps skips in the order of their fire times, each once, and removes them",
    async (store) => {
      await store.register([registration("a"), registration("b")], T0);
      assert.deepEqual(await skipsOf(store), []);
      assert.deepEqual(await store.skip("a", [third]), [third]);
      assert.deepEqual(await store.skip("a", [first, { ...third, user: "ben" }]), [first, third], "the one that was there stays");
      assert.deepEqual(await skipsOf(store), [first, third]);
      assert.deepEqual((await store.states(["b"]))[0]?.skips, []);
      assert.deepEqual(await store.unskip("a", [third.fireAt, T0 + 9 * MINUTE]), [third]);
      assert.deepEqual(await store.unskip("a", [third.fireAt]), []);
      assert.deepEqual(await skipsOf(store), [first]);
      assert.deepEqual(await store.unskip("a", null), [first]);
      assert.deepEqual(await skipsOf(store), []);
      const [again] = await store.register([registration("a", { maxActiveRuns: 2 })], T0);
      assert.deepEqual(again?.skips, []);
    },
  ],
  [
    "refuses to skip what was decided on, too many, and of pipelines that are not registered; then nothing changes",
    async (store) => {
      await store.register([registration("a"), registration("idle", { nextFireAt: null })], T0);
      await store.fire([firing("a", first.fireAt)], first.fireAt);
      await assert.rejects(store.skip("a", [third, first]), { code: "ALREADY_FINISHED" });
      await assert.rejects(store.skip("idle", [third]), { code: "ALREADY_FINISHED" });
      const many = Array.from({ length: 101 }, (_, index) => ({ ...third, fireAt: third.fireAt + index * MINUTE }));
      await assert.rejects(store.skip("a", many), { code: "TOO_MANY" });
      await assert.rejects(store.skip("nobody", [third]), { code: "UNKNOWN_PIPELINE" });
      await assert.rejects(store.unskip("nobody", null), { code: "UNKNOWN_PIPELINE" });
      assert.deepEqual(await skipsOf(store), []);
      assert.equal((await store.skip("a", many.slice(0, 100))).length, 100);
    },
  ],
  [
    "does not fire what was planned without a skip, or by one that is no longer there; nothing is recorded then",
    async (store) => {
      await store.register([registration("a")], T0);
      await store.skip("a", [first]);
      const [late] = await store.fire([firing("a", first.fireAt)], first.fireAt);
      assert.deepEqual([late?.outcome, late?.state?.nextFireAt, late?.state?.skips], ["moved", first.fireAt, [first]]);
      await store.unskip("a", null);
      const byIt = firing("a", first.fireAt, { triggers: [], dropped: [skipped(first)] });
      const [early] = await store.fire([byIt], first.fireAt);
      assert.deepEqual([early?.outcome, early?.state?.skips], ["moved", []]);
      assert.deepEqual(await store.listTriggers({ limit: 10 }), []);
      assert.deepEqual(await store.listDecisions({ pipelineId: "a", limit: 10 }), []);
      await store.skip("a", [first, third]);
      const [fired] = await store.fire([byIt], first.fireAt);
      assert.deepEqual(
        [fired?.outcome, fired?.state?.nextFireAt, fired?.state?.skips],
        ["fired", T0 + 2 * MINUTE, [third]],
        "what has passed is forgotten",
      );
      const [decision] = await store.listDecisions({ pipelineId: "a", limit: 10 });
      assert.deepEqual([decision?.outcome, decision?.missed], ["skip", { count: 1, lastAt: first.fireAt, skip: BY }]);
      const [second] = await store.fire([firing("a", T0 + 2 * MINUTE)], T0 + 2 * MINUTE);
      assert.deepEqual([second?.outcome, second?.triggers.length, second?.state?.skips], ["fired", 1, [third]]);
    },
  ],
  [
    "either skips a fire time or fires it, when both come at once",
    async (store) => {
      await store.register([registration("a")], T0);
      for (let n = 1; n <= 20; n++) {
        const fireAt = T0 + n * MINUTE;
        const skip = store.skip("a", [{ ...first, fireAt }]).then(
          () => true,
          ({ code }: { code: string }) => {
            assert.equal(code, "ALREADY_FINISHED");
            return false;
          },
        );
        const fire = store.fire([firing("a", fireAt)], fireAt);
        const [isSkipped, [result]] = await Promise.all([skip, fire]);
        assert.equal(result?.outcome, isSkipped ? "moved" : "fired");
        if (isSkipped) await store.fire([firing("a", fireAt, { triggers: [], dropped: [skipped({ ...first, fireAt })] })], fireAt);
      }
    },
  ],
  [
    "a skipped fire time that a clock ahead has passed is skipped again when that is put right",
    async (store) => {
      await store.register([registration("a")], T0);
      await store.skip("a", [first]);
      const decision = skipped(first);
      await store.fire([firing("a", first.fireAt, { triggers: [], dropped: [decision] })], first.fireAt);
      const plan = () => ({ nextFireAt: first.fireAt, withdrawn: [decision.id], amended: [], skips: [first] });
      const request = { pipelineId: "a", scheduleKey: "every(60000,0)", expectedFireAt: T0 + 2 * MINUTE, since: T0, plan };
      const [result] = await store.replan([request], T0);
      assert.deepEqual([result?.outcome, result?.state?.nextFireAt, result?.state?.skips], ["replanned", first.fireAt, [first]]);
      assert.deepEqual(await skipsOf(store), [first]);
    },
  ],
];
