import assert from "node:assert/strict";
import type { DecisionRecord } from "../../gate/finding.js";
import type { Store } from "../../ports/store.js";
import type { TriggerRecord } from "../../trigger/trigger.js";
import { type Case, claim, decideAll, finishOne, firing, MINUTE, nextId, registration, request, startAll, T0 } from "./fixtures.js";

const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Accepts a trigger at an instant and ends it at another. */
async function opened(store: Store, from: number, until: number): Promise<string> {
  const [accepted] = await store.enqueue([request("a")], from);
  const id = accepted?.trigger.id ?? "";
  await store.endTrigger(id, "cancelled", { at: until, user: "ana", reason: "not needed" });
  return id;
}

function idsOf(found: readonly { readonly id: string }[]): string[] {
  return found.map(({ id }) => id);
}

function dropOf(scheduledFor: number, missed: DecisionRecord["missed"] = null): DecisionRecord {
  const rest = { triggerId: null, kind: "scheduled", outcome: "skip", reason: "missed", findings: [] } as const;
  return { id: nextId(), pipelineId: "a", scheduledFor, at: T0 + DAY, missed, ...rest };
}

/** Cases for one instant of a pipeline's history. */
export const HISTORY: readonly Case[] = [
  [
    "finds the triggers that were open at an instant, whatever their length and whatever came after",
    async (store) => {
      await store.register([registration("a", { maxActiveRuns: 2 }), registration("b")], T0);
      const spans: { id: string; from: number; until: number }[] = [];
      for (const [start, lengths] of [
        [0, [MINUTE, 8 * MINUTE - 1, 8 * MINUTE, HOUR, 9 * HOUR, 3 * DAY, 30 * DAY, 200 * DAY, 2_000 * DAY]],
        [10 * DAY, [MINUTE - 1, 2 * MINUTE, HOUR, DAY, 100 * DAY]],
      ] as const) {
        for (const length of lengths) {
          const [from, until] = [T0 + start, T0 + start + length];
          spans.push({ id: await opened(store, from, until), from, until });
        }
      }
      const [running] = await startAll(store, T0, { limit: 0 }).then(async () => {
        await store.enqueue([request("a"), request("b")], T0 + HOUR);
        return startAll(store, T0 + HOUR);
      });
      const [waiting] = await store.enqueue([request("a", { priority: "low" })], T0 + 2 * HOUR);
      spans.push({ id: running?.triggerId ?? "", from: T0 + HOUR, until: Number.POSITIVE_INFINITY });
      spans.push({ id: waiting?.trigger.id ?? "", from: T0 + 2 * HOUR, until: Number.POSITIVE_INFINITY });
      const edges = spans.flatMap(({ from, until }) => [from, until].filter(Number.isFinite));
      for (const at of [...new Set(edges.flatMap((edge) => [edge - 1, edge, edge + 30_000]))]) {
        const open = spans.filter(({ from, until }) => from <= at && until > at && until - from >= MINUTE);
        const wanted = idsOf(open.sort((a, b) => b.from - a.from || (a.id < b.id ? 1 : -1)));
        assert.deepEqual(idsOf(await store.triggersOpenAt({ pipelineId: "a", at, limit: 100 })), wanted, `at ${(at - T0) / MINUTE} min`);
        assert.deepEqual(idsOf(await store.triggersOpenAt({ pipelineId: "a", at, limit: 2 })), wanted.slice(0, 2));
      }
    },
  ],
  [
    "finds the triggers of fire times, those of backfills too",
    async (store) => {
      await store.register([registration("a", { overlap: "queue" }), registration("b")], T0);
      const fired: TriggerRecord[] = [];
      for (let minute = 1; minute <= 5; minute++)
        fired.push(...((await store.fire([firing("a", T0 + minute * MINUTE)], T0 + HOUR))[0]?.triggers ?? []));
      const backfill = { kind: "backfill", scheduledFor: T0 + 3 * MINUTE, parameters: { day: 1 }, size: 9 } as const;
      const [again] = await store.enqueue([request("a", backfill), request("b", backfill), request("a")], T0 + 3 * MINUTE);
      const of = (from: number, until: number, rest = {}) =>
        store.triggersForFireTimes({ pipelineId: "a", from: T0 + from, until: T0 + until, limit: 10, ...rest });
      assert.deepEqual(idsOf(await of(2 * MINUTE, 4 * MINUTE)), [again?.trigger.id, fired[2]?.id, fired[1]?.id]);
      assert.deepEqual(idsOf(await of(2 * MINUTE, 4 * MINUTE, { limit: 2 })), [again?.trigger.id, fired[2]?.id]);
      assert.deepEqual(idsOf(await of(2 * MINUTE + 1, 3 * MINUTE)), []);
      assert.deepEqual((await of(3 * MINUTE, 3 * MINUTE + 1))[0]?.parameters, { day: 1 });
      assert.deepEqual((await of(3 * MINUTE, 3 * MINUTE + 1, { valueLimit: 2 }))[0]?.omitted, ["parameters"]);
      assert.deepEqual(await of(-9_000 * DAY, -8_000 * DAY), []);
    },
  ],
  [
    "finds the decisions on dropped fire times that reach into a span",
    async (store) => {
      await store.register([registration("a"), registration("b")], T0);
      const early = dropOf(T0 + MINUTE);
      const many = dropOf(T0 + 2 * MINUTE, { count: 1_440, lastAt: T0 + DAY });
      const late = dropOf(T0 + DAY + MINUTE);
      await store.fire([firing("a", T0 + MINUTE, { triggers: [], dropped: [early, many, late] })], T0 + 2 * DAY);
      const of = async (from: number, until: number) =>
        idsOf(await store.dropsOfFireTimes({ pipelineId: "a", from: T0 + from, until: T0 + until, limit: 10 }));
      assert.deepEqual(await of(0, MINUTE), []);
      assert.deepEqual(await of(0, 3 * MINUTE), [many.id, early.id]);
      assert.deepEqual(await of(5 * HOUR, 5 * HOUR + 1), [many.id]);
      assert.deepEqual(await of(DAY, DAY + 2 * MINUTE), [late.id, many.id]);
      assert.deepEqual(await of(DAY + 1, DAY + MINUTE), []);
      assert.deepEqual(await of(2 * DAY, 3 * DAY), []);
    },
  ],
  [
    "keeps why a fire time was made late, and who cancelled",
    async (store) => {
      await store.register([registration("a", { maxActiveRuns: 3, overlap: "queue" })], T0);
      const catchup = { cause: "downtime", from: T0, until: T0 + HOUR } as const;
      const scheduled = request("a", { kind: "scheduled", scheduledFor: T0 + MINUTE, catchup });
      await store.fire([firing("a", T0 + MINUTE, { triggers: [scheduled] })], T0 + HOUR);
      await store.enqueue([request("a"), request("a"), request("a")], T0 + HOUR);
      const { triggers } = await claim(store, T0 + HOUR);
      assert.deepEqual(
        triggers.map((one) => one.catchup),
        [catchup, null, null],
      );
      const runs = (await decideAll(store, triggers, "run", T0 + HOUR)).flatMap(({ run }) => run ?? []);
      const [first, second] = runs;
      await store.cancelRun(second?.id ?? "", { at: T0 + HOUR, user: "ben", reason: null });
      const end = { outcome: "cancelled", error: null, output: null, retryAt: null } as const;
      assert.equal((await finishOne(store, second ?? assert.fail(), T0 + HOUR, { end })).trigger?.endedBy, "ben");
      assert.equal((await finishOne(store, first ?? assert.fail(), T0 + HOUR)).trigger?.endedBy, null);
      const kept = await store.trigger(first?.triggerId ?? "");
      assert.deepEqual([kept?.catchup, kept?.endedBy], [catchup, null]);
      assert.equal((await store.trigger(await opened(store, T0 + HOUR, T0 + HOUR)))?.endedBy, "ana");
      assert.deepEqual(
        (await store.retire("a", { at: T0 + HOUR, user: "cem", reason: null }))?.map(({ endedBy }) => endedBy),
        ["cem"],
      );
    },
  ],
];
