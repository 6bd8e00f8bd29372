import { HeadgateError } from "../../../base/errors.js";
import type { AuditedWrite, NotedResult } from "../../../ports/store/audit.js";
import { EVENT_BOUNDS } from "../../../ports/store/events.js";
import type {
  Backlog,
  Claim,
  ClaimRequest,
  CursorRecord,
  DecideRequest,
  DecideResult,
  EnqueueOptions,
  EnqueueResult,
  FinishRequest,
  FinishResult,
  FireRequest,
  FireResult,
  GlobalPause,
  HeartbeatRequest,
  Now,
  Pause,
  PauseRequest,
  PipelineRegistration,
  PipelineState,
  PruneOptions,
  PruneResult,
  ResumeRequest,
  Store,
} from "../../../ports/store.js";
import type { CancelRequest, RunRecord } from "../../../run/run.js";
import { adoptAttempt } from "../../../run/transitions.js";
import type { SkippedFire } from "../../../schedule/skips.js";
import { endTrigger, expireTrigger, recheckTrigger, retireTrigger } from "../../../trigger/transitions.js";
import { isEnded, isWaiting, type NewTrigger, type TriggerEnd, type TriggerRecord } from "../../../trigger/trigger.js";
import { AuditTrail } from "./audit-trail.js";
import { Claims } from "./claims.js";
import { ClockRecovery } from "./clock-recovery.js";
import { Cursors } from "./cursors.js";
import { Documents } from "./documents.js";
import type { RunEntity } from "./entities.js";
import { EventRing } from "./event-ring.js";
import { History } from "./history.js";
import { Responses } from "./idempotency.js";
import { Intake } from "./intake.js";
import { Leases } from "./leases.js";
import { Pipelines } from "./pipelines.js";
import { ReadyQueue } from "./ready-queue.js";
import { RollUps } from "./roll-ups.js";
import { RunLifecycle } from "./run-lifecycle.js";
import { Slots } from "./slots.js";
import { dropsInto, forFireTimes, openAt } from "./trigger-history.js";
import { QueueUsage } from "./usage.js";

/** A store that also says what it holds, for tests and simulations. */
export interface MemoryStore extends Store {
  /** Prunes everything that has ended, and calls `onPrune`. */
  pruneFinished(): void;
}

/** Everything in this process's memory. */
export class InMemory implements MemoryStore {
  readonly name = "memory";
  readonly pollMs = null;
  readonly #pipelines: Pipelines;
  readonly #maxAgeMs: number;
  readonly #history: History;
  readonly #lines: ReadyQueue;
  readonly #slots = new Slots();
  readonly #usage = new QueueUsage();
  readonly #running = new Set<RunEntity>();
  readonly #claims: Claims;
  readonly #settling: RunLifecycle;
  readonly #intake: Intake;
  readonly #audit = new AuditTrail();
  readonly #documents = new Documents();
  readonly #leases = new Leases();
  readonly #cursors = new Cursors();
  readonly #responses = new Responses();
  readonly #recovery: ClockRecovery;
  readonly #events = new EventRing();
  readonly #rollUps = new RollUps();

  constructor(retention: ConstructorParameters<typeof History>[0], onForget: ConstructorParameters<typeof History>[1]) {
    this.#maxAgeMs = retention.maxAgeMs;
    this.#history = new History(retention, onForget);
    this.#lines = new ReadyQueue(this.#slots);
    this.#pipelines = new Pipelines(this.#lines);
    this.#settling = new RunLifecycle(
      this.#history,
      this.#pipelines,
      this.#lines,
      this.#slots,
      this.#usage,
      this.#running,
      (trigger, now) => (this.#pipelines.get(trigger.pipelineId) === undefined ? null : this.#intake.enqueue(trigger, now)),
    );
    this.#intake = new Intake(this.#pipelines, this.#history, this.#lines, this.#usage, this.#settling);
    this.#claims = new Claims(this.#lines, this.#slots, this.#running, this.#settling);
    this.#recovery = new ClockRecovery(this.#pipelines, this.#history, this.#lines, (leaseUntil) => {
      this.#cursors.shortenLeases(leaseUntil);
      this.#leases.shorten(leaseUntil);
    });
  }

  async open(): Promise<void> {}

  async close(): Promise<void> {}

  async verifySchema(): Promise<void> {}

  subscribe(): () => void {
    return () => {};
  }

  pruneFinished(): void {
    this.#history.forgetAll();
  }

  async register(pipelines: readonly PipelineRegistration[], now: number): Promise<readonly PipelineState[]> {
    this.#lines.settle(now);
    return pipelines.map((one) => this.#pipelines.register(one));
  }

  async states(pipelineIds: readonly string[]): Promise<readonly (PipelineState | null)[]> {
    return pipelineIds.map((id) => this.#pipelines.state(id));
  }

  async fire(requests: readonly FireRequest[], now: number): Promise<readonly FireResult[]> {
    return requests.map((request) => this.#intake.fire(request, now));
  }

  async enqueue(
    triggers: readonly NewTrigger[],
    now: number,
    { transaction, limits, noted }: EnqueueOptions = {},
  ): Promise<readonly EnqueueResult[]> {
    if (transaction !== undefined)
      throw new HeadgateError("INVALID_ARGUMENT", "transaction: the memory store does not support transactions");
    const results = await this.#intake.enqueueAll(triggers, now, limits);
    this.#audit.noteResult(results, noted);
    return results;
  }

  async claim(request: ClaimRequest, now: Now): Promise<Claim> {
    return this.#claims.claim(request, now());
  }

  async decide(requests: readonly DecideRequest[], now: Now): Promise<readonly DecideResult[]> {
    return requests.map((request) => this.#settling.decide(request, now()));
  }

  async finish(requests: readonly FinishRequest[], now: Now): Promise<readonly FinishResult[]> {
    return requests.map((request) => this.#settling.finish(request, now()));
  }

  async heartbeat(requests: readonly HeartbeatRequest[], leaseUntil: number): Promise<readonly (RunRecord | null)[]> {
    return requests.map(({ runId, token, progress, reference, error }) => {
      const cell = this.#history.runs.get(runId);
      if (cell === undefined || cell.record.status !== "running" || cell.record.token !== token) return null;
      const reported = { ...(progress === undefined ? {} : { progress }), ...(reference === undefined ? {} : { reference }) };
      cell.record = { ...cell.record, leaseUntil, ...reported, ...(error === undefined ? {} : { error }) };
      return cell.record;
    });
  }

  async adopt(runId: string, token: number, node: string, leaseUntil: number, now: number): Promise<RunRecord | null> {
    const cell = this.#history.runs.get(runId);
    if (cell === undefined || cell.record.status !== "running" || cell.record.token !== token || cell.record.leaseUntil > now) return null;
    cell.record = adoptAttempt(cell.record, node, leaseUntil);
    return cell.record;
  }

  async expiredRuns(now: number, limit: number): Promise<readonly RunRecord[]> {
    const found: RunRecord[] = [];
    for (const { record } of this.#running) {
      if (found.length >= limit) break;
      if (record.leaseUntil <= now) found.push(record);
    }
    return found;
  }

  async expire(now: number): Promise<readonly TriggerRecord[]> {
    this.#lines.settle(now);
    const ended: TriggerRecord[] = [];
    for (const cell of this.#lines.overdue) {
      this.#settling.end(cell, expireTrigger(cell.record, now));
      ended.push(cell.record);
    }
    return ended;
  }

  async recheck(pipelineIds: readonly string[] | null, now: number): Promise<void> {
    for (const id of pipelineIds ?? this.#pipelines.ids()) {
      for (const cell of this.#pipelines.get(id)?.life?.waiting ?? []) {
        if (cell.record.status !== "held") continue;
        cell.record = recheckTrigger(cell.record, now);
        this.#lines.wakeAt(cell, cell.record.availableAt);
      }
    }
  }

  async nextDueAt(now: number): Promise<number | null> {
    return this.#lines.nextAt(now);
  }

  async endTrigger(
    triggerId: string,
    end: TriggerEnd,
    request: CancelRequest,
    noted?: NotedResult<{ trigger: TriggerRecord; run: RunRecord | null }>,
  ): Promise<{ trigger: TriggerRecord; run: RunRecord | null } | null> {
    const cell = this.#history.triggers.get(triggerId);
    if (cell === undefined) return null;
    if (cell.run !== null && !isEnded(cell.record.status))
      return this.#audit.noteResult({ run: this.#settling.cancel(cell.run, request), trigger: cell.record }, noted);
    if (isWaiting(cell.record)) this.#settling.end(cell, endTrigger(cell.record, end, request.reason, request.at, { user: request.user }));
    return this.#audit.noteResult({ trigger: cell.record, run: cell.run?.record ?? null }, noted);
  }

  async cancelRun(
    runId: string,
    request: CancelRequest,
    noted?: NotedResult<{ run: RunRecord; trigger: TriggerRecord | null }>,
  ): Promise<{ run: RunRecord; trigger: TriggerRecord | null } | null> {
    const cell = this.#history.runs.get(runId);
    if (cell === undefined) return null;
    return this.#audit.noteResult({ run: this.#settling.cancel(cell, request), trigger: cell.trigger.record }, noted);
  }

  async retryRun(runId: string, now: number, noted?: NotedResult<RunRecord>): Promise<RunRecord | null> {
    const cell = this.#history.runs.get(runId);
    return cell === undefined ? null : this.#audit.noteResult(this.#settling.retryNow(cell, now), noted);
  }

  async pause(requests: readonly PauseRequest[]): Promise<void> {
    const before = this.#pipelines.pausesOf(requests.map(({ pipelineId }) => pipelineId));
    this.#audit.noteAll(requests.map(({ noted }, index) => [noted, before[index]]));
    for (const { pipelineId, pause } of requests) this.#pipelines.pause(pipelineId, pause);
  }

  async resume(requests: readonly ResumeRequest[], now: number): Promise<readonly (Pause | null)[]> {
    const before = this.#pipelines.pausesOf(requests.map(({ pipelineId }) => pipelineId));
    this.#audit.noteAll(requests.flatMap(({ noted }, index) => (before[index] === null ? [] : [[noted, before[index]]])));
    return requests.map(({ pipelineId }) => this.#pipelines.resume(pipelineId, now));
  }

  async globalPause(): Promise<GlobalPause> {
    return this.#lines.global;
  }

  async skip(pipelineId: string, skips: readonly SkippedFire[], noted?: AuditedWrite): Promise<readonly SkippedFire[]> {
    return this.#pipelines.skip(pipelineId, skips, (before) => this.#audit.note(noted, before));
  }

  async unskip(pipelineId: string, fireTimes: readonly number[] | null, noted?: AuditedWrite): Promise<readonly SkippedFire[]> {
    return this.#pipelines.unskip(pipelineId, fireTimes, (before) => this.#audit.note(noted, before));
  }

  async pausedPipelines(): Promise<readonly string[]> {
    return this.#pipelines.paused();
  }

  async trigger(id: string): Promise<TriggerRecord | null> {
    return this.#history.triggers.get(id)?.record ?? null;
  }

  async run(id: string): Promise<RunRecord | null> {
    return this.#history.runs.get(id)?.record ?? null;
  }

  async listTriggers(query: Parameters<Store["listTriggers"]>[0]): Promise<readonly TriggerRecord[]> {
    return this.#history.listTriggers(query);
  }

  async listRuns(query: Parameters<Store["listRuns"]>[0]): Promise<readonly RunRecord[]> {
    return this.#history.listRuns(query, query.pipelineId === undefined ? null : this.#pipelines.runsOf(query.pipelineId));
  }

  async listDecisions(query: Parameters<Store["listDecisions"]>[0]): ReturnType<Store["listDecisions"]> {
    return this.#history.listDecisions(query);
  }

  triggersOpenAt: Store["triggersOpenAt"] = async (query) => openAt(this.#history.triggersOf(query.pipelineId), query);
  triggersForFireTimes: Store["triggersForFireTimes"] = async (query) => forFireTimes(this.#history.triggersOf(query.pipelineId), query);
  dropsOfFireTimes: Store["dropsOfFireTimes"] = async (query) => dropsInto(this.#history.dropsOf(query.pipelineId), query);
  countRuns: Store["countRuns"] = async (pipelineId, from, until) => this.#pipelines.countRuns(pipelineId, from, until);
  recentStarts: Store["recentStarts"] = async (...args) => this.#pipelines.recentStarts(...args);
  listFinished: Store["listFinished"] = async (query) => this.#history.listEnded(query);

  async backlog(pipelineId?: string): Promise<Backlog> {
    return this.#pipelines.backlog(pipelineId);
  }

  async retire(
    pipelineId: string,
    request: CancelRequest,
    noted?: NotedResult<readonly TriggerRecord[]>,
  ): Promise<readonly TriggerRecord[] | null> {
    const waiting = this.#pipelines.retire(pipelineId);
    if (waiting === null) return null;
    for (const trigger of waiting) this.#settling.end(trigger, retireTrigger(trigger.record, request));
    return this.#audit.noteResult<readonly TriggerRecord[]>(
      waiting.map(({ record }) => record),
      noted,
    );
  }

  async claimCursors(names: readonly string[], node: string, leaseUntil: number, now: number): Promise<readonly (CursorRecord | null)[]> {
    return names.map((name) => this.#cursors.claim(name, node, leaseUntil, now));
  }

  async releaseCursors(names: readonly string[], node: string): Promise<void> {
    for (const name of names) this.#cursors.release(name, node);
  }

  async moveCursor(
    name: string,
    token: number,
    value: unknown,
    triggers: readonly NewTrigger[],
    now: number,
  ): Promise<readonly EnqueueResult[] | null> {
    if (!this.#cursors.isHeld(name, token)) return null;
    const accepted = await this.enqueue(triggers, now);
    this.#cursors.move(name, value, now);
    return accepted;
  }

  documents: Store["documents"] = async (kind, ids) => ids.map((id) => this.#documents.get(kind, id));
  listDocuments: Store["listDocuments"] = async (...args) => this.#documents.list(...args);
  putDocuments: Store["putDocuments"] = async (...[writes, by, now, noted]) =>
    this.#documents.put(writes, by, now, (before) => this.#audit.note(noted, before));
  claimLease: Store["claimLease"] = async (...args) => this.#leases.claim(...args);
  lease: Store["lease"] = async (name) => this.#leases.get(name);
  releaseLease: Store["releaseLease"] = async (lease) => this.#leases.release(lease);
  saveResponse: Store["saveResponse"] = async (record) => this.#responses.save(record);
  releaseKey: Store["releaseKey"] = async (key, request) => this.#responses.release(key, request);
  appendAudit: Store["appendAudit"] = async (...args) => this.#audit.append(...args);
  listAudit: Store["listAudit"] = async (query) => this.#audit.list(query);
  auditHead: Store["auditHead"] = async () => this.#audit.head;
  auditTail: Store["auditTail"] = async (after = 0) => this.#audit.tail(after);
  appendEvents: Store["appendEvents"] = async (...args) => this.#events.append(...args);
  listEvents: Store["listEvents"] = async (after, limit) => this.#events.list(after, limit);
  lastEventSeq: Store["lastEventSeq"] = async () => this.#events.last;

  async countWaiting(limit: number): Promise<number> {
    return Math.min(limit, this.#usage.count);
  }

  replan: Store["replan"] = async (...args) => this.#recovery.replan(...args);
  rebase: Store["rebase"] = async (leaseUntil, now) => this.#recovery.rebase(leaseUntil, now);
  firesMade: Store["firesMade"] = async (...args) => this.#recovery.firesMade(...args);

  async serverTime(): Promise<null> {
    return null;
  }

  rollUps: Store["rollUps"] = async (query) => this.#rollUps.list(query);

  async saveRollUps(...[lease, rows]: Parameters<Store["saveRollUps"]>): Promise<boolean> {
    if (!this.#leases.isHeld(lease)) return false;
    this.#rollUps.save(rows);
    return true;
  }

  async prune(now: number, { limit = 100 }: PruneOptions = {}): Promise<PruneResult> {
    this.#responses.forgetBefore(now - this.#maxAgeMs);
    this.#events.prune(EVENT_BOUNDS, now);
    const removed = this.#history.prune(now, limit);
    return { removed, isDone: removed < limit };
  }
}
