import assert from "node:assert/strict";
import type { Claim, DecideRequest, Store } from "../../ports/store.js";
import { REPLACED } from "../../trigger/overlap.js";
import type { TriggerRecord } from "../../trigger/trigger.js";
import { type Case, claim, deciding, finishOne, firing, MINUTE, registration, request, startAll, T0 } from "./fixtures.js";

/** Fire times of a pipeline, one a minute from the given one on, made by one fire. */
async function fireAll(store: Store, pipelineId: string, from: number, count: number, now: number): Promise<readonly TriggerRecord[]> {
  const at = Array.from({ length: count }, (_, index) => T0 + (from + index) * MINUTE);
  const [result] = await store.fire(
    [
      firing(pipelineId, at[0] ?? T0, {
        nextFireAt: T0 + (from + count) * MINUTE,
        lastFireAt: at.at(-1) ?? null,
        triggers: at.map((scheduledFor) => request(pipelineId, { kind: "scheduled", scheduledFor })),
      }),
    ],
    now,
  );
  assert.equal(result?.outcome, "fired");
  return result.triggers;
}

/** Decides at once: what overlaps is skipped, everything else runs. */
const atOnce = (trigger: TriggerRecord, isOverlapping: boolean, now: number): DecideRequest =>
  deciding(trigger, isOverlapping ? "skip" : "run", now);

function startedBy({ decided }: Claim): readonly string[] {
  return decided.flatMap(({ request: { run }, result: { trigger } }) => (run === null || trigger === null ? [] : [trigger.id]));
}

const ids = (records: readonly { readonly id: string }[]) => records.map(({ id }) => id);
const DOWN = { outcome: "failed" as const, error: { message: "down", code: null }, output: null };

/** Overlap policies, which take effect in the claim that fills the slots. */
export const OVERLAPPING: readonly Case[] = [
  [
    "skip: of several fire times that are ready the oldest runs, and the others are skipped in the same claim",
    async (store) => {
      await store.register([registration("a", { overlap: "skip", maxActiveRuns: 2 })], T0);
      const fired = await fireAll(store, "a", 1, 4, T0 + 9 * MINUTE);
      const [asked] = await store.enqueue([request("a")], T0 + 9 * MINUTE);
      const made = await claim(store, T0 + 9 * MINUTE, { judge: atOnce });
      assert.deepEqual(startedBy(made), ids(fired.slice(0, 2)));
      const statuses = await Promise.all(fired.map(async ({ id }) => (await store.trigger(id))?.status));
      assert.deepEqual(statuses, ["running", "running", "skipped", "skipped"]);
      assert.equal((await store.trigger(asked?.trigger.id ?? ""))?.status, "pending", "what somebody requested queues");
    },
  ],
  [
    "skip: fire times wait for the decision on the one that may take the slot",
    async (store) => {
      await store.register([registration("a", { overlap: "skip" })], T0);
      const fired = await fireAll(store, "a", 1, 3, T0 + 9 * MINUTE);
      const first = await claim(store, T0 + 9 * MINUTE);
      assert.deepEqual([ids(first.triggers), first.overlapping], [ids(fired.slice(0, 1)), []]);
      await store.decide([deciding(first.triggers[0] as TriggerRecord, "hold", T0 + 9 * MINUTE)], () => T0 + 9 * MINUTE);
      const second = await claim(store, T0 + 9 * MINUTE, { judge: atOnce });
      assert.deepEqual(startedBy(second), [fired[1]?.id]);
      assert.deepEqual((await store.trigger(fired[2]?.id ?? ""))?.status, "skipped");
    },
  ],
  [
    "cancel_running: of several fire times that are ready the newest starts at once, and the older are superseded by it",
    async (store) => {
      await store.register([registration("a", { overlap: "cancel_running" })], T0);
      const fired = await fireAll(store, "a", 1, 3, T0 + 9 * MINUTE);
      const newest = fired[2]?.id;
      const made = await claim(store, T0 + 9 * MINUTE, { judge: atOnce });
      assert.deepEqual(startedBy(made), [newest]);
      assert.deepEqual(
        made.superseded.map(({ id, status, supersededBy, endReason, endedAt }) => [id, status, supersededBy, endReason, endedAt]),
        fired.slice(0, 2).map(({ id }) => [id, "superseded", newest, REPLACED, T0 + 9 * MINUTE]),
      );
      assert.deepEqual([made.cancelled, made.ended], [[], []]);
      assert.equal((await store.trigger(fired[0]?.id ?? ""))?.supersededBy, newest);
    },
  ],
  [
    "cancel_running: asks the run of an older fire time to end, once, and starts when it has",
    async (store) => {
      await store.register([registration("a", { overlap: "cancel_running" })], T0);
      await fireAll(store, "a", 1, 1, T0 + MINUTE);
      const [run] = await startAll(store, T0 + MINUTE);
      const [newer] = await fireAll(store, "a", 2, 1, T0 + 2 * MINUTE);
      const made = await claim(store, T0 + 2 * MINUTE, { judge: atOnce });
      assert.deepEqual([ids(made.cancelled), made.decided, made.ended], [[run?.id], [], []]);
      assert.equal(made.cancelled[0]?.cancelRequest?.at, T0 + 2 * MINUTE);
      assert.deepEqual((await claim(store, T0 + 2 * MINUTE, { judge: atOnce })).cancelled, []);
      const end = { outcome: "cancelled" as const, error: null, output: null, retryAt: null };
      await finishOne(store, run ?? assert.fail(), T0 + 2 * MINUTE + 1, { end });
      assert.deepEqual(startedBy(await claim(store, T0 + 2 * MINUTE + 1, { judge: atOnce })), [newer?.id]);
    },
  ],
  [
    "cancel_running: ends a run between two attempts at once, also one whose next attempt is due, and starts the newer fire time",
    async (store) => {
      await store.register([registration("a", { overlap: "cancel_running" }), registration("b", { overlap: "cancel_running" })], T0);
      await store.fire([firing("a", T0 + MINUTE), firing("b", T0 + MINUTE)], T0 + MINUTE);
      const runs = await startAll(store, T0 + MINUTE);
      for (const run of runs) {
        const retryAt = run.pipelineId === "a" ? T0 + 2 * MINUTE : T0 + 9 * MINUTE;
        await finishOne(store, run, T0 + MINUTE + 5, { end: { ...DOWN, retryAt } });
      }
      await store.fire([firing("a", T0 + 2 * MINUTE), firing("b", T0 + 2 * MINUTE)], T0 + 2 * MINUTE);
      const made = await claim(store, T0 + 2 * MINUTE, { judge: atOnce });
      assert.deepEqual([startedBy(made).length, made.attempts, made.cancelled], [2, [], []]);
      assert.deepEqual(
        made.ended.map(({ run, trigger }) => [run.id, run.status, run.endedAt, run.attempts.length, trigger.status]).toSorted(),
        runs.map(({ id }) => [id, "cancelled", T0 + 2 * MINUTE, 1, "cancelled"]),
      );
      assert.deepEqual((await claim(store, T0 + 9 * MINUTE)).attempts, []);
    },
  ],
  [
    "cancel_running: supersedes an older fire time that is being decided on, whose decision then starts nothing",
    async (store) => {
      await store.register([registration("a", { overlap: "cancel_running" })], T0);
      await fireAll(store, "a", 1, 1, T0 + MINUTE);
      const lease = { claimLeaseMs: 9 * MINUTE };
      const { triggers } = await claim(store, T0 + MINUTE, lease);
      const [newer] = await fireAll(store, "a", 2, 1, T0 + 2 * MINUTE);
      const made = await claim(store, T0 + 2 * MINUTE, { ...lease, judge: atOnce });
      assert.deepEqual([ids(made.superseded), startedBy(made)], [ids(triggers), [newer?.id]]);
      for (const isKnown of [true, false]) {
        const late = deciding(triggers[0] as TriggerRecord, "run", T0 + 2 * MINUTE);
        const [refused] = await store.decide([isKnown ? { ...late, trigger: triggers[0] as TriggerRecord } : late], () => T0 + 2 * MINUTE);
        assert.deepEqual([refused?.isAccepted, refused?.trigger?.status, refused?.run], [false, "superseded", null]);
      }
      assert.equal((await store.states(["a"]))[0]?.activeRuns, 1);
    },
  ],
  [
    "cancel_running: an older fire time that is looked at again neither cancels a newer one nor waits for it",
    async (store) => {
      await store.register([registration("a", { overlap: "cancel_running" })], T0);
      await fireAll(store, "a", 1, 1, T0 + MINUTE);
      const { triggers } = await claim(store, T0 + MINUTE);
      await store.decide([deciding(triggers[0] as TriggerRecord, "hold", T0 + MINUTE)], () => T0 + MINUTE);
      const [newer] = await fireAll(store, "a", 2, 1, T0 + 90_000);
      assert.deepEqual(startedBy(await claim(store, T0 + 90_000, { judge: atOnce })), [newer?.id]);
      const made = await claim(store, T0 + 2 * MINUTE, { judge: atOnce });
      assert.deepEqual(
        made.superseded.map(({ id, supersededBy }) => [id, supersededBy]),
        [[triggers[0]?.id, newer?.id]],
      );
      assert.deepEqual([made.cancelled, made.decided], [[], []]);
    },
  ],
  [
    "cancel_running: goes by slots; a run that somebody requested before the fire time is cancelled, a later one is waited for",
    async (store) => {
      await store.register([registration("a", { overlap: "cancel_running", maxActiveRuns: 2 })], T0);
      await store.enqueue([request("a")], T0);
      const [early] = await startAll(store, T0);
      const [first] = await fireAll(store, "a", 1, 1, T0 + MINUTE);
      assert.deepEqual(startedBy(await claim(store, T0 + MINUTE, { judge: atOnce })), [first?.id], "there is a slot");
      await fireAll(store, "a", 2, 1, T0 + 2 * MINUTE);
      assert.deepEqual(ids((await claim(store, T0 + 2 * MINUTE, { judge: atOnce })).cancelled), [early?.id]);
      await store.register([registration("b", { overlap: "cancel_running" })], T0);
      await store.enqueue([request("b")], T0 + 90_000);
      const [late] = await startAll(store, T0 + 90_000, { canRun: (id) => id === "b" });
      const [older] = await fireAll(store, "b", 1, 1, T0 + 2 * MINUTE);
      const made = await claim(store, T0 + 2 * MINUTE, { canRun: (id) => id === "b", judge: atOnce });
      assert.deepEqual([made.cancelled, made.superseded, made.decided], [[], [], []]);
      await finishOne(store, late ?? assert.fail(), T0 + 3 * MINUTE);
      assert.deepEqual(startedBy(await claim(store, T0 + 3 * MINUTE, { canRun: (id) => id === "b", judge: atOnce })), [older?.id]);
    },
  ],
  [
    "neither skips, supersedes nor cancels while the pipeline or everything is paused, nor for a node that cannot run it",
    async (store) => {
      await store.register([registration("a", { overlap: "cancel_running" }), registration("b", { overlap: "skip" })], T0);
      for (const id of ["a", "b"]) await fireAll(store, id, 1, 1, T0 + MINUTE);
      assert.equal((await startAll(store, T0 + MINUTE)).length, 2);
      for (const id of ["a", "b"]) await fireAll(store, id, 2, 2, T0 + 3 * MINUTE);
      const quiet = async (rest: Parameters<typeof claim>[2], what: string) => {
        const made = await claim(store, T0 + 3 * MINUTE, { judge: atOnce, ...rest });
        assert.deepEqual([made.decided, made.overlapping, made.cancelled, made.ended, made.superseded], [[], [], [], [], []], what);
      };
      await quiet({ canRun: () => false }, "another node's pipelines");
      const pause = { at: T0 + 3 * MINUTE, until: null, reason: null, user: null };
      for (const whom of [null, "a", "b"]) await store.pause([{ pipelineId: whom, pause }]);
      await quiet({}, "everything paused");
      await store.resume([{ pipelineId: null }], T0 + 3 * MINUTE);
      await quiet({}, "both paused");
      for (const id of ["a", "b"]) await store.resume([{ pipelineId: id }], T0 + 3 * MINUTE);
      const made = await claim(store, T0 + 3 * MINUTE, { judge: atOnce });
      assert.deepEqual([made.cancelled.length, made.superseded.length, made.decided.length], [1, 1, 2]);
    },
  ],
];
