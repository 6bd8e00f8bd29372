import assert from "node:assert/strict";
import type { FinishRequest, Store } from "../../ports/store.js";
import type { RunRecord } from "../../run/run.js";
import type { TriggerRecord } from "../../trigger/trigger.js";
import { type Case, finishOne, MINUTE, registration, request, startAll, T0 } from "./fixtures.js";

type Started = Required<Pick<FinishRequest, "known">>["known"];

const FAILED = { outcome: "failed", error: { message: "down", code: "E_DOWN" }, output: null, retryAt: null } as const;
const WISH = { at: T0 + 1, user: "ana", reason: "wrong day" };

/** Ends of attempts that say what their node knows of the run: as good as those that do not. */
export const ENDS: readonly Case[] = [
  [
    "records the end of an attempt by what its node knows of the run, as it does by what it reads",
    async (store) => {
      await store.register([registration("a", { maxActiveRuns: 9 })], T0);
      for (const end of [
        { outcome: "succeeded", error: null, output: { rows: 3 }, retryAt: null, progress: { done: 1 } },
        FAILED,
        { ...FAILED, retryAt: T0 + MINUTE },
        { ...FAILED, outcome: "lost" },
      ] as const) {
        const [told, read] = [await started(store), await started(store)];
        const answers = await store.finish([endOf(told, { end, known: told }), endOf(read, { end })], () => T0 + 5);
        const [first, second] = await Promise.all([told, read].map((one, index) => kept(store, one, answers[index])));
        assert.deepEqual(first, second);
      }
      assert.equal((await store.states(["a"]))[0]?.lastSuccessAt, T0 + 5);
    },
  ],
  [
    "refuses such an end of another attempt, records it once, and heeds a wish to end the run that its node has not heard of",
    async (store) => {
      await store.register([registration("a", { maxActiveRuns: 9 })], T0);
      const [late, twice, unwanted, good] = [await started(store), await started(store), await started(store), await started(store)];
      await store.cancelRun(unwanted.run.id, WISH);
      await store.cancelRun(good.run.id, WISH);
      const success = { outcome: "succeeded", error: null, output: null, retryAt: null } as const;
      const answers = await store.finish(
        [
          endOf(late, { token: late.run.token + 1, known: { ...late, run: { ...late.run, token: late.run.token + 1 } } }),
          endOf(twice, { known: twice }),
          endOf(twice, { known: twice }),
          endOf(unwanted, { end: { ...FAILED, retryAt: T0 + MINUTE }, known: unwanted }),
          endOf(good, { end: success, known: good }),
        ],
        () => T0 + 5,
      );
      assert.deepEqual(
        answers.map(({ isAccepted, run }) => [isAccepted, run?.status]),
        [
          [false, "running"],
          [true, "succeeded"],
          [false, "succeeded"],
          [true, "cancelled"],
          [true, "succeeded"],
        ],
      );
      const run = await store.run(unwanted.run.id);
      assert.deepEqual([run?.status, run?.cancelRequest, run?.attempts.length], ["cancelled", WISH, 1]);
      assert.equal((await store.trigger(unwanted.trigger.id))?.status, "cancelled");
      assert.equal((await store.trigger(late.trigger.id))?.status, "running");
      assert.equal((await finishOne(store, twice.run, T0 + 6, { known: twice })).isAccepted, false);
    },
  ],
];

async function started(store: Store): Promise<Started> {
  await store.enqueue([request("a", { parameters: { day: 1 } })], T0);
  const [run] = await startAll(store, T0);
  assert.ok(run !== undefined);
  const trigger = await store.trigger(run.triggerId);
  assert.ok(trigger !== null);
  return { run, trigger };
}

function endOf({ run }: Started, rest: Partial<FinishRequest>): FinishRequest {
  const end = { outcome: "succeeded", error: null, output: null, retryAt: null } as const;
  return { runId: run.id, token: run.token, end, follow: [], onlyIfExpired: false, ...rest };
}

/** Returns the stored run and trigger and the response, without what differs between two runs. */
async function kept(store: Store, { run, trigger }: Started, answer: Awaited<ReturnType<Store["finish"]>>[number] | undefined) {
  const [known, its] = [await store.run(run.id), await store.trigger(trigger.id)];
  const same = (record: RunRecord | TriggerRecord | null | undefined) =>
    record && { ...record, id: "", triggerId: "", runId: "", order: 0, parameters: null, omitted: undefined };
  return { known: same(known), its: same(its), isAccepted: answer?.isAccepted, run: same(answer?.run), trigger: same(answer?.trigger) };
}
