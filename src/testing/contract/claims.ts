import assert from "node:assert/strict";
import type { ClaimRequest } from "../../ports/store/claims.js";
import type { RunRecord } from "../../run/run.js";
import { type Case, claim, decideAll, deciding, finishOne, firing, MINUTE, registration, request, startAll, T0 } from "./fixtures.js";

const ANY_END = { outcome: "failed", error: { message: "down", code: null }, output: null } as const;

/** Claiming, deciding, running. */
export const CLAIMS: readonly Case[] = [
  [
    "hands out triggers in order, each once, under all limits, however many claim at once",
    async (store) => {
      const ids = ["a", "b", "c", "d"];
      await store.register(
        ids.map((id) => registration(id, { maxActiveRuns: 3, pool: id === "d" ? null : "db" })),
        T0,
      );
      for (const id of ids)
        await store.enqueue(
          Array.from({ length: 10 }, () => request(id)),
          T0,
        );
      const limits = { pools: new Map([["db", 5]]), globalLimit: 7 };
      const claims = await Promise.all(["n1", "n2", "n3", "n4"].map((node) => claim(store, T0, { ...limits, node, limit: 3 })));
      const claimed = claims.flatMap(({ triggers }) => triggers);
      assert.equal(new Set(claimed.map(({ id }) => id)).size, claimed.length);
      assert.ok(claimed.length <= 7, `${claimed.length} claimed, 7 allowed in all`);
      assert.ok(claimed.filter(({ pipelineId }) => pipelineId !== "d").length <= 5, "more than the pool holds");
      for (const id of ids)
        assert.ok(claimed.filter(({ pipelineId }) => pipelineId === id).length <= 3, `more than maxActiveRuns of ${id}`);
      const rest = await claim(store, T0, { ...limits, limit: 100 });
      assert.equal(claimed.length + rest.triggers.length, 7);
      const none = await claim(store, T0, { ...limits, limit: 100 });
      assert.equal(none.triggers.length, 0);
      const closed = await claim(store, T0, { pools: new Map(), globalLimit: null });
      assert.ok(
        closed.triggers.every(({ pipelineId }) => pipelineId === "d"),
        "a pool that is not named is closed",
      );
    },
  ],
  [
    "records with the claim what its judge decides at once, and leaves the rest claimed",
    async (store) => {
      await store.register([registration("a", { maxActiveRuns: 9 }), registration("late", { overlap: "skip" })], T0);
      await store.fire([firing("late", T0 + MINUTE)], T0 + MINUTE);
      await startAll(store, T0 + MINUTE);
      await store.fire([firing("late", T0 + 2 * MINUTE)], T0 + 2 * MINUTE);
      const [run, hold, skip, later] = [request("a"), request("a"), request("a"), request("a")];
      const now = T0 + 2 * MINUTE;
      await store.enqueue([run, hold, skip, later], now);
      const outcomes = new Map<string, "run" | "hold" | "skip">([
        [run.id, "run"],
        [hold.id, "hold"],
        [skip.id, "skip"],
      ]);
      const overlapping: string[] = [];
      const { decided, triggers } = await claim(store, now, {
        judge: (trigger, isOverlapping) => {
          if (isOverlapping) overlapping.push(trigger.pipelineId);
          const outcome = isOverlapping ? "skip" : outcomes.get(trigger.id);
          return outcome === undefined ? null : deciding(trigger, outcome, now);
        },
      });
      assert.deepEqual([...new Set(overlapping)], ["late"]);
      assert.deepEqual(
        triggers.map(({ id }) => id),
        [later.id],
      );
      assert.equal(decided.length, 4);
      for (const { request: asked, result } of decided) {
        assert.equal(result.isAccepted, true);
        assert.equal(result.trigger?.id, asked.triggerId);
        assert.equal(result.run?.id, asked.run?.id);
        assert.equal(result.trigger?.token, asked.token, "the claim's fencing token");
      }
      const statuses = await Promise.all([run, hold, skip, later].map(async ({ id }) => (await store.trigger(id))?.status));
      assert.deepEqual(statuses, ["running", "held", "skipped", "pending"]);
      assert.equal((await store.listDecisions({ pipelineId: "a", limit: 9 })).length, 3);
      assert.equal((await store.listDecisions({ pipelineId: "late", outcomes: ["skip"], limit: 9 })).length, 1);
      const [started] = await store.listRuns({ triggerId: run.id, limit: 1 });
      assert.equal((await finishOne(store, started as RunRecord, now)).isAccepted, true);
      const [result] = await decideAll(store, triggers, "run", now);
      assert.equal(result?.isAccepted, true, "what is left is still the claimant's to decide");
    },
  ],
  [
    "goes by priority and age, immediate first, and passes over what cannot start",
    async (store) => {
      await store.register([registration("a", { maxActiveRuns: 9 }), registration("full"), registration("b", { maxActiveRuns: 9 })], T0);
      await store.enqueue([request("full"), request("full"), request("full")], T0);
      await startAll(store, T0, { limit: 1 });
      const line = [
        request("a", { priority: "low" }),
        request("b", { priority: "normal" }),
        request("a", { priority: "critical" }),
        request("b", { kind: "immediate" }),
        request("a", { priority: "high", notBefore: T0 + MINUTE }),
      ];
      for (const [index, one] of line.entries()) await store.enqueue([one], T0 + index);
      const lease = { claimLeaseMs: 9 * MINUTE };
      const first = await claim(store, T0 + 10, { ...lease, limit: 2 });
      assert.deepEqual(
        first.triggers.map(({ id }) => id),
        [line[3]?.id, line[2]?.id],
      );
      const second = await claim(store, T0 + 10, { ...lease, canRun: (id) => id !== "b" });
      assert.deepEqual(
        second.triggers.map(({ id }) => id),
        [line[0]?.id],
      );
      assert.equal(await store.nextDueAt(T0 + 10).then((at) => at !== null && at <= T0 + MINUTE), true);
      const third = await claim(store, T0 + MINUTE, { limit: 5 });
      assert.deepEqual(
        third.triggers.map(({ id }) => id),
        [line[4]?.id, line[1]?.id],
      );
    },
  ],
  [
    "gives a claim that ran out to another, and refuses the first one's decision",
    async (store) => {
      await store.register([registration("a")], T0);
      await store.enqueue([request("a")], T0);
      const first = await claim(store, T0, { node: "slow" });
      assert.equal((await claim(store, T0 + 29_999, { node: "quick" })).triggers.length, 0);
      const second = await claim(store, T0 + 30_001, { node: "quick" });
      assert.equal(second.triggers.length, 1);
      assert.ok((second.triggers[0]?.token ?? 0) > (first.triggers[0]?.token ?? 0));
      for (const isKnown of [true, false]) {
        const [late] = await decideAll(store, first.triggers, "run", T0 + 30_002, isKnown);
        assert.deepEqual([late?.isAccepted, late?.run, late?.trigger?.token], [false, null, second.triggers[0]?.token]);
      }
      const [good] = await decideAll(store, second.triggers, "run", T0 + 30_002);
      assert.equal(good?.isAccepted, true);
      const [again] = await decideAll(store, second.triggers, "run", T0 + 30_003);
      assert.deepEqual([again?.isAccepted, again?.trigger?.status], [false, "running"]);
      assert.equal((await store.listRuns({ limit: 10 })).length, 1);
      assert.equal((await store.listDecisions({ limit: 10 })).length, 1);
    },
  ],
  [
    "holds, looks again, expires; skips",
    async (store) => {
      await store.register([registration("a", { maxActiveRuns: 5 })], T0);
      await store.enqueue([request("a"), request("a")], T0);
      const { triggers } = await claim(store, T0);
      await decideAll(store, triggers.slice(0, 1), "hold", T0);
      await decideAll(store, triggers.slice(1), "skip", T0, false);
      assert.equal((await store.trigger(triggers[1]?.id ?? ""))?.status, "skipped");
      assert.equal((await claim(store, T0 + 59_999)).triggers.length, 0);
      assert.equal(await store.nextDueAt(T0 + 1), T0 + MINUTE);
      await store.recheck(["a"], T0 + 10);
      const early = await claim(store, T0 + 10);
      assert.deepEqual(
        early.triggers.map(({ id, expiresAt }) => [id, expiresAt]),
        [[triggers[0]?.id, T0 + 5 * MINUTE]],
      );
      await decideAll(store, early.triggers, "hold", T0 + 20);
      assert.deepEqual(await store.expire(T0 + 5 * MINUTE - 1), []);
      assert.equal((await claim(store, T0 + 5 * MINUTE)).triggers.length, 0);
      const expired = await store.expire(T0 + 5 * MINUTE);
      assert.deepEqual(
        expired.map(({ id, status }) => [id, status]),
        [[triggers[0]?.id, "expired"]],
      );
    },
  ],
  [
    "retries, fences late results, and closes the attempts of dead nodes",
    async (store) => {
      await store.register([registration("a"), registration("next")], T0);
      await store.enqueue([request("a")], T0);
      const [run] = await startAll(store, T0);
      assert.ok(run);
      assert.deepEqual(await store.expiredRuns(T0 + 29_999, 10), []);
      const beat = await store.heartbeat([{ runId: run.id, token: run.token, progress: { done: 1 } }], T0 + 60_000, T0 + 20_000);
      assert.deepEqual([beat[0]?.leaseUntil, beat[0]?.progress], [T0 + 60_000, { done: 1 }]);
      const away = { message: "cannot be reached", code: "EXECUTOR_UNAVAILABLE" };
      for (const [error, kept] of [
        [away, away],
        [undefined, away],
        [null, null],
      ] as const) {
        const told = error === undefined ? {} : { error };
        const [answer] = await store.heartbeat([{ runId: run.id, token: run.token, ...told }], T0 + 60_000, T0 + 20_000);
        assert.deepEqual([answer?.error, answer?.progress, (await store.run(run.id))?.error], [kept, { done: 1 }, kept]);
      }
      const early = await finishOne(store, run, T0 + 50_000, {
        end: { ...ANY_END, outcome: "lost", retryAt: T0 + 70_000 },
        onlyIfExpired: true,
      });
      assert.equal(early.isAccepted, false);
      assert.equal((await store.expiredRuns(T0 + 60_001, 10)).length, 1);
      const lost = await finishOne(store, run, T0 + 60_001, {
        end: { ...ANY_END, outcome: "lost", retryAt: T0 + 70_000 },
        onlyIfExpired: true,
      });
      assert.deepEqual([lost.run?.status, lost.run?.attempts.length], ["retrying", 1]);
      assert.equal((await claim(store, T0 + 69_999)).attempts.length, 0);
      const { attempts } = await claim(store, T0 + 70_000, { node: "node-2" });
      assert.deepEqual(
        attempts.map(({ run: next }) => [next.id, next.attempt, next.node]),
        [[run.id, 2, "node-2"]],
      );
      const late = await finishOne(store, run, T0 + 70_001);
      assert.equal(late.isAccepted, false);
      assert.deepEqual(await store.heartbeat([{ runId: run.id, token: run.token }], T0 + 99_000, T0 + 70_001), [null]);
      const second = attempts[0]?.run ?? run;
      const follow = [request("next", { kind: "dependency", key: `run:${run.id}` })];
      const done = await finishOne(store, second, T0 + 70_002, {
        end: { outcome: "succeeded", error: null, output: { rows: 3 }, retryAt: null },
        follow,
      });
      assert.deepEqual(
        [done.run?.status, done.run?.output, done.trigger?.status, done.followed.length],
        ["succeeded", { rows: 3 }, "succeeded", 1],
      );
      assert.equal((await finishOne(store, second, T0 + 70_003)).isAccepted, false);
      const [state] = await store.states(["a"]);
      assert.deepEqual([state?.lastSuccessAt, state?.activeRuns, state?.waitingTriggers], [T0 + 70_002, 0, 0]);
      assert.equal(await store.countRuns("a", T0, T0 + 1), 1);
      assert.equal(await store.countRuns("a", T0 + 1, T0 + MINUTE), 0);
    },
  ],
  [
    "gives a retry the lease of an attempt, whatever the claims of triggers have",
    async (store) => {
      await store.register([registration("a")], T0);
      await store.enqueue([request("a")], T0);
      const [run] = await startAll(store, T0);
      assert.ok(run);
      await finishOne(store, run, T0 + 10, { end: { ...ANY_END, retryAt: T0 + MINUTE } });
      const { attempts } = await claim(store, T0 + MINUTE, { claimLeaseMs: 9 * MINUTE, attemptLeaseMs: 20_000 });
      assert.deepEqual(
        attempts.map(({ run: next }) => [next.attempt, next.attemptStartedAt, next.leaseUntil]),
        [[2, T0 + MINUTE, T0 + MINUTE + 20_000]],
      );
      assert.equal((await store.expiredRuns(T0 + MINUTE + 20_000, 10)).length, 1);
    },
  ],
  [
    "hands out retries that are due at the same instant in the order of their runs' ids",
    async (store) => {
      await store.register([registration("a", { maxActiveRuns: 4 })], T0);
      await store.enqueue([request("a"), request("a"), request("a"), request("a")], T0);
      const runs = (await startAll(store, T0)).toSorted((one, other) => (one.id < other.id ? 1 : -1));
      for (const run of runs) await finishOne(store, run, T0 + 10, { end: { ...ANY_END, retryAt: T0 + MINUTE } });
      const { attempts } = await claim(store, T0 + MINUTE);
      assert.deepEqual(
        attempts.map(({ run }) => run.id),
        runs.map(({ id }) => id).reverse(),
      );
    },
  ],
  [
    "records when things happened, also those that waited for each other: no run begins before the end of the one whose slot it has",
    async (store) => {
      await store.register([registration("a")], T0);
      const asked = Array.from({ length: 12 }, () => request("a"));
      await store.enqueue(asked, T0);
      let time = T0;
      const tick = () => ++time;
      const line: ClaimRequest = {
        node: "node-1",
        limit: 1,
        claimLeaseMs: MINUTE,
        attemptLeaseMs: MINUTE,
        globalLimit: null,
        pools: new Map(),
        canRun: () => true,
      };
      const claimOne = async (isAtOnce: boolean) => {
        const one = await store.claim(isAtOnce ? { ...line, judge: (trigger, _, now) => deciding(trigger, "run", now) } : line, tick);
        const left = one.triggers.map((trigger) => ({ ...deciding(trigger, "run", time), trigger }));
        const decided = left.length === 0 ? [] : await store.decide(left, tick);
        return [...one.decided.map(({ result }) => result), ...decided].flatMap(({ run }) => (run === null ? [] : [run]));
      };
      let [running] = await claimOne(true);
      for (let turn = 0; running !== undefined && turn < asked.length; turn++) {
        const end = { outcome: "succeeded" as const, output: null, error: null, retryAt: null };
        const ending = store.finish([{ runId: running.id, token: running.token, end, follow: [], onlyIfExpired: false }], tick);
        const claims = await Promise.all([claimOne(false), claimOne(true), claimOne(false)]);
        await ending;
        [running] = [...claims.flat(), ...(claims.flat().length === 0 ? await claimOne(turn % 2 === 0) : [])];
      }
      const runs = (await store.listRuns({ limit: 100 })).toReversed();
      assert.equal(runs.length, asked.length);
      const inOrder = runs.toSorted((one, other) => one.startedAt - other.startedAt);
      for (const [index, run] of inOrder.entries()) {
        const before = inOrder[index - 1];
        assert.ok(run.endedAt !== null && run.endedAt >= run.startedAt, "it ends no earlier than it starts");
        assert.ok(
          before === undefined || run.startedAt > (before.endedAt ?? 0),
          `run ${index} begins at ${run.startedAt}, the one before ends at ${before?.endedAt}`,
        );
        const [decision] = await store.listDecisions({ triggerId: run.triggerId, limit: 1 });
        assert.ok((decision?.at ?? 0) <= run.startedAt, "it is decided on no later than it starts");
      }
    },
  ],
  [
    "never ends a run before it started, nor starts an attempt before the one before it ended, when clocks differ",
    async (store) => {
      await store.register([registration("a")], T0);
      await store.enqueue([request("a")], T0);
      const [run] = await startAll(store, T0 + MINUTE);
      assert.ok(run);
      const failed = await finishOne(store, run, T0 + 30_000, { end: { ...ANY_END, retryAt: T0 + 40_000 } });
      assert.deepEqual([failed.run?.attempts[0]?.startedAt, failed.run?.attempts[0]?.endedAt], [T0 + MINUTE, T0 + MINUTE]);
      const { attempts } = await claim(store, T0 + 45_000);
      assert.equal(attempts[0]?.run.attemptStartedAt, T0 + MINUTE);
      const done = await finishOne(store, attempts[0]?.run ?? run, T0 + 50_000);
      assert.deepEqual([done.run?.endedAt, done.trigger?.endedAt], [T0 + MINUTE, T0 + MINUTE]);
    },
  ],
  [
    "counts what runs in the pool that its pipeline has now, and orders what is equally old and urgent by id",
    async (store) => {
      const of = (id: string, pool: string) => registration(id, { maxActiveRuns: 5, pool });
      await store.register([of("a", "east"), of("b", "west")], T0);
      const pools = new Map([
        ["east", 2],
        ["west", 2],
      ]);
      const requests = ["b", "a", "b", "a", "b"].map((id) => request(id));
      await store.enqueue(requests, T0);
      const first = await claim(store, T0, { pools, limit: 3 });
      assert.deepEqual(
        first.triggers.map(({ id }) => id),
        requests.slice(0, 3).map(({ id }) => id),
      );
      await decideAll(store, first.triggers, "run", T0);
      await store.register([of("b", "east")], T0);
      assert.deepEqual((await claim(store, T0, { pools })).triggers, [], "the pool holds the three runs of both");
      await store.register([of("b", "west")], T0);
      assert.deepEqual(
        (await claim(store, T0, { pools })).triggers.map(({ id }) => id),
        [requests[3]?.id],
        "west holds two again, and east one",
      );
    },
  ],
  [
    "skips or cancels for overlap, and cancels what somebody wants ended",
    async (store) => {
      await store.register(
        [registration("skips", { overlap: "skip" }), registration("cancels", { overlap: "cancel_running" }), registration("asked")],
        T0,
      );
      await store.fire([firing("skips", T0 + MINUTE), firing("cancels", T0 + MINUTE)], T0 + MINUTE);
      const runs = await startAll(store, T0 + MINUTE);
      await store.fire([firing("skips", T0 + 2 * MINUTE), firing("cancels", T0 + 2 * MINUTE)], T0 + 2 * MINUTE);
      const second = await claim(store, T0 + 2 * MINUTE);
      assert.deepEqual(
        second.overlapping.map(({ pipelineId }) => pipelineId),
        ["skips"],
      );
      assert.deepEqual(
        second.cancelled.map(({ id }) => id),
        [runs.find(({ pipelineId }) => pipelineId === "cancels")?.id],
      );
      assert.deepEqual((await claim(store, T0 + 2 * MINUTE)).cancelled, []);
      const [waiting] = await store.enqueue([request("asked")], T0);
      const stop = { at: T0 + 3 * MINUTE, user: "ana", reason: "wrong" };
      const ended = await store.endTrigger(waiting?.trigger.id ?? "", "cancelled", stop);
      assert.deepEqual([ended?.trigger.status, ended?.trigger.endReason], ["cancelled", "wrong"]);
      assert.equal(await store.endTrigger("nothing", "cancelled", stop), null);
      assert.equal(await store.cancelRun("nothing", stop), null);
      await store.enqueue([request("asked")], T0);
      const [run] = await startAll(store, T0 + 3 * MINUTE, { canRun: (id) => id === "asked" });
      assert.ok(run);
      await finishOne(store, run, T0 + 3 * MINUTE, { end: { ...ANY_END, retryAt: T0 + 9 * MINUTE } });
      const cancelled = await store.cancelRun(run.id, stop);
      assert.deepEqual(
        [cancelled?.run.status, cancelled?.trigger?.status, cancelled?.run.cancelRequest?.user],
        ["cancelled", "cancelled", "ana"],
      );
      assert.equal((await claim(store, T0 + 10 * MINUTE, { canRun: (id) => id === "asked" })).attempts.length, 0);
    },
  ],
];
