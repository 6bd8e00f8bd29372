import assert from "node:assert/strict";
import type { TriggerRecord } from "../../trigger/trigger.js";
import { type Case, firing, MINUTE, nextId, registration, request, T0 } from "./fixtures.js";

/** Registering, firing, accepting. */
export const FIRES: readonly Case[] = [
  [
    "registers once: the same again changes nothing, another schedule is planned again",
    async (store) => {
      const [first] = await store.register([registration("a")], T0);
      assert.deepEqual([first?.nextFireAt, first?.lastFireAt, first?.pause], [T0 + MINUTE, null, null]);
      await store.fire([firing("a", T0 + MINUTE)], T0 + MINUTE);
      const [again] = await store.register([registration("a", { nextFireAt: T0 + 9 * MINUTE })], T0 + 2 * MINUTE);
      assert.equal(again?.nextFireAt, T0 + 2 * MINUTE);
      const [other] = await store.register([registration("a", { scheduleKey: "other", nextFireAt: T0 + 7 * MINUTE })], T0 + 3 * MINUTE);
      assert.deepEqual([other?.nextFireAt, other?.lastFireAt], [T0 + 7 * MINUTE, T0 + MINUTE]);
      assert.deepEqual(await store.states(["nobody"]), [null]);
    },
  ],
  [
    "advances a schedule and makes its trigger in one step, once, however many try",
    async (store) => {
      await store.register([registration("a")], T0);
      const tries = await Promise.all(Array.from({ length: 8 }, () => store.fire([firing("a", T0 + MINUTE)], T0 + MINUTE)));
      const outcomes = tries.flat().map(({ outcome }) => outcome);
      assert.equal(outcomes.filter((outcome) => outcome === "fired").length, 1);
      assert.equal(outcomes.filter((outcome) => outcome === "moved").length, 7);
      assert.equal((await store.listTriggers({ limit: 100 })).length, 1);
      const [gone] = await store.fire([firing("nobody", T0)], T0);
      assert.equal(gone?.outcome, "gone");
      const [moved] = await store.fire([firing("a", T0 + 2 * MINUTE, { scheduleKey: "other" })], T0 + 2 * MINUTE);
      assert.equal(moved?.outcome, "moved");
    },
  ],
  [
    "queue_one replaces every scheduled trigger that waits, and nothing else",
    async (store) => {
      await store.register([registration("a")], T0);
      await store.enqueue([request("a")], T0);
      await store.fire([firing("a", T0 + MINUTE)], T0 + MINUTE);
      const [second] = await store.fire([firing("a", T0 + 2 * MINUTE)], T0 + 2 * MINUTE);
      assert.deepEqual(
        second?.superseded.map(({ scheduledFor, status, supersededBy }) => [scheduledFor, status, supersededBy]),
        [[T0 + MINUTE, "superseded", second?.triggers[0]?.id]],
      );
      assert.equal(second?.triggers[0]?.supersedes, second?.superseded[0]?.id);
      const both = [T0 + 3 * MINUTE, T0 + 4 * MINUTE].map((at) => request("a", { kind: "scheduled", scheduledFor: at }));
      const [third] = await store.fire([firing("a", T0 + 3 * MINUTE, { triggers: both, nextFireAt: T0 + 5 * MINUTE })], T0 + 4 * MINUTE);
      assert.deepEqual(
        third?.triggers.map(({ status }) => status),
        ["superseded", "pending"],
      );
      const waiting = await store.listTriggers({ statuses: ["pending"], limit: 10 });
      assert.deepEqual(
        waiting.map(({ kind }) => kind),
        ["scheduled", "manual"],
      );
    },
  ],
  [
    "never makes a fire time twice, whatever a clock did",
    async (store) => {
      await store.register([registration("a", { overlap: "queue" })], T0);
      await store.fire([firing("a", T0 + MINUTE)], T0 + MINUTE);
      const [back] = await store.fire([firing("a", T0 + 2 * MINUTE, { nextFireAt: T0 + MINUTE, lastFireAt: T0, triggers: [] })], T0);
      assert.equal(back?.state?.nextFireAt, T0 + MINUTE);
      const [again] = await store.fire([firing("a", T0 + MINUTE)], T0 + MINUTE);
      assert.deepEqual([again?.outcome, again?.triggers.length], ["fired", 0]);
      assert.equal((await store.listTriggers({ limit: 10 })).length, 1);
    },
  ],
  [
    "accepts a key once, however many try at once",
    async (store) => {
      await store.register([registration("a"), registration("b")], T0);
      const tries = await Promise.all(
        Array.from({ length: 10 }, () => store.enqueue([request("a", { key: "k", parameters: { n: 1 } })], T0)),
      );
      const answers = tries.flat();
      assert.equal(answers.filter(({ isNew }) => isNew).length, 1);
      assert.equal(new Set(answers.map(({ trigger }) => trigger.id)).size, 1);
      const [other] = await store.enqueue([request("b", { key: "k" })], T0);
      assert.equal(other?.isNew, true);
      const [first, second] = await store.enqueue([request("a", { key: "twice" }), request("a", { key: "twice" })], T0);
      assert.deepEqual([first?.isNew, second?.isNew, second?.trigger.id], [true, false, first?.trigger.id]);
      await assert.rejects(store.enqueue([request("nobody")], T0), { code: "UNKNOWN_PIPELINE" });
    },
  ],
  [
    "keeps every field, whatever is in it",
    async (store) => {
      await store.register([registration("a")], T0);
      const odd = { text: "é 漢字 🚦 \u0000 ' \" \\ \n", list: [1.5, -0, null, true], deep: { a: { b: [] } } };
      const [one] = await store.enqueue(
        [
          request("a", {
            kind: "webhook",
            priority: "high",
            reason: 'it\'s "so" \\',
            user: "ana\n",
            key: "k'1",
            parameters: odd,
            notBefore: T0 + 5,
          }),
        ],
        T0,
      );
      const kept = (await store.trigger(one?.trigger.id ?? "")) as TriggerRecord;
      const { uniqueKey: _, ...plain } = { uniqueKey: null, ...kept };
      assert.deepEqual(
        { ...plain, parameters: JSON.stringify(plain.parameters).replaceAll("\\u0000", "\uFFFD") },
        {
          ...plain,
          reason: 'it\'s "so" \\',
          user: "ana\n",
          key: "k'1",
          availableAt: T0 + 5,
          parameters: JSON.stringify(odd).replaceAll("\\u0000", "\uFFFD"),
        },
      );
      assert.equal(await store.trigger("nothing"), null);
      assert.equal(await store.run("nothing"), null);
    },
  ],
  [
    "retires a pipeline on all nodes, and registering it brings it back",
    async (store) => {
      await store.register([registration("a")], T0);
      await store.enqueue([request("a"), request("a")], T0);
      const cancelled = await store.retire("a", { at: T0, user: "ana", reason: null });
      assert.deepEqual(
        cancelled?.map(({ status }) => status),
        ["cancelled", "cancelled"],
      );
      const [refused] = await store.fire([firing("a", T0 + MINUTE)], T0 + MINUTE);
      assert.equal(refused?.outcome, "moved");
      assert.equal(await store.retire("nobody", { at: T0, user: null, reason: null }), null);
      const [back] = await store.register([registration("a", { nextFireAt: T0 + 5 * MINUTE })], T0 + 4 * MINUTE);
      assert.equal(back?.nextFireAt, T0 + 5 * MINUTE);
    },
  ],
  [
    "records fire times that were dropped",
    async (store) => {
      await store.register([registration("a")], T0);
      const dropped = {
        id: nextId(),
        pipelineId: "a",
        triggerId: null,
        kind: "scheduled" as const,
        scheduledFor: T0,
        at: T0 + MINUTE,
        outcome: "skip" as const,
      };
      const whole = { ...dropped, reason: "missed", findings: [], missed: { count: 3, lastAt: T0 + 2 } };
      await store.fire([firing("a", T0 + MINUTE, { triggers: [], dropped: [whole] })], T0 + MINUTE);
      assert.deepEqual(await store.listDecisions({ limit: 5 }), [whole]);
    },
  ],
  [
    "copies what it receives and returns: what a caller does to them changes nothing",
    async (store) => {
      await store.register([registration("a")], T0);
      const bulk = await store.enqueue(
        Array.from({ length: 1_200 }, () => request("a")),
        T0,
      );
      assert.equal(bulk.length, 1_200);
      assert.deepEqual(await store.enqueue([], T0), []);
      assert.deepEqual(await store.fire([], T0), []);
      assert.deepEqual(await store.decide([], () => T0), []);
      assert.deepEqual(await store.finish([], () => T0), []);
      assert.deepEqual(await store.heartbeat([], T0, T0), []);
      assert.deepEqual(await store.register([], T0), []);
      assert.deepEqual(await store.prune(T0), { removed: 0, isDone: true });
      const server = await store.serverTime();
      assert.ok(server === null || server > T0);
    },
  ],
];
