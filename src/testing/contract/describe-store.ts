import assert from "node:assert/strict";
import type { Store } from "../../ports/store.js";
import type { TriggerRecord } from "../../trigger/trigger.js";
import { claim, decideAll, finishOne, firing, nextId, registration, request, startAll, T0 } from "./kit.js";

/** What a test runner offers: the functions of vitest, jest and `node:test` will do. */
export interface TestRunner {
  describe(name: string, body: () => void): unknown;
  it(name: string, body: () => Promise<void>): unknown;
}

const MINUTE = 60_000;
const ANY_END = { outcome: "failed", error: { message: "down", code: null }, output: null } as const;

/**
 * The contract that every store keeps: atomic fires, idempotent enqueue, claims in order under all limits, leases, fencing, retries, expiry, pause, decisions,
 * cursors, settings, paging. Run it on a store of one's own.
 *
 * @param makeStore - gives an empty store that is not open yet, a new one each time
 * @param runner - default: the `describe` and `it` that the runner has made global
 * @example
 * describeStore("my store", () => myStore({ database: fresh() }), { describe, it });
 */
export function describeStore(name: string, makeStore: () => Store | Promise<Store>, runner: TestRunner = globalRunner()): void {
  const { describe, it } = runner;
  const on = (title: string, body: (store: Store) => Promise<void>) =>
    it(title, async () => {
      const store = await makeStore();
      await store.open();
      await store.open();
      try {
        await body(store);
      } finally {
        await store.close();
        await store.close();
      }
    });

  describe(`${name} keeps the store's contract`, () => {
    on("registers once: the same again changes nothing, another schedule is planned anew", async (store) => {
      const [first] = await store.register([registration("a")], T0);
      assert.deepEqual([first?.nextFireAt, first?.lastFireAt, first?.pause], [T0 + MINUTE, null, null]);
      await store.fire([firing("a", T0 + MINUTE)], T0 + MINUTE);
      const [again] = await store.register([registration("a", { nextFireAt: T0 + 9 * MINUTE })], T0 + 2 * MINUTE);
      assert.equal(again?.nextFireAt, T0 + 2 * MINUTE);
      const [other] = await store.register([registration("a", { scheduleKey: "other", nextFireAt: T0 + 7 * MINUTE })], T0 + 3 * MINUTE);
      assert.deepEqual([other?.nextFireAt, other?.lastFireAt], [T0 + 7 * MINUTE, T0 + MINUTE]);
      assert.deepEqual(await store.states(["nobody"]), [null]);
    });

    on("advances a schedule and makes its trigger in one step, once, however many try", async (store) => {
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
    });

    on("queue_one replaces every scheduled trigger that waits, and nothing else", async (store) => {
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
    });

    on("never makes a fire time twice, whatever a clock did", async (store) => {
      await store.register([registration("a", { overlap: "queue" })], T0);
      await store.fire([firing("a", T0 + MINUTE)], T0 + MINUTE);
      const [back] = await store.fire([firing("a", T0 + 2 * MINUTE, { nextFireAt: T0 + MINUTE, lastFireAt: T0, triggers: [] })], T0);
      assert.equal(back?.state?.nextFireAt, T0 + MINUTE);
      const [again] = await store.fire([firing("a", T0 + MINUTE)], T0 + MINUTE);
      assert.deepEqual([again?.outcome, again?.triggers.length], ["fired", 0]);
      assert.equal((await store.listTriggers({ limit: 10 })).length, 1);
    });

    on("accepts a key once, however many try at once", async (store) => {
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
    });

    on("keeps every field, whatever is in it", async (store) => {
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
    });

    on("hands out triggers in order, each once, under all limits, however many claim at once", async (store) => {
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
    });

    on("goes by priority and age, immediate first, and passes over what cannot start", async (store) => {
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
      const lease = { leaseUntil: T0 + 9 * MINUTE };
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
    });

    on("gives a claim that ran out to another, and refuses the first one's decision", async (store) => {
      await store.register([registration("a")], T0);
      await store.enqueue([request("a")], T0);
      const first = await claim(store, T0, { node: "slow" });
      assert.equal((await claim(store, T0 + 29_999, { node: "quick" })).triggers.length, 0);
      const second = await claim(store, T0 + 30_001, { node: "quick" });
      assert.equal(second.triggers.length, 1);
      assert.ok((second.triggers[0]?.token ?? 0) > (first.triggers[0]?.token ?? 0));
      const [late] = await decideAll(store, first.triggers, "run", T0 + 30_002);
      assert.equal(late?.isAccepted, false);
      const [good] = await decideAll(store, second.triggers, "run", T0 + 30_002);
      assert.equal(good?.isAccepted, true);
      assert.equal((await store.listRuns({ limit: 10 })).length, 1);
      assert.equal((await store.listDecisions({ limit: 10 })).length, 1);
    });

    on("holds, looks again, expires; skips", async (store) => {
      await store.register([registration("a", { maxActiveRuns: 5 })], T0);
      await store.enqueue([request("a"), request("a")], T0);
      const { triggers } = await claim(store, T0);
      await decideAll(store, triggers.slice(0, 1), "hold", T0);
      await decideAll(store, triggers.slice(1), "skip", T0);
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
    });

    on("retries, fences late results, and closes the attempts of dead nodes", async (store) => {
      await store.register([registration("a"), registration("next")], T0);
      await store.enqueue([request("a")], T0);
      const [run] = await startAll(store, T0);
      assert.ok(run);
      assert.deepEqual(await store.expiredRuns(T0 + 29_999, 10), []);
      const beat = await store.heartbeat([{ runId: run.id, token: run.token, progress: { done: 1 } }], T0 + 60_000, T0 + 20_000);
      assert.deepEqual([beat[0]?.leaseUntil, beat[0]?.progress], [T0 + 60_000, { done: 1 }]);
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
    });

    on("skips or cancels for overlap, and cancels what somebody wants ended", async (store) => {
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
    });

    on("pauses one or everything; what is forced runs all the same", async (store) => {
      await store.register([registration("a"), registration("b")], T0);
      const pause = { at: T0, until: null, reason: "audit", user: "ana" };
      await store.pause("a", pause);
      const [refused] = await store.fire([firing("a", T0 + MINUTE)], T0 + MINUTE);
      assert.deepEqual([refused?.outcome, refused?.state?.pause?.reason], ["paused", "audit"]);
      await store.enqueue([request("a"), request("a", { isForced: true }), request("b")], T0);
      const { triggers } = await claim(store, T0);
      assert.deepEqual(
        triggers.map(({ pipelineId, isForced }) => [pipelineId, isForced]),
        [
          ["a", true],
          ["b", false],
        ],
      );
      assert.deepEqual(await store.resume("a", T0 + 2 * MINUTE), pause);
      assert.equal(await store.resume("a", T0 + 2 * MINUTE), null);
      const [state] = await store.states(["a"]);
      assert.deepEqual(state?.lastPause, { from: T0, until: T0 + 2 * MINUTE });
      await store.pause(null, { ...pause, until: T0 + 9 * MINUTE });
      assert.equal((await store.globalPause()).pause?.until, T0 + 9 * MINUTE);
      const [all] = await store.fire([firing("b", T0 + MINUTE)], T0 + 3 * MINUTE);
      assert.equal(all?.outcome, "paused");
      assert.equal((await store.resume(null, T0 + 4 * MINUTE))?.reason, "audit");
      assert.deepEqual(await store.globalPause(), { pause: null, lastPause: { from: T0, until: T0 + 4 * MINUTE } });
      await assert.rejects(store.pause("nobody", pause), { code: "UNKNOWN_PIPELINE" });
      await assert.rejects(store.resume("nobody", T0), { code: "UNKNOWN_PIPELINE" });
    });

    on("retires a pipeline on all nodes, and registering it brings it back", async (store) => {
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
    });

    on("gives a cursor to one node at a time, and moves it together with what it found", async (store) => {
      await store.register([registration("a")], T0);
      const first = await store.claimCursor("files", "n1", T0 + 10_000, T0);
      assert.deepEqual([first?.value, first?.node], [null, "n1"]);
      assert.equal(await store.claimCursor("files", "n2", T0 + 10_000, T0 + 1), null);
      const taken = await store.claimCursor("files", "n2", T0 + 30_000, T0 + 10_001);
      assert.ok(taken);
      assert.equal(await store.moveCursor("files", first?.token ?? 0, "old", [request("a")], T0 + 10_002), null);
      const moved = await store.moveCursor("files", taken.token, { at: 7 }, [request("a", { key: "f7" })], T0 + 10_003);
      assert.equal(moved?.length, 1);
      const next = await store.claimCursor("files", "n1", T0 + 60_000, T0 + 10_004);
      assert.deepEqual(next?.value, { at: 7 });
      assert.equal((await store.listTriggers({ limit: 10 })).length, 1);
      await assert.rejects(store.moveCursor("files", next?.token ?? 0, 8, [request("nobody")], T0 + 10_005), { code: "UNKNOWN_PIPELINE" });
    });

    on("keeps settings with versions, against lost updates", async (store) => {
      assert.equal(await store.config("windows"), null);
      assert.equal(await store.putConfig("windows", ["x"], 1, "ana", T0), null);
      assert.equal(await store.config("windows"), null);
      assert.deepEqual(await store.putConfig("windows", ["x"], 0, "ana", T0), {
        key: "windows",
        value: ["x"],
        version: 1,
        updatedAt: T0,
        updatedBy: "ana",
      });
      assert.equal(await store.putConfig("windows", ["y"], 0, "ben", T0 + 1), null);
      const races = await Promise.all(["c", "d", "e"].map((who) => store.putConfig("windows", [who], 1, who, T0 + 2)));
      assert.equal(races.filter((one) => one !== null).length, 1);
      assert.equal((await store.putConfig("windows", ["z"], null, null, T0 + 3))?.version, 3);
    });

    on("lists in pages, newest first, by filter", async (store) => {
      await store.register([registration("a", { maxActiveRuns: 50 }), registration("b", { maxActiveRuns: 50 })], T0);
      for (let n = 0; n < 25; n++)
        await store.enqueue([request(n % 2 === 0 ? "a" : "b", { kind: n % 5 === 0 ? "webhook" : "manual" })], T0 + n);
      const seen: string[] = [];
      let before: string | undefined;
      for (;;) {
        const page = await store.listTriggers({ limit: 4, ...(before === undefined ? {} : { before }) });
        if (page.length === 0) break;
        seen.push(...page.map(({ id }) => id));
        before = page.at(-1)?.id;
      }
      assert.equal(new Set(seen).size, 25);
      assert.deepEqual(seen, seen.toSorted().toReversed());
      assert.equal((await store.listTriggers({ pipelineId: "a", kinds: ["webhook"], limit: 50 })).length, 3);
      assert.equal((await store.listTriggers({ scheduledFrom: T0 + 5, scheduledUntil: T0 + 8, limit: 50 })).length, 3);
      const runs = await startAll(store, T0 + MINUTE);
      assert.equal((await store.listRuns({ statuses: ["running"], pipelineId: "b", limit: 50 })).length, 12);
      assert.deepEqual(
        (await store.listRuns({ triggerId: runs[0]?.triggerId ?? "", limit: 5 })).map(({ id }) => id),
        [runs[0]?.id],
      );
      assert.equal((await store.listDecisions({ outcomes: ["run"], triggerId: runs[0]?.triggerId ?? "", limit: 5 })).length, 1);
      assert.equal((await store.listDecisions({ outcomes: ["skip"], limit: 5 })).length, 0);
    });

    on("records fire times that were dropped", async (store) => {
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
    });

    on("takes what it is told and gives copies: what a caller does to them changes nothing", async (store) => {
      await store.register([registration("a")], T0);
      const bulk = await store.enqueue(
        Array.from({ length: 1_200 }, () => request("a")),
        T0,
      );
      assert.equal(bulk.length, 1_200);
      assert.deepEqual(await store.enqueue([], T0), []);
      assert.deepEqual(await store.fire([], T0), []);
      assert.deepEqual(await store.decide([], T0), []);
      assert.deepEqual(await store.finish([], T0), []);
      assert.deepEqual(await store.heartbeat([], T0, T0), []);
      assert.deepEqual(await store.register([], T0), []);
      assert.equal(typeof (await store.prune(T0)), "number");
      const server = await store.serverTime();
      assert.ok(server === null || server > T0);
    });
  });
}

function globalRunner(): TestRunner {
  const { describe, it } = globalThis as Partial<TestRunner>;
  if (describe !== undefined && it !== undefined) return { describe, it };
  throw new Error("describeStore: hand in the describe and it of your test runner as the third argument");
}
