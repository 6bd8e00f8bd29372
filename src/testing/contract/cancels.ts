import assert from "node:assert/strict";
import type { Store } from "../../ports/store.js";
import type { AttemptOutcome, RunRecord } from "../../run/run.js";
import { type Case, claim, decideAll, finishOne, MINUTE, registration, request, startAll, T0 } from "./fixtures.js";

const STOP = { at: T0 + 10, user: "ana", reason: "wrong data" };
const ERROR = { message: "down", code: "E_DOWN" };

async function started(store: Store): Promise<RunRecord> {
  await store.register([registration("a")], T0);
  await store.enqueue([request("a")], T0);
  const [run] = await startAll(store, T0);
  assert.ok(run);
  return run;
}

/** A run whose end was requested ends with its attempt, however that ends. */
function endsWith(outcome: Exclude<AttemptOutcome, "succeeded" | "cancelled">, retryAt: number | null): Case {
  return [
    `ends a run as cancelled when it was to be cancelled and its attempt is ${outcome}${retryAt === null ? "" : ", and tries it no more"}`,
    async (store) => {
      const run = await started(store);
      const requested = await store.cancelRun(run.id, STOP);
      assert.deepEqual([requested?.run.status, requested?.run.cancelRequest], ["running", STOP]);
      const end = { outcome, error: ERROR, output: null, retryAt };
      const later = T0 + MINUTE;
      const result = await finishOne(store, run, later, { end, onlyIfExpired: outcome === "lost" });
      assert.equal(result.isAccepted, true);
      assert.deepEqual(
        [result.run?.status, result.run?.retryAt, result.run?.endedAt, result.run?.error, result.run?.cancelRequest],
        ["cancelled", null, later, ERROR, STOP],
      );
      assert.deepEqual(
        result.run?.attempts.map((one) => [one.attempt, one.outcome, one.error, one.endedAt]),
        [[1, outcome, ERROR, later]],
      );
      assert.deepEqual([result.trigger?.status, result.trigger?.endReason, result.trigger?.endedAt], ["cancelled", STOP.reason, later]);
      assert.deepEqual(await store.run(run.id), result.run);
      if (outcome !== "lost") {
        const again = await finishOne(store, run, later + 1, { end, isRepeated: true });
        assert.deepEqual([again.isAccepted, again.run?.status, again.run?.endedAt], [true, "cancelled", later], "sent again");
      }
      const [state] = await store.states(["a"]);
      assert.equal(state?.activeRuns, 0, "its slot is free");
      assert.deepEqual((await claim(store, T0 + 9 * MINUTE)).attempts, []);
    },
  ];
}

/** Cancels that were accepted. */
export const CANCELS: readonly Case[] = [
  [
    "leaves a run that has ended as it is when somebody wants it ended, and says how it ended",
    async (store) => {
      const run = await started(store);
      const done = await finishOne(store, run, T0 + 5);
      const answer = await store.cancelRun(run.id, STOP);
      assert.deepEqual([answer?.run, answer?.trigger], [done.run, done.trigger]);
      assert.deepEqual([answer?.run.status, answer?.trigger?.status, answer?.run.cancelRequest], ["succeeded", "succeeded", null]);
    },
  ],
  endsWith("failed", T0 + 5 * MINUTE),
  endsWith("timed_out", T0 + 5 * MINUTE),
  endsWith("lost", T0 + 5 * MINUTE),
  endsWith("failed", null),
  endsWith("lost", null),
  [
    "records a success although the run was to be cancelled: its work is done",
    async (store) => {
      const run = await started(store);
      await store.cancelRun(run.id, STOP);
      const { run: ended, trigger } = await finishOne(store, run, T0 + MINUTE);
      assert.deepEqual([ended?.status, ended?.attempts, trigger?.status], ["succeeded", [], "succeeded"]);
    },
  ],
  [
    "recognises a failure that was recorded before the run was cancelled between attempts",
    async (store) => {
      const run = await started(store);
      const end = { outcome: "failed" as const, error: ERROR, output: null, retryAt: T0 + 5 * MINUTE };
      await finishOne(store, run, T0 + 5, { end });
      const cancelled = await store.cancelRun(run.id, STOP);
      assert.deepEqual([cancelled?.run.status, cancelled?.run.endedAt], ["cancelled", STOP.at]);
      const again = await finishOne(store, run, T0 + MINUTE, { end, isRepeated: true });
      assert.deepEqual([again.isAccepted, again.run?.status], [true, "cancelled"]);
      const other = await finishOne(store, run, T0 + MINUTE, { end: { ...end, outcome: "timed_out" }, isRepeated: true });
      assert.equal(other.isAccepted, false);
    },
  ],
  [
    "cancels a trigger between its claim and its decision, which then starts nothing",
    async (store) => {
      await store.register([registration("a")], T0);
      await store.enqueue([request("a"), request("a")], T0);
      const { triggers } = await claim(store, T0);
      const [claimed] = triggers;
      const ended = await store.endTrigger(claimed?.id ?? "", "cancelled", STOP);
      assert.deepEqual([ended?.trigger.status, ended?.run], ["cancelled", null]);
      const [late] = await decideAll(store, triggers, "run", T0 + 20);
      assert.deepEqual([late?.isAccepted, late?.trigger?.status, late?.run], [false, "cancelled", null]);
      assert.deepEqual(await store.listRuns({ limit: 9 }), []);
      assert.equal((await claim(store, T0 + 20)).triggers.length, 1, "its slot is free");
    },
  ],
  [
    "keeps the first request to cancel, and passes it to the node that takes the run over",
    async (store) => {
      const run = await started(store);
      await store.cancelRun(run.id, STOP);
      const again = await store.cancelRun(run.id, { at: T0 + 20, user: "ben", reason: null });
      assert.deepEqual(again?.run.cancelRequest, STOP);
      const [beat] = await store.heartbeat([{ runId: run.id, token: run.token }], T0 + MINUTE, T0 + 20);
      assert.deepEqual(beat?.cancelRequest, STOP);
      const adopted = await store.adopt(run.id, run.token, "node-2", T0 + 3 * MINUTE, T0 + 2 * MINUTE);
      assert.deepEqual([adopted?.node, adopted?.cancelRequest], ["node-2", STOP]);
    },
  ],
];
