/**
 * A store in one JSON file: every operation is one synchronous transaction, written to the disk before it is answered. It shows what a store has to do, and is fit for a few hundred records; it reads nothing by
 * an index.
 */
import { type DocumentRecord, HeadgateError, storeRules as rules, type Store } from "headgate";
import { append, noteChange, noteResult } from "./audit.js";
import { Claiming } from "./claim.js";
import { firesMade, rebase, replan } from "./clock-recovery.js";
import { decide, recentStarts } from "./decide.js";
import * as history from "./history.js";
import * as pipelines from "./pipelines.js";
import * as queue from "./queue.js";
import { activeOf, isWaiting, knownPipeline, stateOf, waitingOf } from "./records.js";
import { cancelRunOf, finish, heartbeat } from "./runs.js";
import { type State, StateFile } from "./state.js";

const DAY_MS = 86_400_000;

/** Options of {@link jsonStore}. */
export interface JsonStoreOptions {
  /** Path of the file; it is created when it is not there. */
  readonly file: string;
  /** Default: 1,000 ended triggers, none older than 30 days. */
  readonly retention?: Partial<history.Kept>;
}

/** A store for one process. */
export function jsonStore({ file, retention = {} }: JsonStoreOptions): Store {
  const kept: history.Kept = { count: 1_000, countPerPipeline: null, maxAgeMs: 30 * DAY_MS, ...retention };
  const data = new StateFile(file);
  const read = async <T>(work: (state: State) => T): Promise<T> => work(data.current);
  const change = async <T>(work: (state: State) => T): Promise<T> => data.change(work);
  return {
    name: "json",
    pollMs: null,
    open: async () => data.load(),
    close: async () => {},
    verifySchema: async () => {},
    subscribe: () => () => {},
    serverTime: async () => null,

    register: (all) => change((state) => all.map((one) => pipelines.register(state, one))),
    states: (ids) => read((state) => ids.map((id) => (state.pipelines.has(id) ? stateOf(state, knownPipeline(state, id)) : null))),
    fire: (requests, now) => change((state) => requests.map((one) => pipelines.fire(state, one, now))),
    pause: (requests) => change((state) => pipelines.pause(state, requests)),
    resume: (requests, now) => change((state) => pipelines.resume(state, requests, now)),
    skip: (...request) => change((state) => pipelines.skip(state, ...request)),
    unskip: (...request) => change((state) => pipelines.unskip(state, ...request)),
    globalPause: () => read(({ global }) => global),
    pausedPipelines: () => read((state) => [...state.pipelines.values()].flatMap(({ id, pause }) => (pause === null ? [] : [id]))),
    retire: (id, request, noted) =>
      change((state) => {
        const row = state.pipelines.get(id);
        if (row === undefined) return null;
        state.pipelines.set(id, { ...row, nextFireAt: null, scheduleKey: rules.RETIRED });
        const ended = waitingOf(state, id).map((one) => rules.retireTrigger(one, request));
        for (const one of ended) state.triggers.set(one.id, one);
        return noteResult(state, ended, noted);
      }),

    enqueue: (triggers, now, { transaction, limits, noted } = {}) =>
      change((state) => {
        if (transaction !== undefined) throw new HeadgateError("INVALID_ARGUMENT", "transaction: a JSON file has none to join");
        const results = queue.enqueueAll(state, triggers, now, limits);
        return noteResult(state, results, noted) ?? results;
      }),
    claim: (request, now) => change((state) => new Claiming(state, request, now()).run()),
    decide: (requests, now) => change((state) => requests.map((one) => decide(state, one, now()))),
    expire: (now) => change((state) => queue.expire(state, now)),
    recheck: (ids, now) =>
      change((state) => {
        for (const one of waitingOf(state))
          if (one.status === "held" && (ids === null || ids.includes(one.pipelineId)))
            state.triggers.set(one.id, rules.recheckTrigger(one, now));
      }),
    nextDueAt: (now) => read((state) => queue.nextDueAt(state, now)),
    endTrigger: (id, end, request, noted) =>
      change((state) => {
        const trigger = state.triggers.get(id);
        if (trigger === undefined) return null;
        if (trigger.status === "running") cancelRunOf(state, trigger.runId ?? "", request);
        else if (isWaiting(trigger))
          state.triggers.set(id, rules.endTrigger(trigger, end, request.reason, request.at, { user: request.user }));
        const result = { trigger: state.triggers.get(id) ?? trigger, run: state.runs.get(trigger.runId ?? "") ?? null };
        return noteResult(state, result, noted);
      }),
    countWaiting: (limit) => read((state) => Math.min(limit, waitingOf(state).length)),
    backlog: (id) => read((state) => history.backlog(state, id)),

    finish: (requests, now) => change((state) => requests.map((one) => finish(state, one, now()))),
    heartbeat: (requests, leaseUntil) => change((state) => requests.map((one) => heartbeat(state, one, leaseUntil))),
    adopt: (id, token, node, leaseUntil, now) =>
      change((state) => {
        const run = state.runs.get(id);
        if (run === undefined || run.status !== "running" || run.token !== token || run.leaseUntil > now) return null;
        const adopted = rules.adoptAttempt(run, node, leaseUntil);
        state.runs.set(id, adopted);
        return adopted;
      }),
    expiredRuns: (now, limit) =>
      read((state) =>
        activeOf(state)
          .filter(({ status, leaseUntil }) => status === "running" && leaseUntil <= now)
          .slice(0, limit),
      ),
    cancelRun: (id, request, noted) =>
      change((state) => {
        const run = cancelRunOf(state, id, request);
        return run === null ? null : noteResult(state, { run, trigger: state.triggers.get(run.triggerId) ?? null }, noted);
      }),
    retryRun: (id, now, noted) =>
      change((state) => {
        const run = state.runs.get(id);
        if (run === undefined) return null;
        const next = rules.retryNow(run, now);
        state.runs.set(id, next);
        return noteResult(state, next, noted);
      }),
    countRuns: (id, from, until) => read((state) => recentStarts(state, id, from, until, Number.POSITIVE_INFINITY).count),
    recentStarts: (...args) => read((state) => recentStarts(state, ...args)),

    trigger: (id) => read(({ triggers }) => triggers.get(id) ?? null),
    run: (id) => read(({ runs }) => runs.get(id) ?? null),
    listTriggers: (query) => read((state) => history.listTriggers(state, query)),
    listRuns: (query) => read((state) => history.listRuns(state, query)),
    listDecisions: (query) => read((state) => history.listDecisions(state, query)),
    listFinished: (query) => read((state) => history.listFinished(state, query)),
    triggersOpenAt: (query) => read((state) => history.triggersOpenAt(state, query)),
    triggersForFireTimes: (query) => read((state) => history.triggersForFireTimes(state, query)),
    dropsOfFireTimes: (query) => read((state) => history.dropsOfFireTimes(state, query)),
    prune: (now, { limit = 100 } = {}) => change((state) => history.prune(state, kept, now, limit)),

    documents: (kind, ids) => read(({ documents }) => ids.map((id) => documents.get(keyOf(kind, id)) ?? null)),
    listDocuments: (kind, { after, limit }) =>
      read(({ documents }) => {
        const found = [...documents.values()].filter((one) => one.kind === kind && (after === null || one.id > after));
        return found.sort((a, b) => (a.id < b.id ? -1 : 1)).slice(0, limit);
      }),
    putDocuments: (writes, by, now, noted) =>
      change((state) => {
        const known = writes.map(({ kind, id }) => state.documents.get(keyOf(kind, id)) ?? null);
        if (writes.some(({ expected }, index) => expected !== null && expected !== (known[index]?.version ?? 0))) return null;
        noteChange(
          state,
          known.map((one) => one?.value ?? null),
          noted,
        );
        return writes.map(({ kind, id, value }, index): DocumentRecord | null => {
          const written = { kind, id, value, version: (known[index]?.version ?? 0) + 1, updatedAt: now, updatedBy: by };
          if (value === null) state.documents.delete(keyOf(kind, id));
          else state.documents.set(keyOf(kind, id), written);
          return value === null ? null : written;
        });
      }),

    claimLease: (name, holder, leaseUntil, now) =>
      change(({ leases }) => {
        const claimed = rules.claimLease(leases.get(name) ?? null, name, holder, leaseUntil, now);
        if (claimed !== null) leases.set(name, claimed);
        return claimed;
      }),
    lease: (name) => read(({ leases }) => leases.get(name) ?? null),
    releaseLease: ({ name, token }) =>
      change(({ leases }) => {
        const released = rules.releaseLease(leases.get(name) ?? null, token);
        if (released !== null) leases.set(name, released);
      }),

    claimCursors: (names, node, leaseUntil, now) =>
      change(({ cursors }) =>
        names.map((name) => {
          const known = cursors.get(name) ?? { name, value: null, token: 0, node: null, leaseUntil: null, updatedAt: now };
          const claimed = rules.claimCursor(known, node, leaseUntil, now);
          if (claimed !== null) cursors.set(name, claimed);
          return claimed;
        }),
      ),
    moveCursor: (name, token, value, triggers, now) =>
      change((state) => {
        const known = state.cursors.get(name);
        if (known === undefined || known.node === null || known.token !== token) return null;
        state.cursors.set(name, { ...known, value, updatedAt: now });
        return queue.enqueueAll(state, triggers, now);
      }),
    releaseCursors: (names, node) =>
      change(({ cursors }) => {
        for (const name of names) {
          const known = cursors.get(name);
          if (known?.node === node) cursors.set(name, { ...known, node: null, leaseUntil: null });
        }
      }),

    saveResponse: (record) =>
      change(({ responses }) => {
        const known = responses.get(record.key) ?? { ...record, answer: null };
        const isAnswer = known.request === record.request && known.answer === null;
        const stored = isAnswer ? { ...known, answer: record.answer } : known;
        responses.set(record.key, stored);
        return stored;
      }),
    releaseKey: (key, request) =>
      change(({ responses }) => {
        const known = responses.get(key);
        if (known?.request === request && known.answer === null) responses.delete(key);
      }),

    appendAudit: (entries, sealer) => change((state) => append(state, entries, sealer)),
    listAudit: ({ after, before = Number.POSITIVE_INFINITY, pipelineIds, limit }) =>
      read(({ audit }) => {
        const isWanted = (id: string | null) => pipelineIds === undefined || (id !== null && pipelineIds.includes(id));
        const found = [...audit.values()].filter(({ seq, pipelineId }) => seq > (after ?? 0) && seq < before && isWanted(pipelineId));
        return (after === undefined ? found.reverse() : found).slice(0, limit);
      }),
    auditHead: () => read(({ auditHead }) => auditHead),
    auditTail: () => read(({ auditTail }) => auditTail),

    appendEvents: (events, bounds, now) =>
      change((state) => {
        for (const event of events) state.events.set(++state.lastEventSeq, { seq: state.lastEventSeq, ...event });
        history.pruneEvents(state, bounds, now);
      }),
    listEvents: (after, limit) => read(({ events }) => [...events.values()].filter(({ seq }) => seq > after).slice(0, limit)),
    lastEventSeq: () => read(({ lastEventSeq }) => lastEventSeq),

    rollUps: (query) =>
      read(({ statistics }) => {
        if ("pipelineIds" in query) return query.pipelineIds.flatMap((id) => statistics.get(id) ?? []);
        const found = [...statistics.values()].filter(({ pipelineId }) => query.after === null || pipelineId > query.after);
        return found.sort((a, b) => (a.pipelineId < b.pipelineId ? -1 : 1)).slice(0, query.limit);
      }),
    saveRollUps: ({ name, token }, rows) =>
      change(({ leases, statistics }) => {
        if (!rules.isFencedBy(leases.get(name), token)) return false;
        for (const row of rows) statistics.set(row.pipelineId, row);
        return true;
      }),

    replan: (requests, now) => change((state) => requests.map((one) => replan(state, one, now))),
    rebase: (leaseUntil, now) => change((state) => rebase(state, leaseUntil, now)),
    firesMade: (ids, until) => read((state) => ids.map((id) => firesMade(state, id, until))),
  };
}

const keyOf = (kind: string, id: string) => JSON.stringify([kind, id]);
