import assert from "node:assert/strict";
import type { Store } from "../../ports/store.js";
import {
  type Case,
  claim,
  decideAll,
  finishOne,
  firing,
  MINUTE,
  nextId,
  pruneAll,
  registration,
  request,
  startAll,
  T0,
} from "./fixtures.js";

/** Triggers that end a millisecond after each other, from an instant on. */
async function skipped(store: Store, pipelineId: string, count: number, from: number): Promise<string[]> {
  await store.enqueue(
    Array.from({ length: count }, () => request(pipelineId)),
    from,
  );
  const { triggers } = await claim(store, from, { canRun: (id) => id === pipelineId });
  for (const [index, trigger] of triggers.entries()) await decideAll(store, [trigger], "skip", from + index);
  return triggers.map(({ id }) => id);
}

/** A fire time that is dropped. */
async function dropped(store: Store, pipelineId: string, at: number): Promise<void> {
  const one = { id: nextId(), pipelineId, triggerId: null, kind: "scheduled" as const, scheduledFor: at, at, findings: [] };
  const decision = { ...one, outcome: "skip" as const, reason: "missed", missed: { count: 1, lastAt: at } };
  await store.fire([firing(pipelineId, at, { triggers: [], dropped: [decision] })], at);
}

const kept = async (store: Store, pipelineId: string) =>
  (await store.listTriggers({ pipelineId, limit: 1_000 })).map(({ id }) => id).toSorted();
const decisionsOf = async (store: Store, pipelineId: string) => (await store.listDecisions({ pipelineId, limit: 1_000 })).length;

/** Cases of forgetting, and of never forgetting. A store may keep records that ended less than a minute ago. */
export const RETENTION: readonly Case[] = [
  [
    "forgets what has ended beyond its retention, and nothing else",
    async (store) => {
      await store.register([registration("a", { maxActiveRuns: 50 })], T0);
      const ended = await skipped(store, "a", 5, T0);
      const [waiting] = await store.enqueue([request("a")], T0);
      await pruneAll(store, T0 + 2 * MINUTE);
      assert.deepEqual(await kept(store, "a"), [...ended.slice(3), waiting?.trigger.id]);
      assert.equal(await decisionsOf(store, "a"), 2);
      await pruneAll(store, T0 + 61 * MINUTE);
      assert.deepEqual(await kept(store, "a"), [waiting?.trigger.id]);
      assert.equal(await decisionsOf(store, "a"), 0);
    },
    { count: 2, maxAge: "1h" },
  ],
  [
    "keeps whatever waits or runs, however old, with its decisions",
    async (store) => {
      await store.register([registration("a", { maxActiveRuns: 50 })], T0);
      await store.enqueue([request("a"), request("a")], T0);
      const { triggers } = await claim(store, T0);
      await decideAll(store, triggers.slice(0, 1), "hold", T0);
      const [running] = await decideAll(store, triggers.slice(1), "run", T0);
      await skipped(store, "a", 3, T0 + 1_000);
      await pruneAll(store, T0 + 600 * MINUTE);
      assert.deepEqual(await kept(store, "a"), triggers.map(({ id }) => id).toSorted());
      assert.equal(await decisionsOf(store, "a"), 2);
      const run = running?.run ?? assert.fail("it does not run");
      assert.equal((await finishOne(store, run, T0 + 600 * MINUTE)).isAccepted, true);
      await pruneAll(store, T0 + 602 * MINUTE);
      assert.equal(await store.run(run.id), null);
      assert.deepEqual(await kept(store, "a"), [triggers[0]?.id]);
    },
    { count: 0, maxAge: "1h" },
  ],
  [
    "lets no pipeline take another one's room: beyond the count, the one that has most loses its oldest",
    async (store) => {
      await store.register([registration("rare", { maxActiveRuns: 50 }), registration("often", { maxActiveRuns: 50 })], T0);
      const rare = await skipped(store, "rare", 3, T0);
      const often = await skipped(store, "often", 30, T0 + MINUTE);
      await pruneAll(store, T0 + 3 * MINUTE, 7);
      assert.deepEqual(await kept(store, "rare"), rare);
      assert.deepEqual(await kept(store, "often"), often.slice(23));
      const more = await skipped(store, "rare", 20, T0 + 4 * MINUTE);
      await pruneAll(store, T0 + 7 * MINUTE);
      assert.deepEqual(await kept(store, "rare"), more.slice(-5));
      assert.deepEqual(await kept(store, "often"), often.slice(25));
    },
    { count: 10, maxAge: "1d" },
  ],
  [
    "keeps no more of a pipeline than countPerPipeline, dropped fire times included",
    async (store) => {
      await store.register([registration("a", { maxActiveRuns: 50 }), registration("b", { maxActiveRuns: 50 })], T0);
      for (const at of [T0 + MINUTE, T0 + 2 * MINUTE, T0 + 3 * MINUTE]) await dropped(store, "a", at);
      const a = await skipped(store, "a", 3, T0 + 4 * MINUTE);
      const b = await skipped(store, "b", 6, T0 + 4 * MINUTE);
      await pruneAll(store, T0 + 10 * MINUTE);
      assert.deepEqual(await kept(store, "a"), a);
      const drops = await store.dropsOfFireTimes({ pipelineId: "a", from: T0, until: T0 + 10 * MINUTE, limit: 10 });
      assert.deepEqual(
        drops.map(({ scheduledFor }) => scheduledFor),
        [T0 + 3 * MINUTE],
      );
      assert.deepEqual(await kept(store, "b"), b.slice(2));
      await pruneAll(store, T0 + 24 * 60 * MINUTE + 4 * MINUTE);
      assert.equal(await decisionsOf(store, "a"), 3);
      await pruneAll(store, T0 + 25 * 60 * MINUTE);
      assert.equal((await decisionsOf(store, "a")) + (await decisionsOf(store, "b")), 0);
    },
    { count: 1_000, countPerPipeline: 4, maxAge: "1d" },
  ],
  [
    "goes on forgetting when a clock that was ahead was set back",
    async (store) => {
      await store.register([registration("a", { maxActiveRuns: 50 })], T0);
      await skipped(store, "a", 5, T0 + 600 * MINUTE);
      await pruneAll(store, T0 + 602 * MINUTE);
      assert.equal((await kept(store, "a")).length, 2);
      await skipped(store, "a", 5, T0);
      await pruneAll(store, T0 + 2 * MINUTE);
      assert.equal((await kept(store, "a")).length >= 2, true);
      await pruneAll(store, T0 + 602 * MINUTE);
      assert.equal((await kept(store, "a")).length, 2);
    },
    { count: 2, maxAge: "30d" },
  ],
  [
    "does little at a time, as much as it is asked to",
    async (store) => {
      await store.register([registration("a", { maxActiveRuns: 50 })], T0);
      for (let n = 0; n < 25; n++) await store.enqueue([request("a")], T0);
      for (const run of await startAll(store, T0)) await finishOne(store, run, T0 + 1);
      let [removed, isDone] = [0, false];
      while (!isDone) {
        const step = await store.prune(T0 + 61 * MINUTE, { limit: 10 });
        assert.ok(step.removed <= 10);
        removed += step.removed;
        isDone = step.isDone;
      }
      assert.equal(removed, 25);
      assert.deepEqual(await store.listRuns({ limit: 100 }), []);
      assert.deepEqual(await store.prune(T0 + 61 * MINUTE), { removed: 0, isDone: true });
    },
    { count: 1_000, maxAge: "1h" },
  ],
];
