import assert from "node:assert/strict";
import { HeadgateError } from "../../base/errors.js";
import type { Store } from "../../ports/store.js";
import type { QueueLimit, QueueLimits } from "../../trigger/queue-limits.js";
import type { NewTrigger } from "../../trigger/trigger.js";
import { type Case, claim, decideAll, finishOne, firing, MINUTE, pruneAll, registration, request, startAll, T0 } from "./fixtures.js";

const WIDE: QueueLimit = { count: 1_000, bytes: 1_000_000 };
const NONE: QueueLimit = { count: 0, bytes: 0 };
const limits = (some: Partial<QueueLimits>): QueueLimits => ({ pipeline: WIDE, token: WIDE, total: WIDE, reserved: NONE, ...some });

const LARGE = { text: "ü".repeat(2_000), list: [1, { two: null }] };
const LARGE_BYTES = Buffer.byteLength(JSON.stringify(LARGE));

/** Several triggers that share their parameters, as a backfill makes them. */
function sharing(pipelineId: string, count: number, rest: Partial<NewTrigger> = {}): NewTrigger[] {
  const size = Math.ceil(LARGE_BYTES / count);
  return Array.from({ length: count }, (_, index) =>
    request(pipelineId, { kind: "backfill", key: `backfill:${index}`, scheduledFor: T0 + index, parameters: LARGE, size, ...rest }),
  );
}

async function refusal(store: Store, triggers: readonly NewTrigger[], some: Partial<QueueLimits>): Promise<unknown> {
  try {
    await store.enqueue(triggers, T0, { limits: limits(some) });
    return null;
  } catch (error) {
    assert.ok(error instanceof HeadgateError, String(error));
    assert.equal(error.code, "QUEUE_FULL");
    return error.details;
  }
}

/** Parameters that are large or shared, limits of the queue, counts of what waits, lists without large values. */
export const QUEUE: readonly Case[] = [
  [
    "keeps who requested a trigger, and large parameters of one or of many, through its whole life",
    async (store) => {
      await store.register([registration("a", { maxActiveRuns: 10 })], T0);
      const made = [request("a", { requestedBy: "ci", parameters: LARGE, size: LARGE_BYTES }), ...sharing("a", 3, { requestedBy: "ops" })];
      const accepted = await store.enqueue(made, T0);
      assert.deepEqual(
        accepted.map(({ trigger }) => [trigger.requestedBy, trigger.size, trigger.parameters]),
        made.map(({ requestedBy, size }) => [requestedBy, size, LARGE]),
      );
      const isWhole = ({ parameters, omitted }: { parameters: unknown; omitted?: readonly string[] }) => {
        assert.deepEqual([parameters, omitted], [LARGE, undefined]);
      };
      for (const { id } of made) isWhole((await store.trigger(id)) ?? assert.fail("it is gone"));
      for (const one of await store.listTriggers({ limit: 10 })) isWhole(one);
      const again = await store.enqueue(sharing("a", 3), T0);
      for (const { trigger, isNew } of again) {
        assert.equal(isNew, false);
        isWhole(trigger);
      }
      const { triggers } = await claim(store, T0);
      assert.equal(triggers.length, 4);
      for (const one of triggers) isWhole(one);
      const decided = await decideAll(store, triggers.slice(0, 2), "run", T0, false);
      const known = await decideAll(store, triggers.slice(2), "run", T0, true);
      for (const { trigger } of [...decided, ...known]) isWhole(trigger ?? assert.fail("not decided"));
      const [run] = decided.flatMap((one) => one.run ?? []);
      assert.ok(run);
      const retried = { end: { outcome: "failed" as const, output: null, error: null, retryAt: T0 + 1_000 } };
      await finishOne(store, run, T0, retried);
      const { attempts } = await claim(store, T0 + 1_000);
      isWhole(attempts[0]?.trigger ?? assert.fail("no attempt"));
      const ended = await finishOne(store, attempts[0]?.run ?? run, T0 + 2_000);
      assert.equal(ended.trigger?.status, "succeeded");
      isWhole((await store.trigger(run.triggerId)) ?? assert.fail("it is gone"));
    },
  ],
  [
    "forgets shared parameters with the last trigger that has them, and not before",
    async (store) => {
      await store.register([registration("a", { maxActiveRuns: 1 })], T0);
      const made = sharing("a", 2);
      await store.enqueue(made, T0);
      const [run] = await startAll(store, T0);
      await finishOne(store, run ?? assert.fail("no run"), T0 + 1);
      await pruneAll(store, T0 + 2 * MINUTE);
      assert.equal(await store.trigger(made[0]?.id ?? ""), null);
      assert.deepEqual((await store.trigger(made[1]?.id ?? ""))?.parameters, LARGE);
      const [next] = await startAll(store, T0 + MINUTE);
      assert.ok(next);
    },
    { count: 0, maxAge: "90d" },
  ],
  [
    "refuses what would exceed a limit of a pipeline, of a token or of all, by number and by bytes, all of it or nothing",
    async (store) => {
      await store.register([registration("a"), registration("b")], T0);
      const of = (pipelineId: string, requestedBy: string | null, size = 10) =>
        request(pipelineId, { requestedBy, size, parameters: { n: 1 } });
      await store.enqueue([of("a", "ci"), of("a", "ci"), of("b", "ops")], T0);
      const two = { count: 2, bytes: 1_000 };
      assert.deepEqual(await refusal(store, [of("a", "ops")], { pipeline: two }), { limit: "pipeline", unit: "count", most: 2 });
      assert.deepEqual(await refusal(store, [of("b", "ci")], { token: two }), { limit: "token", unit: "count", most: 2 });
      assert.deepEqual(await refusal(store, [of("b", null)], { total: { count: 3, bytes: 1_000 } }), {
        limit: "total",
        unit: "count",
        most: 3,
      });
      const bytes = { count: 100, bytes: 29 };
      assert.deepEqual(await refusal(store, [of("a", "ops")], { pipeline: bytes }), { limit: "pipeline", unit: "bytes", most: 29 });
      assert.deepEqual(await refusal(store, [of("b", "ci")], { token: bytes }), { limit: "token", unit: "bytes", most: 29 });
      assert.deepEqual(await refusal(store, [of("b", null)], { total: { count: 9, bytes: 39 } }), {
        limit: "total",
        unit: "bytes",
        most: 39,
      });
      assert.deepEqual(await refusal(store, [of("b", "x"), of("b", "x"), of("b", "x")], { pipeline: { count: 3, bytes: 1_000 } }), {
        limit: "pipeline",
        unit: "count",
        most: 3,
      });
      assert.equal(await store.countWaiting(100), 3, "nothing of a refused batch is there");
      assert.equal(await refusal(store, [of("b", "x"), of("b", "x")], { pipeline: { count: 3, bytes: 1_000 } }), null);
      assert.equal(await store.countWaiting(100), 5);
    },
  ],
  [
    "accepts a pipeline and a token within their reserved share although the total is reached",
    async (store) => {
      await store.register([registration("a"), registration("b")], T0);
      const full = { total: { count: 5, bytes: 1_000 }, reserved: { count: 2, bytes: 1_000 } };
      const of = (pipelineId: string, requestedBy: string) => request(pipelineId, { requestedBy });
      await store.enqueue(
        Array.from({ length: 5 }, () => of("a", "ci")),
        T0,
      );
      assert.equal(await refusal(store, [of("b", "ops")], full), null);
      assert.equal(await refusal(store, [of("b", "ops")], full), null);
      const refused = { limit: "total", unit: "count", most: 5 };
      assert.deepEqual(await refusal(store, [of("b", "ops")], full), refused);
      assert.deepEqual(await refusal(store, [of("b", "new")], full), refused, "the pipeline has used its share");
      assert.deepEqual(await refusal(store, [of("a", "new")], full), refused, "the pipeline has more than its share");
    },
  ],
  [
    "never refuses a trigger that is there already, a fire time, or what is enqueued without limits",
    async (store) => {
      await store.register([registration("a")], T0);
      await store.enqueue([request("a", { key: "k" })], T0);
      const full = { limits: limits({ total: NONE, pipeline: NONE, token: NONE }) };
      const [again] = await store.enqueue([request("a", { key: "k" })], T0, full);
      assert.equal(again?.isNew, false);
      await assert.rejects(store.enqueue([request("a", { key: "k" }), request("a", { key: "l" })], T0, full), { code: "QUEUE_FULL" });
      const [fired] = await store.fire([firing("a", T0 + MINUTE)], T0 + MINUTE);
      assert.equal(fired?.triggers.length, 1);
      assert.equal((await store.enqueue([request("a")], T0))[0]?.isNew, true);
    },
  ],
  [
    "counts limits exactly when many add at once, and frees them when triggers start, end or are cancelled",
    async (store) => {
      await store.register([registration("a", { maxActiveRuns: 1 })], T0);
      const ten = { limits: limits({ token: { count: 10, bytes: 1_000 } }) };
      const results = await Promise.allSettled(
        Array.from({ length: 30 }, () => store.enqueue([request("a", { requestedBy: "ci" })], T0, ten)),
      );
      assert.equal(results.filter(({ status }) => status === "fulfilled").length, 10);
      assert.equal(await store.countWaiting(100), 10);
      await startAll(store, T0);
      const [waiting] = await store.listTriggers({ statuses: ["pending"], limit: 1 });
      await store.endTrigger(waiting?.id ?? "", "cancelled", { at: T0, user: null, reason: null });
      const add = (count: number) =>
        store.enqueue(
          Array.from({ length: count }, () => request("a", { requestedBy: "ci" })),
          T0,
          ten,
        );
      await assert.rejects(add(3), { code: "QUEUE_FULL" });
      await add(2);
    },
  ],
  [
    "counts what waits by pipeline and priority, with the oldest, and lists active runs",
    async (store) => {
      await store.register([registration("a", { maxActiveRuns: 1 }), registration("b")], T0);
      assert.deepEqual(await store.backlog(), { groups: [], activeRuns: [] });
      await store.enqueue([request("a", { scheduledFor: T0 - 5, kind: "backfill", key: "x" })], T0 - 10);
      const [run] = await startAll(store, T0);
      await store.fire([firing("a", T0 + MINUTE)], T0 + MINUTE);
      await store.enqueue([request("a", { parameters: LARGE, size: LARGE_BYTES, priority: "high" }), request("b")], T0 + 2 * MINUTE);
      await store.enqueue([request("a", { priority: "high" })], T0 + 3 * MINUTE);
      const held = await claim(store, T0 + 3 * MINUTE, { canRun: (id) => id === "b" });
      await decideAll(store, held.triggers, "hold", T0 + 3 * MINUTE);
      const { groups, activeRuns } = await store.backlog();
      const none = { oldestFireTimeAt: null, oldestPendingFireTimeAt: null };
      const at = T0 + MINUTE;
      const inOrder = groups.toSorted((one, other) => (one.pipelineId + one.priority < other.pipelineId + other.priority ? -1 : 1));
      assert.deepEqual(inOrder, [
        { pipelineId: "a", priority: "high", waiting: 2, oldestAt: T0 + 2 * MINUTE, ...none },
        { pipelineId: "a", priority: "normal", waiting: 1, oldestAt: at, oldestFireTimeAt: at, oldestPendingFireTimeAt: at },
        { pipelineId: "b", priority: "normal", waiting: 1, oldestAt: T0 + 2 * MINUTE, ...none },
      ]);
      assert.deepEqual(activeRuns, [{ id: run?.id, pipelineId: "a", startedAt: T0, scheduledFor: T0 - 5 }]);
      assert.deepEqual((await store.backlog("b")).groups.length, 1);
      assert.deepEqual((await store.backlog("b")).activeRuns, []);
    },
  ],
  [
    "lists records without values of more bytes than asked for, and names what it left out",
    async (store) => {
      await store.register([registration("a", { maxActiveRuns: 3 })], T0);
      const small = { n: 1 };
      await store.enqueue([request("a", { parameters: LARGE, size: LARGE_BYTES }), request("a", { parameters: small, size: 7 })], T0);
      await store.enqueue(sharing("a", 2), T0);
      const light = await store.listTriggers({ limit: 10, valueLimit: 100 });
      assert.deepEqual(
        light.map(({ parameters, omitted }) => [parameters, omitted]),
        [
          [null, ["parameters"]],
          [null, ["parameters"]],
          [small, undefined],
          [null, ["parameters"]],
        ],
      );
      const exact = await store.listTriggers({ limit: 10, valueLimit: LARGE_BYTES });
      assert.ok(exact.every(({ omitted }) => omitted === undefined));
      assert.deepEqual(
        (await store.listTriggers({ limit: 10, valueLimit: 6 })).filter(({ omitted }) => omitted === undefined),
        [],
      );
      const runs = await startAll(store, T0);
      const [first, second] = runs;
      const error = { message: "x".repeat(500), code: null };
      await finishOne(store, first ?? assert.fail(), T0, { end: { outcome: "succeeded", output: LARGE, error: null, retryAt: null } });
      await finishOne(store, second ?? assert.fail(), T0, { end: { outcome: "failed", output: null, error, retryAt: null } });
      const listed = await store.listRuns({ limit: 10, valueLimit: 400 });
      assert.deepEqual(
        listed.map(({ id, output, error: failure, omitted }) => [id, output, failure, omitted]),
        [
          [runs[2]?.id, null, null, undefined],
          [second?.id, null, null, ["error"]],
          [first?.id, null, null, ["output"]],
        ],
      );
      const decisions = await store.listDecisions({ limit: 10, valueLimit: 1 });
      assert.deepEqual(decisions[0]?.findings, []);
      assert.deepEqual(decisions[0]?.omitted, ["findings"]);
      assert.equal((await store.listDecisions({ limit: 10, valueLimit: 2 }))[0]?.omitted, undefined);
    },
  ],
  [
    "hands out parameters of no more than some megabytes in one claim, and says that there is more",
    async (store) => {
      await store.register([registration("a", { maxActiveRuns: 100 })], T0);
      const text = "x".repeat(999_000);
      for (let index = 0; index < 40; index++) await store.enqueue([request("a", { parameters: { index, text }, size: 999_100 })], T0);
      const seen = new Set<string>();
      for (let more = true; more; ) {
        const { triggers, isPartial = false } = await claim(store, T0);
        for (const { id } of triggers) seen.add(id);
        assert.ok(triggers.length > 0);
        more = isPartial;
      }
      assert.equal(seen.size, 40);
      const shared = { text };
      await store.enqueue(
        Array.from({ length: 50 }, () => request("a", { parameters: shared, size: 20_000 })),
        T0,
      );
      assert.equal((await claim(store, T0)).triggers.length, 50, "shared parameters count once");
    },
  ],
];
