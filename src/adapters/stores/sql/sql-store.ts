import { type Duration, durationMs } from "../../../base/duration.js";
import { HeadgateError } from "../../../base/errors.js";
import { checkOptions } from "../../../base/options.js";
import type { Claim, EnqueueResult, Store } from "../../../ports/store.js";
import { countsOf } from "../../../trigger/retention.js";
import * as audit from "./audit.js";
import * as claims from "./claim.js";
import * as recovery from "./clock-recovery.js";
import * as cursors from "./cursors.js";
import { type Database, type Session, select } from "./database.js";
import * as decisions from "./decide.js";
import * as documents from "./documents.js";
import * as events from "./events.js";
import { finish } from "./finish.js";
import * as fires from "./fire.js";
import * as responses from "./idempotency.js";
import * as leases from "./leases.js";
import * as lists from "./lists.js";
import * as upkeep from "./maintenance.js";
import * as pauses from "./pauses.js";
import { mayBeApart, withParameters } from "./payloads.js";
import * as pipelines from "./pipelines.js";
import { prune, type SqlRetention } from "./prune.js";
import * as queue from "./queue.js";
import { register } from "./register.js";
import * as settle from "./run-lifecycle.js";
import * as skips from "./skips.js";
import { recentStarts } from "./start-checks.js";
import * as statistics from "./statistics.js";
import { HIDDEN } from "./statuses.js";
import { LEASES, RUNS, TRIGGERS } from "./tables.js";
import * as history from "./trigger-history.js";

/** Retention of finished records in a durable store. */
export interface RetentionOptions {
  /**
   * Ended triggers with their runs and decisions, and dropped fire times, of all pipelines together. Beyond it the pipeline that has most loses its oldest, so that a busy pipeline never costs another one
   * its history. Default 1,000,000.
   */
  count?: number;
  /** The same of each pipeline. Default `null`: no limit but `count`. */
  countPerPipeline?: number | null;
  /** Their age, and that of the answers under idempotency keys. Default `"90d"`. */
  maxAge?: Duration;
  /** Records of the audit log. Default `"400d"`; `null` keeps them all. */
  audit?: Duration | null;
}

/** A store on a database: every method one transaction, the state machines' own functions between reading and writing. */
export function sqlStore(database: Database, options: RetentionOptions = {}, line: claims.ClaimLine = claims.claimLine()): Store {
  const retention = retentionOf(options);
  const { session } = database;
  const known = new Set<string>();
  /** Reason why nothing is written any more except ends of runs. */
  let newer: HeadgateError | null = null;
  const refuseIfNewer = () => {
    if (newer !== null) throw newer;
  };
  const within = async <T>(work: (session: Session) => Promise<T>) => {
    refuseIfNewer();
    return database.transaction(work);
  };
  /** Writes, and notifies the other nodes if there is something for them. */
  const telling = async <T>(work: (session: Session) => Promise<T>, isNews: (answer: T) => boolean = () => true) => {
    const answer = await within(work);
    if (isNews(answer)) database.notify();
    return answer;
  };
  const mustBeKnown = async (on: Session, ids: readonly string[]) => {
    const unknown = [...new Set(ids)].filter((id) => !known.has(id));
    if (unknown.length === 0) return;
    const registered = await pipelines.registered(on, unknown);
    for (const id of unknown) if (!registered.has(id)) throw unknownPipeline(id);
  };
  return {
    name: database.name,
    get pollMs() {
      return database.pollMs;
    },
    open: (signal) => database.open(signal),
    close: (signal) => database.close(signal),
    verifySchema: async () => {
      newer = await database.newerSchema();
      refuseIfNewer();
    },
    subscribe: (onChange) => database.subscribe(onChange),
    register: async (registrations) => {
      if (registrations.length === 0) return [];
      refuseIfNewer();
      const states = await register(database, registrations);
      for (const { id } of states) known.add(id);
      return states;
    },
    states: (ids) => pipelines.states(session, ids),
    fire: (requests, now) =>
      telling(
        (on) => fires.fire(on, requests, now),
        (results) => results.some(({ triggers }) => triggers.length > 0),
      ),
    enqueue: async (triggers, now, { transaction, limits, noted } = {}) => {
      refuseIfNewer();
      const on = transaction === undefined ? session : await database.joined(transaction);
      await mustBeKnown(
        on,
        triggers.map(({ pipelineId }) => pipelineId),
      );
      const isOneStatement = limits === undefined && noted === undefined && triggers.length <= fires.ADDED_AT_ONCE && !mayBeApart(triggers);
      const work = async (own: Session): Promise<readonly EnqueueResult[]> => {
        const answers = await fires.enqueue(own, triggers, now, limits);
        const results = answers.map((answer, index) => accepted(answer, triggers[index]?.pipelineId ?? "?"));
        await audit.noteResult(own, results, noted);
        return results;
      };
      return transaction !== undefined || isOneStatement ? work(on) : within(work);
    },
    claim: async (request, now) => {
      refuseIfNewer();
      return database.claiming((on) => claims.claim(on, request, line, now), isOnlyClaimed);
    },
    decide: async (requests, now) => {
      refuseIfNewer();
      return decisions.decideAll(database, requests, now);
    },
    finish: async (requests, now) => {
      const results = await finish(database, requests, now); // also into a newer schema: a result that is lost is worse
      database.notify();
      return results;
    },
    heartbeat: (requests, leaseUntil) => database.leasing((on) => settle.heartbeat(on, requests, leaseUntil)),
    adopt: (runId, token, node, leaseUntil, now) => within((on) => settle.adopt(on, runId, token, node, leaseUntil, now)),
    expiredRuns: (now, limit) => upkeep.expiredRuns(session, now, limit),
    expire: (now) => within((on) => upkeep.expire(on, now)),
    recheck: (ids, now) => telling((on) => upkeep.recheck(on, ids, now)),
    nextDueAt: (now) => upkeep.nextDueAt(session, now),
    endTrigger: (id, end, request, noted) => telling(async (on) => audit.noteResult(on, await settle.endOne(on, id, end, request), noted)),
    cancelRun: (id, request, noted) => telling(async (on) => audit.noteResult(on, await settle.cancelOne(on, id, request), noted)),
    retryRun: (id, now, noted) => telling(async (on) => audit.noteResult(on, await settle.retryOne(on, id, now), noted)),
    pause: async (requests) => {
      const unknown = await telling((on) => pauses.pause(on, requests));
      if (unknown !== null) throw unknownPipeline(unknown);
    },
    resume: async (requests, now) => {
      const ended = await telling((on) => pauses.resume(on, requests, now));
      if (typeof ended === "string") throw unknownPipeline(ended);
      return ended;
    },
    skip: async (id, added, noted) => (await telling((on) => skips.skip(on, id, added, noted))) ?? refuseUnknown(id),
    unskip: async (id, fireTimes, noted) => (await telling((on) => skips.unskip(on, id, fireTimes, noted))) ?? refuseUnknown(id),
    globalPause: () => pauses.globalPause(session),
    pausedPipelines: () => pauses.pausedPipelines(session),
    trigger: async (id) => (await withParameters(session, await select(session, TRIGGERS, "WHERE id = $1", [id])))[0] ?? null,
    run: async (id) => (await select(session, RUNS, "WHERE id = $1", [id]))[0] ?? null,
    listTriggers: (query) => lists.listTriggers(session, query),
    listRuns: (query) => lists.listRuns(session, query),
    listDecisions: (query) => lists.listDecisions(session, query),
    triggersOpenAt: (query) => history.triggersOpenAt(session, query),
    triggersForFireTimes: (query) => history.triggersForFireTimes(session, query),
    dropsOfFireTimes: (query) => history.dropsOfFireTimes(session, query),
    listFinished: (query) => lists.listEnded(session, query),
    backlog: (pipelineId) => queue.backlog(session, pipelineId),
    countRuns: async (id, from, until) => {
      const sql = `SELECT count(*) AS n FROM ${session.dialect.name("runs")} WHERE ${HIDDEN.pipelineId} = $1 AND started_at >= $2 AND started_at < $3`;
      return Number((await session.query(sql, [id, from, until]))[0]?.n ?? 0);
    },
    recentStarts: (id, from, until, limit) => recentStarts(session, id, from, until, limit),
    retire: (id, request, noted) => telling(async (on) => audit.noteResult(on, await pipelines.retire(on, id, request), noted)),
    claimCursors: (names, node, leaseUntil, now) => within((on) => cursors.claimCursors(on, names, node, leaseUntil, now)),
    releaseCursors: (names, node) => database.transaction((on) => cursors.releaseCursors(on, names, node)),
    moveCursor: async (name, token, value, triggers, now) => {
      await mustBeKnown(
        session,
        triggers.map(({ pipelineId }) => pipelineId),
      );
      const answers = await telling((on) => cursors.moveCursor(on, name, token, value, triggers, now));
      return answers?.map((answer, index) => accepted(answer, triggers[index]?.pipelineId ?? "?")) ?? null;
    },
    documents: (kind, ids) => documents.documents(session, kind, ids),
    listDocuments: (kind, query) => documents.listDocuments(session, kind, query),
    putDocuments: async (...args) => {
      const written = await documents.unlessLate(within((on) => documents.putDocuments(on, ...args)));
      if (written !== null) database.notify();
      return written;
    },
    claimLease: (...args) => within((on) => leases.claim(on, ...args)),
    lease: async (name) => (await select(session, LEASES, "WHERE name = $1", [name]))[0] ?? null,
    releaseLease: (lease) => database.transaction((on) => leases.release(on, lease)),
    saveResponse: (record) => within((on) => responses.saveResponse(on, record)),
    releaseKey: (key, request) => responses.releaseKey(session, key, request),
    appendAudit: (entries, sealer) => within((on) => audit.append(on, entries, sealer)),
    listAudit: (query) => audit.list(session, query),
    auditHead: () => audit.head(session),
    auditTail: () => audit.tail(session),
    appendEvents: (added, bounds, now) => within((on) => events.append(on, added, bounds, now)),
    listEvents: (after, limit) => events.list(session, after, limit),
    lastEventSeq: () => events.last(session),
    countWaiting: (limit) => upkeep.countWaiting(session, limit),
    replan: (requests, now) => telling((on) => recovery.replan(on, requests, now)),
    rebase: (leaseUntil, now) => within((on) => recovery.rebase(on, leaseUntil, now)),
    firesMade: (ids, until) => recovery.firesMade(session, ids, until),
    serverTime: () => database.serverTime(),
    rollUps: (query) => statistics.rollUps(session, query),
    saveRollUps: (...args) => within((on) => statistics.saveRollUps(on, ...args)),
    prune: (now, options = {}) => within((on) => prune(on, retention, now, options)),
  };
}

/** @throws HeadgateError `INVALID_ARGUMENT`, `INVALID_DURATION` */
function retentionOf(options: RetentionOptions): SqlRetention {
  checkOptions(options, { count: true, countPerPipeline: true, maxAge: true, audit: true }, "retention");
  return {
    ...countsOf(options, { count: 1_000_000 }, "retention"),
    maxAgeMs: durationMs(options.maxAge ?? "90d", "retention.maxAge"),
    auditMs: options.audit === null ? null : durationMs(options.audit ?? "400d", "retention.audit"),
  };
}

/** Allows a retry after a lost response: a lost claim is claimed again. */
function isOnlyClaimed({ decided, attempts, cancelled, ended, superseded }: Claim): boolean {
  return [decided, attempts, cancelled, ended, superseded].every(({ length }) => length === 0);
}

function accepted(answer: EnqueueResult | null, pipelineId: string): EnqueueResult {
  if (answer === null) throw unknownPipeline(pipelineId);
  return answer;
}

/** @throws HeadgateError `UNKNOWN_PIPELINE` */
function refuseUnknown(id: string): never {
  throw unknownPipeline(id);
}

function unknownPipeline(id: string | null): HeadgateError {
  return new HeadgateError("UNKNOWN_PIPELINE", `pipeline ${id} is not registered`, { details: { pipelineId: id } });
}
