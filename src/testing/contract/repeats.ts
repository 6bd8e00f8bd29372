import assert from "node:assert/strict";
import type { DecideRequest, FinishRequest, Store } from "../../ports/store.js";
import type { RunRecord } from "../../run/run.js";
import { type Case, claim, deciding, finishOne, MINUTE, nextId, registration, request, startAll, T0 } from "./fixtures.js";

const FAILED = { outcome: "failed", error: { message: "down", code: "E_DOWN" }, output: null } as const;

async function started(store: Store): Promise<RunRecord> {
  await store.register([registration("a"), registration("b")], T0);
  await store.enqueue([request("a")], T0);
  const [run] = await startAll(store, T0);
  assert.ok(run);
  return run;
}

async function sendTwice(store: Store, run: RunRecord, rest: Partial<FinishRequest>, later = T0 + 2) {
  const first = await finishOne(store, run, T0 + 1, rest);
  return [first, await finishOne(store, run, later, { ...rest, isRepeated: true })] as const;
}

/** Requests that were committed and not answered, and are sent again. */
export const REPEATS: readonly Case[] = [
  ...([true, false] as const).map(
    (isKnown): Case => [
      `answers a decision that is recorded already as it did before${isKnown ? "" : ", also when its trigger is not given"}`,
      async (store) => {
        await store.register([registration("a", { maxActiveRuns: 9 })], T0);
        await store.enqueue([request("a"), request("a"), request("a")], T0);
        const { triggers } = await claim(store, T0);
        const outcomes = ["run", "hold", "skip"] as const;
        const requests = triggers.map((trigger, index): DecideRequest => {
          const made = deciding(trigger, outcomes[index] ?? "skip", T0);
          return isKnown ? { ...made, trigger } : made;
        });
        const first = await store.decide(requests, () => T0);
        for (const token of [null, -1]) {
          const again = await store.decide(token === null ? requests : requests.map((one) => ({ ...one, token })), () => T0 + 1);
          assert.deepEqual(
            again.map(({ isAccepted, trigger, run }) => [isAccepted, trigger?.status, run?.id]),
            first.map(({ isAccepted, trigger, run }) => [isAccepted, trigger?.status, run?.id]),
          );
        }
        assert.deepEqual(
          first.map(({ isAccepted, trigger }) => [isAccepted, trigger?.status]),
          [
            [true, "running"],
            [true, "held"],
            [true, "skipped"],
          ],
        );
        assert.equal((await store.listRuns({ limit: 9 })).length, 1);
        assert.equal((await store.listDecisions({ limit: 9 })).length, 3);
        const other = await store.decide(
          triggers.map((trigger) => deciding(trigger, "run", T0 + 1)),
          () => T0 + 1,
        );
        assert.deepEqual(
          other.map(({ isAccepted }) => isAccepted),
          [false, false, false],
          "another decision of the same claims",
        );
      },
    ],
  ),
  [
    "answers a success that is recorded already as it did before, with what followed",
    async (store) => {
      const run = await started(store);
      const [first, again] = await sendTwice(store, run, { follow: [request("b", { kind: "dependency", key: `run:${run.id}` })] });
      assert.deepEqual([first.isAccepted, again.isAccepted], [true, true]);
      assert.deepEqual([again.run?.status, again.run?.endedAt, again.trigger?.status], ["succeeded", T0 + 1, "succeeded"]);
      assert.deepEqual(
        again.followed.map(({ id }) => id),
        first.followed.map(({ id }) => id),
      );
      assert.equal(first.followed.length, 1);
      assert.equal((await store.listTriggers({ pipelineId: "b", limit: 9 })).length, 1);
    },
  ],
  [
    "answers a failure that is recorded already as it did before, also when the next attempt has begun",
    async (store) => {
      const run = await started(store);
      const end = { ...FAILED, retryAt: T0 + MINUTE };
      const [first, again] = await sendTwice(store, run, { end });
      assert.deepEqual([first.isAccepted, again.isAccepted, again.run?.status], [true, true, "retrying"]);
      await claim(store, T0 + MINUTE);
      const third = await finishOne(store, run, T0 + MINUTE, { end, isRepeated: true });
      assert.deepEqual([third.isAccepted, third.run?.status, third.run?.attempt], [true, "running", 2]);
      assert.equal(third.run?.attempts.length, 1);
      const next = { ...run, token: run.token + 1 };
      const [last, lastAgain] = await sendTwice(store, next, { end: { ...FAILED, retryAt: null } });
      assert.deepEqual([last.isAccepted, lastAgain.isAccepted, lastAgain.run?.status], [true, true, "failed"]);
    },
  ],
  [
    "refuses an end that is sent again after the attempt was closed otherwise, and one that is sent for the first time",
    async (store) => {
      const run = await started(store);
      const lost = { outcome: "lost", error: { message: "silent", code: "RUN_LOST" }, output: null, retryAt: null } as const;
      const [closed, closedAgain] = await sendTwice(store, run, { end: lost, onlyIfExpired: true }, T0 + MINUTE);
      assert.equal(closed.isAccepted, false, "its lease has not run out");
      assert.equal(closedAgain.isAccepted, true);
      assert.equal((await finishOne(store, run, T0 + MINUTE, { end: lost, onlyIfExpired: true, isRepeated: true })).isAccepted, false);
      for (const isRepeated of [true, false]) {
        assert.equal((await finishOne(store, run, T0 + MINUTE, { isRepeated })).isAccepted, false, "a success");
        assert.equal((await finishOne(store, run, T0 + MINUTE, { end: { ...FAILED, retryAt: null }, isRepeated })).isAccepted, false);
      }
    },
  ],
  [
    "accepts a trigger once under its id",
    async (store) => {
      await store.register([registration("a")], T0);
      const plain = request("a");
      const keyed = request("a", { id: nextId(), key: "k" });
      for (const now of [T0, T0 + 1]) {
        const answers = await store.enqueue([plain, keyed], now);
        assert.deepEqual(
          answers.map(({ trigger, isNew }) => [trigger.id, trigger.createdAt, isNew]),
          [
            [plain.id, T0, true],
            [keyed.id, T0, true],
          ],
        );
      }
      const [other] = await store.enqueue([request("a", { key: "k" })], T0);
      assert.deepEqual([other?.trigger.id, other?.isNew], [keyed.id, false]);
      assert.equal((await store.listTriggers({ limit: 9 })).length, 2);
    },
  ],
];
