import assert from "node:assert/strict";
import type { DecideRequest, DecideResult } from "../../ports/store/claims.js";
import type { Store } from "../../ports/store.js";
import { type Case, claim, deciding, MINUTE, registration, request, T0 } from "./fixtures.js";

/** Looks at a trigger once: claims it and holds it for a reason until `now` + 1 min. */
async function look(store: Store, now: number, reason: string, isKnown = true): Promise<{ asked: DecideRequest; result: DecideResult }> {
  const [trigger] = (await claim(store, now)).triggers;
  assert.ok(trigger !== undefined, "it was not handed out");
  const asked = { ...held(deciding(trigger, "hold", now), reason, now), ...(isKnown ? { trigger } : {}) };
  const [result] = await store.decide([asked], () => now);
  assert.ok(result !== undefined);
  return { asked, result };
}

function held(asked: DecideRequest, reason: string, now: number): DecideRequest {
  const decision = { ...asked.decision, reason, findings: [{ condition: "healthy", result: "block" as const, reason }] };
  return { ...asked, decision, hold: { recheckAt: now + MINUTE, expiresAt: T0 + 9_999 * MINUTE } };
}

const listed = async (store: Store) => (await store.listDecisions({ limit: 1_000 })).toReversed();

/** Cases for the decisions on a trigger that is held again and again. */
export const HOLDS: readonly Case[] = [
  [
    "keeps holds that say the same as one decision, with how many looks there were and when the last one was",
    async (store) => {
      await store.register([registration("a")], T0);
      await store.enqueue([request("a")], T0);
      const first = await look(store, T0, "HTTP 503 for 2m; looked at again 2026-03-02T00:01:00.000Z");
      assert.equal(first.result.decision, undefined);
      const last = [];
      for (const minute of [1, 2, 3])
        last.push(
          await look(
            store,
            T0 + minute * MINUTE,
            `HTTP 503 for 1h ${minute}m; looked at again 2026-03-02T00:0${minute + 1}:00.000Z`,
            minute !== 2,
          ),
        );
      const other = await look(store, T0 + 4 * MINUTE, "HTTP 500");
      await look(store, T0 + 5 * MINUTE, "HTTP 503");
      const [one, two, three, ...rest] = await listed(store);
      assert.deepEqual(rest, []);
      const { decision } = first.asked;
      const { asked, result } = last[2] as (typeof last)[number];
      assert.deepEqual(one, {
        ...asked.decision,
        id: decision.id,
        at: T0,
        repeated: { count: 4, lastAt: T0 + 3 * MINUTE, lastId: asked.decision.id },
      });
      assert.deepEqual(result.decision, one);
      assert.deepEqual(two, other.asked.decision);
      assert.equal(three?.repeated, undefined);
      const [again] = await store.decide([{ ...asked, token: -1 }], () => T0 + 6 * MINUTE);
      assert.equal(again?.isAccepted, true, "the check that was recorded last is recorded, even if it is sent again");
      assert.deepEqual(await listed(store), [one, two, three]);
    },
  ],
  [
    "keeps apart holds of other conditions, and those of a clock that was set back",
    async (store) => {
      await store.register([registration("a")], T0);
      await store.enqueue([request("a")], T0);
      await look(store, T0 + MINUTE, "closed");
      await store.recheck(null, T0);
      await look(store, T0, "closed");
      const [trigger] = (await claim(store, T0 + MINUTE)).triggers;
      assert.ok(trigger !== undefined);
      const asked = held(deciding(trigger, "hold", T0 + MINUTE), "closed", T0 + MINUTE);
      const findings = [
        ...asked.decision.findings,
        { condition: "fresh", result: "not_evaluated" as const, reason: "an earlier condition blocks" },
      ];
      await store.decide([{ ...asked, decision: { ...asked.decision, findings } }], () => T0 + MINUTE);
      const decisions = await listed(store);
      assert.deepEqual(
        decisions.map(({ at, repeated }) => [at - T0, repeated]),
        [
          [MINUTE, undefined],
          [0, undefined],
          [MINUTE, undefined],
        ],
      );
    },
  ],
  [
    "folds with the claim what its judge holds again",
    async (store) => {
      await store.register([registration("a")], T0);
      await store.enqueue([request("a")], T0);
      for (const minute of [0, 1, 2]) {
        const now = T0 + minute * MINUTE;
        const { decided } = await claim(store, now, { judge: (trigger) => held(deciding(trigger, "hold", now), "closed", now) });
        assert.equal(decided[0]?.result.decision?.repeated?.count, minute === 0 ? undefined : minute + 1);
      }
      const [only, ...rest] = await listed(store);
      assert.deepEqual(rest, []);
      assert.equal(only?.repeated?.count, 3);
    },
  ],
  [
    "keeps the first and the newest decisions of a trigger, 200 in all",
    async (store) => {
      await store.register([registration("a")], T0);
      await store.enqueue([request("a")], T0);
      const looks = [];
      for (let index = 0; index < 203; index++) looks.push(await look(store, T0 + index * MINUTE, `queue of ${index}`));
      const ids = looks.map(({ asked }) => asked.decision.id);
      assert.deepEqual(
        (await listed(store)).map(({ id }) => id),
        [ids[0], ...ids.slice(4)],
      );
    },
  ],
  [
    "looks at a trigger that a wrong clock has held again and again as long after the right time as after that",
    async (store) => {
      await store.register([registration("a")], T0);
      await store.enqueue([request("a")], T0);
      await look(store, T0, "closed");
      await look(store, T0 + 60 * MINUTE, "closed");
      await store.rebase(T0 + 2 * MINUTE, T0 + 2 * MINUTE);
      const [decision] = await listed(store);
      assert.equal((await store.trigger(decision?.triggerId ?? ""))?.availableAt, T0 + 3 * MINUTE);
    },
  ],
];
