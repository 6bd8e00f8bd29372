import assert from "node:assert/strict";
import { type AuditEntry, type AuditKeys, brokenLink } from "../../monitor/audit.js";
import { auditSealer, isSealedMark } from "../../monitor/audit-seal.js";
import { type Case, claim, finishOne, firing, MINUTE, nextId, pruneAll, registration, request, startAll, T0 } from "./fixtures.js";

const entry = (action: string, pipelineId: string | null): AuditEntry => ({
  at: T0,
  kind: "call",
  action,
  pipelineId,
  user: "ana",
  token: null,
  role: "admin",
  address: null,
  requestId: null,
  outcome: "202",
  reason: null,
  before: null,
  after: { nested: [1, "two", null] },
  ids: ["one", "two"],
});

/** A stand-in for SHA-256 and HMAC: the contract runs wherever the store does. */
const keysOf = (current: string | null): AuditKeys => ({
  current,
  hash: (text, keyId) => (keyId === null || keyId === current ? `${keyId ?? "plain"}:${text.length}:${text.slice(0, 40)}` : null),
});
const sealer = auditSealer(keysOf(null));
const START = { seq: 0, hash: "", isKeyed: false };

/** Pauses, cursors, settings, lists. */
export const RECORDS: readonly Case[] = [
  [
    "pauses one or everything; what is forced runs all the same",
    async (store) => {
      await store.register([registration("a"), registration("b")], T0);
      const pause = { at: T0, until: null, reason: "audit", user: "ana" };
      await store.pause([{ pipelineId: "a", pause }]);
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
      assert.deepEqual(await store.resume([{ pipelineId: "a" }], T0 + 2 * MINUTE), [pause]);
      assert.deepEqual(await store.resume([{ pipelineId: "a" }], T0 + 2 * MINUTE), [null]);
      const [state] = await store.states(["a"]);
      assert.deepEqual(state?.endedPauses, [{ from: T0, until: T0 + 2 * MINUTE, reason: "audit", user: "ana" }]);
      await store.pause([{ pipelineId: null, pause: { ...pause, until: T0 + 9 * MINUTE } }]);
      assert.equal((await store.globalPause()).pause?.until, T0 + 9 * MINUTE);
      const [all] = await store.fire([firing("b", T0 + MINUTE)], T0 + 3 * MINUTE);
      assert.equal(all?.outcome, "paused");
      assert.equal((await store.resume([{ pipelineId: null }], T0 + 4 * MINUTE))[0]?.reason, "audit");
      assert.deepEqual(await store.globalPause(), {
        pause: null,
        endedPauses: [{ from: T0, until: T0 + 4 * MINUTE, reason: "audit", user: "ana" }],
      });
      await assert.rejects(store.pause([{ pipelineId: "nobody", pause }]), { code: "UNKNOWN_PIPELINE" });
      await assert.rejects(store.resume([{ pipelineId: "nobody" }], T0), { code: "UNKNOWN_PIPELINE" });
    },
  ],
  [
    "gives a cursor to one node at a time, and moves it together with what it found",
    async (store) => {
      await store.register([registration("a")], T0);
      const claimOne = async (node: string, leaseUntil: number, now: number) =>
        (await store.claimCursors(["files"], node, leaseUntil, now))[0] ?? null;
      const first = await claimOne("n1", T0 + 10_000, T0);
      assert.deepEqual([first?.value, first?.node], [null, "n1"]);
      assert.equal(await claimOne("n2", T0 + 10_000, T0 + 1), null);
      const both = await store.claimCursors(["rows", "files"], "n1", T0 + 10_000, T0 + 2);
      assert.deepEqual(
        both.map((one) => one?.name),
        ["rows", "files"],
        "answered in the order of the names",
      );
      assert.equal(both[1]?.token, first?.token, "a longer lease changes nobody's token");
      const taken = await claimOne("n2", T0 + 30_000, T0 + 10_001);
      assert.ok(taken);
      assert.equal(await store.moveCursor("files", first?.token ?? 0, "old", [request("a")], T0 + 10_002), null);
      const moved = await store.moveCursor("files", taken.token, { at: 7 }, [request("a", { key: "f7" })], T0 + 10_003);
      assert.equal(moved?.length, 1);
      assert.equal(await claimOne("n1", T0 + 60_000, T0 + 10_004), null, "what is moved stays claimed");
      await store.releaseCursors(["files", "rows", "nothing"], "n2");
      const next = await claimOne("n1", T0 + 60_000, T0 + 10_005);
      assert.deepEqual(next?.value, { at: 7 });
      assert.ok((await store.claimCursors(["rows"], "n1", T0 + 60_000, T0 + 5_000))[0], "what another has is not given back");
      assert.equal((await store.listTriggers({ limit: 10 })).length, 1);
      const token = next?.token ?? 0;
      await assert.rejects(store.moveCursor("files", token, 8, [request("nobody")], T0 + 10_006), { code: "UNKNOWN_PIPELINE" });
      assert.deepEqual((await claimOne("n1", T0 + 60_000, T0 + 10_007))?.value, { at: 7 }, "all or nothing");
    },
  ],
  [
    "keeps the stack and the causes of an error with its attempt and with its run, and errors that have none",
    async (store) => {
      await store.register([registration("a", { maxActiveRuns: 10 })], T0);
      await store.enqueue([request("a")], T0);
      const [first] = await startAll(store, T0);
      const cause = {
        message: "connect ECONNREFUSED",
        code: "ECONNREFUSED",
        stack: "Error: connect ECONNREFUSED\n    at connect (net.ts:3:1)",
      };
      const error = {
        message: "cannot load “prices”",
        code: null,
        stack: "Error: cannot load “prices”\n    at load (work.ts:7:11)",
        cause,
      };
      const short = { message: "took longer than 60000 ms", code: "RUN_TIMED_OUT" };
      const ended = await finishOne(store, first ?? assert.fail(), T0, {
        end: { outcome: "failed", error, output: null, retryAt: T0 + MINUTE },
      });
      assert.deepEqual(ended.run?.error, error);
      const { attempts } = await claim(store, T0 + MINUTE);
      await finishOne(store, attempts[0]?.run ?? assert.fail(), T0 + MINUTE, {
        end: { outcome: "timed_out", error: short, output: null, retryAt: null },
      });
      const run = await store.run(first?.id ?? "");
      assert.deepEqual(run?.error, short);
      assert.deepEqual(
        run?.attempts.map((one) => one.error),
        [error],
      );
      const [listed] = await store.listRuns({ limit: 10 });
      assert.deepEqual(listed?.attempts[0]?.error, error);
    },
  ],
  [
    "lists what has ended, in the order in which it did, with runs and decisions, and dropped fire times",
    async (store) => {
      await store.register([registration("a", { maxActiveRuns: 10 })], T0);
      await store.enqueue([request("a"), request("a"), request("a")], T0);
      const runs = await startAll(store, T0);
      for (const [index, run] of runs.entries()) {
        const end = { outcome: "succeeded" as const, output: { index }, error: null, retryAt: null };
        await store.finish([{ runId: run.id, token: run.token, end, follow: [], onlyIfExpired: false }], () => T0 + (3 - index) * MINUTE);
      }
      const fire = firing("a", T0 + MINUTE);
      const missed = { count: 4, lastAt: T0 + 30_000 };
      const dropped = { id: nextId(), pipelineId: "a", triggerId: null, kind: "scheduled" as const, scheduledFor: T0, at: T0 + 90_000 };
      const reason = 'missed; catchup is "none"';
      await store.fire([{ ...fire, triggers: [], dropped: [{ ...dropped, outcome: "skip", reason, findings: [], missed }] }], T0 + 90_000);
      const all = await store.listFinished({ from: T0, until: T0 + 10 * MINUTE, limit: 10 });
      assert.deepEqual(
        all.map(({ trigger, run, decisions }) => [
          trigger?.endedAt ?? null,
          run?.status ?? null,
          decisions.map(({ outcome }) => outcome).join(),
        ]),
        [
          [T0 + MINUTE, "succeeded", "run"],
          [null, null, "skip"],
          [T0 + 2 * MINUTE, "succeeded", "run"],
          [T0 + 3 * MINUTE, "succeeded", "run"],
        ].sort((one, other) => Number(one[0] ?? T0 + 90_000) - Number(other[0] ?? T0 + 90_000)),
      );
      assert.equal(
        (await store.listFinished({ from: T0 + MINUTE, until: T0 + 2 * MINUTE, limit: 10 })).length,
        2,
        "from is within, until is not",
      );
      assert.equal((await store.listFinished({ from: T0, until: T0 + 10 * MINUTE, limit: 2 })).length, 2);
    },
  ],
  [
    "keeps the first answer under a key, and frees a key that nothing was answered under",
    async (store) => {
      const asked = { key: "ana:1", request: "digest", at: T0, answer: null };
      assert.deepEqual(await store.saveResponse(asked), asked);
      assert.deepEqual(await store.saveResponse({ ...asked, request: "another", at: T0 + 1 }), asked);
      const races = await Promise.all([1, 2, 3].map((n) => store.saveResponse({ ...asked, at: T0 + n, answer: { n } })));
      assert.equal(new Set(races.map(({ answer }) => JSON.stringify(answer))).size, 1);
      const [first] = races;
      assert.deepEqual(first?.at, T0);
      assert.deepEqual(await store.saveResponse({ ...asked, request: "another", answer: { n: 9 } }), first);
      await store.releaseKey("ana:1", "digest");
      assert.deepEqual(await store.saveResponse(asked), first);
      await store.saveResponse({ ...asked, key: "ana:2" });
      await store.releaseKey("ana:2", "another");
      assert.equal((await store.saveResponse({ ...asked, key: "ana:2", request: "another" })).request, "digest");
      await store.releaseKey("ana:2", "digest");
      assert.equal((await store.saveResponse({ ...asked, key: "ana:2", request: "another" })).request, "another");
      await pruneAll(store, T0 + 61 * MINUTE);
      assert.deepEqual((await store.saveResponse({ ...asked, answer: { n: 10 } })).answer, { n: 10 });
    },
    { count: 2, maxAge: "1h" },
  ],
  [
    "lists in pages, newest first, by filter",
    async (store) => {
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
    },
  ],
  [
    "keeps an audit log in one order for all writers, and says where it ends",
    async (store) => {
      assert.deepEqual(await store.auditHead(), { seq: 0, hash: "" });
      await store.appendAudit([entry("first", "a"), entry("second", null)], sealer);
      await Promise.all(["third", "fourth", "fifth"].map((action) => store.appendAudit([entry(action, "b")], sealer)));
      const all = await store.listAudit({ after: 0, limit: 100 });
      assert.deepEqual(
        all.map(({ seq }) => seq),
        [1, 2, 3, 4, 5],
      );
      assert.equal(brokenLink(all, START, keysOf(null)), null);
      assert.deepEqual(await store.auditHead(), { seq: 5, hash: all[4]?.hash });
      assert.deepEqual(await store.auditTail(), { seq: 0, hash: "" });
      assert.deepEqual(all[0], {
        ...entry("first", "a"),
        ids: ["one", "two"],
        sum: null,
        version: 2,
        keyId: null,
        seq: 1,
        previous: "",
        hash: all[0]?.hash,
      });
      const newest = await store.listAudit({ before: 5, limit: 2 });
      assert.deepEqual(
        newest.map(({ seq }) => seq),
        [4, 3],
      );
      const own = await store.listAudit({ pipelineIds: ["a"], limit: 10 });
      assert.deepEqual(
        own.map(({ action }) => action),
        ["first"],
      );
    },
  ],
  [
    "keeps a change and its entry in the audit log together, or neither",
    async (store) => {
      await store.register([registration("a")], T0);
      const pause = { at: T0, until: null, reason: null, user: "ana" };
      const noted = (action: string) => ({ entry: (before: unknown) => ({ ...entry(action, "a"), before }), sealer });
      const windows = (value: unknown, expected: number) => [{ kind: "windows", id: "w", value, expected }];
      await store.putDocuments(windows(["x"], 0), "ana", T0, noted("made"));
      await store.putDocuments(windows(["y"], 1), "ana", T0, noted("changed"));
      assert.equal(await store.putDocuments(windows(["z"], 1), "ben", T0, noted("too late")), null);
      await store.pause([{ pipelineId: "a", pause, noted: noted("pause") }]);
      await store.resume([{ pipelineId: "a", noted: noted("resume") }], T0 + MINUTE);
      assert.deepEqual(await store.resume([{ pipelineId: "a", noted: noted("resumed twice") }], T0 + MINUTE), [null]);
      await store.pause([{ pipelineId: null, pause, noted: noted("pause all") }]);
      await assert.rejects(store.pause([{ pipelineId: "nobody", pause, noted: noted("nobody") }]), { code: "UNKNOWN_PIPELINE" });
      const records = await store.listAudit({ after: 0, limit: 10 });
      assert.deepEqual(
        records.map(({ action, before }) => [action, before]),
        [
          ["made", [null]],
          ["changed", [["x"]]],
          ["pause", null],
          ["resume", pause],
          ["pause all", null],
        ],
      );
      assert.equal(brokenLink(records, START, keysOf(null)), null);
      const failing = {
        entry: () => {
          throw new Error("no entry");
        },
        sealer,
      };
      await assert.rejects(store.putDocuments(windows(["w"], 2), "ana", T0, failing));
      await assert.rejects(store.pause([{ pipelineId: "a", pause, noted: failing }]));
      await assert.rejects(store.resume([{ pipelineId: null, noted: failing }], T0 + MINUTE));
      assert.deepEqual((await store.documents("windows", ["w"]))[0]?.value, ["y"]);
      assert.equal((await store.states(["a"]))[0]?.pause, null);
      assert.deepEqual((await store.globalPause()).pause, pause);
      assert.equal((await store.auditHead()).seq, 5);
    },
  ],
  [
    "keeps triggers, cancels and a retirement together with their entries in the audit log",
    async (store) => {
      await store.register([registration("a")], T0);
      const by = (action: string) => (result: unknown) => {
        const list = Array.isArray(result) ? result : [result];
        const ids = list.map((one) => ("isNew" in one ? one.trigger.id : (one.run?.id ?? one.trigger?.id ?? one.id)));
        return list.length === 0 ? [] : [{ ...entry(action, "a"), ids }];
      };
      const noted = (action: string) => ({ entries: by(action), sealer });
      const [first, second, third, fourth] = [request("a"), request("a"), request("a"), request("a")];
      await store.enqueue([first, second], T0, { noted: noted("trigger") });
      await store.enqueue([third, fourth], T0);
      const cancel = { at: T0, user: "ana", reason: null };
      await store.endTrigger(first.id, "cancelled", cancel, noted("cancel"));
      assert.equal(await store.endTrigger("nobody", "cancelled", cancel, noted("nobody")), null);
      const [run] = await startAll(store, T0);
      await store.cancelRun(run?.id ?? "", cancel, noted("cancel run"));
      assert.equal(await store.cancelRun("nobody", cancel, noted("nobody")), null);
      await store.retire("a", cancel, noted("retire"));
      assert.equal(await store.retire("nobody", cancel, noted("nobody")), null);
      const records = await store.listAudit({ after: 0, limit: 10 });
      const waiting = [second.id, third.id, fourth.id].filter((id) => id !== run?.triggerId);
      assert.deepEqual(
        records.map(({ action, ids }) => [action, ids]),
        [
          ["trigger", [first.id, second.id]],
          ["cancel", [first.id]],
          ["cancel run", [run?.id]],
          ["retire", waiting],
        ],
      );
      assert.equal(brokenLink(records, START, keysOf(null)), null);
    },
  ],
  [
    "keeps both ends of the audit log as the holder of a key has sealed them",
    async (store) => {
      await store.appendAudit([entry("before the key", null)], sealer);
      const keys = keysOf("k1");
      await store.appendAudit([entry("adopted", null)], auditSealer(keys, { isAdopting: true }));
      assert.equal(isSealedMark("head", await store.auditHead(), keys), true);
      await store.appendAudit([entry("after", null)], auditSealer(keys));
      const head = await store.auditHead();
      assert.deepEqual([head.seq, head.keyId, isSealedMark("head", head, keys)], [3, "k1", true]);
      await assert.rejects(store.appendAudit([entry("without the key", null)], sealer), { code: "AUDIT_KEY_UNKNOWN" });
      const records = await store.listAudit({ after: 0, limit: 10 });
      assert.deepEqual(
        records.map(({ keyId }) => keyId),
        [null, "k1", "k1"],
      );
      assert.equal(brokenLink(records, START, keys), null);
    },
  ],
  [
    "counts what waits, no further than it is asked to",
    async (store) => {
      await store.register([registration("a"), registration("b")], T0);
      assert.equal(await store.countWaiting(10), 0);
      await store.enqueue([request("a"), request("b"), request("b")], T0);
      assert.deepEqual([await store.countWaiting(10), await store.countWaiting(2)], [3, 2]);
    },
  ],
];
