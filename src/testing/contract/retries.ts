import assert from "node:assert/strict";
import type { Store } from "../../ports/store.js";
import type { RunRecord } from "../../run/run.js";
import { type Case, claim, MINUTE, registration, request, startAll, T0 } from "./fixtures.js";

const PAUSE = { at: T0, until: null, reason: null, user: null };
/** More than any claim reads at once. */
const MANY = 600;
const AT_ONCE = 100;

/** Attempts that are due again. */
export const RETRIES: readonly Case[] = [
  [
    "hands out retries behind those that a pause, a full pool or another node's pipeline keeps back, however many",
    async (store) => {
      const kept = { maxActiveRuns: MANY };
      await store.register(
        [
          registration("paused", kept),
          registration("pooled", { ...kept, pool: "db" }),
          registration("foreign", kept),
          registration("free", kept),
        ],
        T0,
      );
      for (const id of ["paused", "pooled", "foreign"]) await retrying(store, id, MANY, T0 + MINUTE);
      const [last] = await retrying(store, "free", 1, T0 + 2 * MINUTE);
      await store.pause([{ pipelineId: "paused", pause: PAUSE }]);
      const now = T0 + 3 * MINUTE;
      const limits = { pools: new Map([["db", 2]]), canRun: (id: string) => id !== "foreign" };
      const { attempts } = await claim(store, now, { ...limits, limit: 10 });
      assert.deepEqual([...counted(attempts)], [["pooled", 2], ["free", 1]]); // biome-ignore format: one line
      assert.equal(attempts.at(-1)?.run.id, last?.id);
      assert.equal((await claim(store, now, limits)).attempts.length, 0);
      await store.resume([{ pipelineId: "paused" }], now);
      const found: RunRecord[] = [];
      for (let isPartial = true; isPartial; ) {
        const more = await claim(store, now, { ...limits, limit: 250 });
        found.push(...more.attempts.map(({ run }) => run));
        isPartial = more.attempts.length > 0 || more.isPartial === true;
      }
      assert.deepEqual([...counted(found.map((run) => ({ run })))], [["paused", MANY]]);
      assert.ok(
        found.every((run, index) => index === 0 || (found[index - 1] as RunRecord).id < run.id),
        "of one instant, by id",
      );
    },
  ],
  [
    "hands out, while everything is paused, the retries of forced runs alone, wherever they stand",
    async (store) => {
      await store.register([registration("a", { maxActiveRuns: MANY })], T0);
      await retrying(store, "a", 60, T0 + MINUTE);
      const [forced] = await retrying(store, "a", 1, T0 + 2 * MINUTE, { isForced: true });
      await store.pause([{ pipelineId: null, pause: PAUSE }]);
      const { attempts } = await claim(store, T0 + 3 * MINUTE, { limit: 10 });
      assert.deepEqual(
        attempts.map(({ run }) => run.id),
        [forced?.id],
      );
    },
  ],
  [
    "makes the next attempt of a run between two attempts due now, and leaves any other run as it is",
    async (store) => {
      await store.register([registration("a"), registration("b")], T0);
      const [run] = await retrying(store, "a", 1, T0 + 60 * MINUTE);
      const id = run?.id ?? "";
      await store.enqueue([request("b")], T0);
      const [other] = await startAll(store, T0);
      assert.equal(await store.nextDueAt(T0 + MINUTE), T0 + 60 * MINUTE);
      const due = await store.retryRun(id, T0 + MINUTE);
      assert.deepEqual([due?.status, due?.retryAt, due?.attempt], ["retrying", T0 + MINUTE, 1]);
      assert.equal((await store.retryRun(id, T0 + 2 * MINUTE))?.retryAt, T0 + MINUTE, "it is due already");
      assert.deepEqual(await store.retryRun(other?.id ?? "", T0 + MINUTE), other, "one that runs");
      assert.equal(await store.retryRun("nothing", T0), null);
      const { attempts } = await claim(store, T0 + 2 * MINUTE);
      assert.deepEqual(
        attempts.map(({ run: { id: own, attempt } }) => [own, attempt]),
        [[id, 2]],
      );
      assert.equal((await store.retryRun(id, T0 + 3 * MINUTE))?.retryAt, null);
    },
  ],
];

/** Runs whose first attempt has failed. */
async function retrying(store: Store, id: string, count: number, retryAt: number, rest = {}): Promise<readonly RunRecord[]> {
  const runs: RunRecord[] = [];
  const end = { outcome: "failed", error: { message: "down", code: null }, output: null, retryAt } as const;
  for (let left = count; left > 0; left -= AT_ONCE) {
    const some = Math.min(left, AT_ONCE);
    await store.enqueue(
      Array.from({ length: some }, () => request(id, rest)),
      T0,
    );
    const started = await startAll(store, T0, { limit: some, pools: new Map([["db", count]]), globalLimit: null });
    assert.equal(started.length, some);
    const ends = started.map((run) => ({ runId: run.id, token: run.token, end, follow: [], onlyIfExpired: false }));
    await store.finish(ends, () => T0);
    runs.push(...started);
  }
  return runs;
}

function counted(attempts: readonly { readonly run: RunRecord }[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { run } of attempts) counts.set(run.pipelineId, (counts.get(run.pipelineId) ?? 0) + 1);
  return counts;
}
