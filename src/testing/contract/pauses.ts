import assert from "node:assert/strict";
import { type Case, firing, MINUTE, nextId, registration, T0 } from "./fixtures.js";

const ANA = { until: null, reason: "moving", user: "ana" };
const BEN = { until: null, reason: null, user: "ben" };

/** Pauses that have ended, as long as they cover fire times that are not decided on. */
export const PAUSES: readonly Case[] = [
  [
    "names the pipelines that are paused, whether or not their pause has run out",
    async (store) => {
      await store.register([registration("a"), registration("b"), registration("c")], T0);
      assert.deepEqual(await store.pausedPipelines(), []);
      await store.pause([{ pipelineId: "a", pause: { ...ANA, at: T0 } }]);
      await store.pause([{ pipelineId: "b", pause: { ...BEN, at: T0, until: T0 + MINUTE } }]);
      await store.pause([{ pipelineId: null, pause: { ...ANA, at: T0 } }]);
      assert.deepEqual((await store.pausedPipelines()).toSorted(), ["a", "b"]);
      await store.resume([{ pipelineId: "a" }], T0 + 2 * MINUTE);
      assert.deepEqual(await store.pausedPipelines(), ["b"]);
    },
  ],
  [
    "pauses and resumes several pipelines, and everything, all or none",
    async (store) => {
      await store.register([registration("a"), registration("b"), registration("c")], T0);
      const ana = { ...ANA, at: T0 };
      const ben = { ...BEN, at: T0 };
      await assert.rejects(
        store.pause([
          { pipelineId: "a", pause: ana },
          { pipelineId: null, pause: ana },
          { pipelineId: "nobody", pause: ana },
        ]),
        {
          code: "UNKNOWN_PIPELINE",
        },
      );
      assert.deepEqual([await store.pausedPipelines(), (await store.globalPause()).pause], [[], null], "nothing was done");
      await store.pause([
        { pipelineId: "a", pause: ana },
        { pipelineId: "b", pause: ben },
        { pipelineId: null, pause: ben },
      ]);
      const pauses = async () => (await store.states(["a", "b", "c"])).map((state) => state?.pause);
      assert.deepEqual([await pauses(), (await store.globalPause()).pause], [[ana, ben, null], ben]);
      await assert.rejects(store.resume([{ pipelineId: "a" }, { pipelineId: "nobody" }], T0 + MINUTE), { code: "UNKNOWN_PIPELINE" });
      assert.deepEqual(await pauses(), [ana, ben, null]);
      assert.deepEqual(await store.resume([{ pipelineId: "b" }, { pipelineId: "c" }, { pipelineId: null }], T0 + MINUTE), [ben, null, ben]);
      assert.deepEqual([await pauses(), (await store.globalPause()).pause], [[ana, null, null], null]);
      await store.pause([]);
      assert.deepEqual(await store.resume([], T0), []);
    },
  ],
  [
    "keeps every pause that covers a fire time that is not decided on, and forgets it with the next one after that",
    async (store) => {
      await store.register([registration("a"), registration("b", { nextFireAt: null })], T0);
      for (const [from, to, pause] of [
        [0, 2, ANA],
        [3, 5, BEN],
      ] as const) {
        await store.pause([{ pipelineId: "a", pause: { ...pause, at: T0 + from * MINUTE } }]);
        await store.pause([{ pipelineId: null, pause: { ...pause, at: T0 + from * MINUTE } }]);
        await store.pause([{ pipelineId: "b", pause: { ...pause, at: T0 + from * MINUTE } }]);
        for (const whom of ["a", "b", null]) await store.resume([{ pipelineId: whom }], T0 + to * MINUTE);
      }
      const spans = [
        { from: T0, until: T0 + 2 * MINUTE, reason: "moving", user: "ana" },
        { from: T0 + 3 * MINUTE, until: T0 + 5 * MINUTE, reason: null, user: "ben" },
      ];
      const [a, b] = await store.states(["a", "b"]);
      assert.deepEqual(a?.endedPauses, spans);
      assert.deepEqual(b?.endedPauses, spans.slice(1), "a pipeline that has no fire time keeps the last one");
      assert.deepEqual(await store.globalPause(), { pause: null, endedPauses: spans });
      const [fired] = await store.fire([firing("a", T0 + MINUTE, { nextFireAt: T0 + 4 * MINUTE })], T0 + 6 * MINUTE);
      assert.equal(fired?.outcome, "fired");
      await store.pause([{ pipelineId: "a", pause: { ...ANA, at: T0 + 6 * MINUTE } }]);
      await store.pause([{ pipelineId: null, pause: { ...ANA, at: T0 + 6 * MINUTE } }]);
      await store.resume([{ pipelineId: "a" }], T0 + 7 * MINUTE);
      await store.resume([{ pipelineId: null }], T0 + 7 * MINUTE);
      const left = [spans[1], { from: T0 + 6 * MINUTE, until: T0 + 7 * MINUTE, reason: "moving", user: "ana" }];
      assert.deepEqual((await store.states(["a"]))[0]?.endedPauses, left);
      assert.deepEqual((await store.globalPause()).endedPauses, left);
    },
  ],
  [
    "ends a pause that has run out when it was to end, and not later",
    async (store) => {
      await store.register([registration("a")], T0);
      const pause = { ...ANA, at: T0, until: T0 + 2 * MINUTE };
      for (const whom of ["a", null]) {
        await store.pause([{ pipelineId: whom, pause }]);
        assert.deepEqual(await store.resume([{ pipelineId: whom }], T0 + 9 * MINUTE), [pause]);
      }
      const ended = [{ from: T0, until: T0 + 2 * MINUTE, reason: "moving", user: "ana" }];
      assert.deepEqual((await store.states(["a"]))[0]?.endedPauses, ended);
      assert.deepEqual((await store.globalPause()).endedPauses, ended);
      await store.pause([{ pipelineId: "a", pause: { ...pause, at: T0 + 10 * MINUTE, until: T0 + 30 * MINUTE } }]);
      await store.resume([{ pipelineId: "a" }], T0 + 11 * MINUTE);
      assert.equal((await store.states(["a"]))[0]?.endedPauses[1]?.until, T0 + 11 * MINUTE, "one that somebody ends before");
    },
  ],
  [
    "keeps no more than 100 pauses, the newest",
    async (store) => {
      await store.register([registration("a")], T0);
      for (let n = 0; n < 103; n++) {
        await store.pause([{ pipelineId: "a", pause: { ...ANA, at: T0 + (2 * n + 1) * MINUTE } }]);
        await store.resume([{ pipelineId: "a" }], T0 + (2 * n + 2) * MINUTE);
      }
      const kept = (await store.states(["a"]))[0]?.endedPauses ?? [];
      assert.deepEqual([kept.length, kept[0]?.from, kept.at(-1)?.from], [100, T0 + 7 * MINUTE, T0 + 205 * MINUTE]);
    },
  ],
  [
    "keeps with a dropped fire time the pause that covered it",
    async (store) => {
      await store.register([registration("a")], T0);
      const pause = { at: T0, until: T0 + 2 * MINUTE, reason: "moving", user: "ana", isGlobal: true };
      const missed = { count: 1, lastAt: T0 + MINUTE, pause };
      const dropped = {
        id: nextId(),
        pipelineId: "a",
        triggerId: null,
        kind: "scheduled" as const,
        scheduledFor: T0 + MINUTE,
        at: T0 + 3 * MINUTE,
        outcome: "skip" as const,
        reason: "everything was paused",
        findings: [],
        missed,
      };
      await store.fire([firing("a", T0 + MINUTE, { triggers: [], dropped: [dropped] })], T0 + 3 * MINUTE);
      assert.deepEqual((await store.listDecisions({ pipelineId: "a", limit: 9 }))[0]?.missed, missed);
    },
  ],
];
