import { type Unread, unreadOf } from "../../../base/fields.js";
import { DECISION_FIELDS, type DecisionRecord } from "../../../gate/finding.js";
import { DECISIONS_PER_TRIGGER, foldHold, isRepeatedHold } from "../../../gate/repeated-hold.js";
import type { FinishedRecord, FinishedSummary } from "../../../monitor/finished-record.js";
import type { DecisionQuery, EndedQuery, ListQuery, RunQuery, TriggerQuery } from "../../../ports/store.js";
import { RUN_FIELDS, type RunRecord } from "../../../run/run.js";
import { TRIGGER_FIELDS, type TriggerRecord } from "../../../trigger/trigger.js";
import { type Ended, EndedRecords, type MemoryRetention } from "./ended-records.js";
import type { RunEntity, TriggerEntity } from "./entities.js";
import { within } from "./within.js";

/** Facts about a pruned record. */
export type PrunedRecord = FinishedRecord;

/** Everything the memory store keeps, by id, and what it forgets first. */
export class History {
  readonly triggers = new Map<string, TriggerEntity>();
  readonly runs = new Map<string, RunEntity>();
  readonly #decisions = new Map<string, DecisionRecord>();
  readonly #ended = new EndedRecords();
  readonly #retention: MemoryRetention;
  readonly #onForget: ((forgotten: PrunedRecord) => void) | undefined;

  constructor(retention: MemoryRetention, onForget: ((forgotten: PrunedRecord) => void) | undefined) {
    this.#retention = retention;
    this.#onForget = onForget;
  }

  /** Returns true if a decision on a trigger is recorded, by itself or as the last look of a hold that was the same before. */
  hasDecision(id: string, cell: TriggerEntity | undefined): boolean {
    return this.#decisions.has(id) || cell?.decisions.some(({ repeated }) => repeated?.lastId === id) === true;
  }

  addDropped(decision: DecisionRecord): void {
    this.#decisions.set(decision.id, decision);
    this.#ended.add(decision.at, decision.pipelineId, null, decision);
    this.#forgetExcess();
  }

  /** Records a decision on a trigger, and returns it as recorded: a hold that says the same as the one before is folded into that. The first decision and the newest are kept. */
  addDecision(decision: DecisionRecord, cell: TriggerEntity): DecisionRecord {
    const { decisions } = cell;
    const last = decisions.at(-1);
    const isRepeated = last !== undefined && isRepeatedHold(last, decision);
    const recorded = isRepeated ? foldHold(last, decision) : decision;
    this.#decisions.set(recorded.id, recorded);
    const before = isRepeated ? decisions.slice(0, -1) : decisions;
    if (before.length < DECISIONS_PER_TRIGGER) cell.decisions = [...before, recorded];
    else {
      const [first, second] = before as readonly [DecisionRecord, DecisionRecord];
      this.#decisions.delete(second.id);
      cell.decisions = [first, ...before.slice(2), recorded];
    }
    return recorded;
  }

  /** Decisions on dropped fire times of some pipelines that were recorded after an instant. */
  droppedAfter(at: number, pipelineIds: ReadonlySet<string>): DecisionRecord[] {
    const found: DecisionRecord[] = [];
    for (const { at: endedAt, decision } of this.#ended.since(at))
      if (endedAt > at && decision !== null && pipelineIds.has(decision.pipelineId)) found.push(decision);
    return found;
  }

  /** Takes decisions on dropped fire times back, or records them otherwise. Nothing counts as forgotten. */
  withdraw(ids: ReadonlySet<string>, amended: readonly DecisionRecord[]): void {
    if (ids.size === 0 && amended.length === 0) return;
    for (const id of ids) this.#decisions.delete(id);
    for (const decision of amended) this.#decisions.set(decision.id, decision);
    for (const one of [...this.#ended.since(Number.NEGATIVE_INFINITY)]) {
      if (one.decision === null) continue;
      if (ids.has(one.decision.id)) this.#ended.remove(one);
      else one.decision = this.#decisions.get(one.decision.id) ?? one.decision;
    }
  }

  /** Counts a trigger as ended, and forgets what is too much by now. */
  ended(cell: TriggerEntity): void {
    this.#ended.add(cell.record.endedAt as number, cell.record.pipelineId, cell, null);
    this.#forgetExcess();
  }

  /** Forgets what ended before the retention's age, at most `limit`; says how many. */
  prune(now: number, limit: number): number {
    const before = now - this.#retention.maxAgeMs;
    let count = 0;
    for (let oldest = this.#ended.oldest(); count < limit && oldest !== undefined && oldest.at < before; oldest = this.#ended.oldest()) {
      this.#forget(oldest);
      count++;
    }
    return count;
  }

  /** Forgets everything that has ended. */
  forgetAll(): void {
    for (let oldest = this.#ended.oldest(); oldest !== undefined; oldest = this.#ended.oldest()) this.#forget(oldest);
  }

  /** Kept triggers of a pipeline. */
  *triggersOf(pipelineId: string): Generator<TriggerRecord> {
    for (const { record } of this.triggers.values()) if (record.pipelineId === pipelineId) yield record;
  }

  /** Kept decisions on dropped fire times of a pipeline. */
  *dropsOf(pipelineId: string): Generator<DecisionRecord> {
    for (const { decision } of this.#ended.of(pipelineId)) if (decision !== null) yield decision;
  }

  listTriggers(query: TriggerQuery): TriggerRecord[] {
    return newest(
      [...this.triggers.values()],
      query,
      ({ createdAt, scheduledFor }) => scheduledFor ?? createdAt,
      (record) => {
        if (query.triggerId !== undefined && record.id !== query.triggerId) return false;
        if (query.statuses !== undefined && !query.statuses.includes(record.status)) return false;
        return query.kinds === undefined || query.kinds.includes(record.kind);
      },
      unreadOf(TRIGGER_FIELDS),
    );
  }

  /** Records that ended in a span. */
  listEnded({ from, until, limit }: EndedQuery): FinishedSummary[] {
    const found: FinishedSummary[] = [];
    for (const { at, cell, decision } of this.#ended.since(from)) {
      if (at >= until || found.length >= limit) break;
      if (cell !== null) found.push({ trigger: cell.record, run: cell.run?.record ?? null, decisions: cell.decisions });
      else if (decision !== null) found.push({ trigger: null, run: null, decisions: [decision] });
    }
    return found;
  }

  /** @param ofPipeline - the runs of the query's pipeline, if it names one, in the order they were made */
  listRuns(query: RunQuery, ofPipeline: Listed<RunEntity> | null): RunRecord[] {
    return newest(
      ofPipeline ?? [...this.runs.values()],
      query,
      ({ startedAt, scheduledFor }) => scheduledFor ?? startedAt,
      (record) => {
        if (query.triggerId !== undefined && record.triggerId !== query.triggerId) return false;
        return query.statuses === undefined || query.statuses.includes(record.status);
      },
      unreadOf(RUN_FIELDS),
    );
  }

  listDecisions(query: DecisionQuery): DecisionRecord[] {
    return newest(
      [...this.#decisions.values()].map((record) => ({ record })),
      query,
      ({ at, scheduledFor }) => scheduledFor ?? at,
      (record) => {
        if (query.triggerId !== undefined && record.triggerId !== query.triggerId) return false;
        return query.outcomes === undefined || query.outcomes.includes(record.outcome);
      },
      unreadOf(DECISION_FIELDS),
    );
  }

  #forgetExcess(): void {
    for (let one = this.#ended.excess(this.#retention); one !== undefined; one = this.#ended.excess(this.#retention)) this.#forget(one);
  }

  #forget(ended: Ended): void {
    const { cell, decision } = ended;
    this.#ended.remove(ended);
    if (decision !== null) {
      this.#decisions.delete(decision.id);
      this.#onForget?.({ trigger: null, run: null, decisions: [decision] });
      return;
    }
    const { record, life, run, decisions } = cell as TriggerEntity;
    this.triggers.delete(record.id);
    for (const one of decisions) this.#decisions.delete(one.id);
    if (record.scheduledFor !== null && life.byFireTime.get(record.scheduledFor) === cell) life.byFireTime.delete(record.scheduledFor);
    if (record.key !== null) life.byKey.delete(record.key);
    if (run !== null) {
      this.runs.delete(run.record.id);
      life.runs.remove(run);
    }
    this.#onForget?.({ trigger: record, run: run?.record ?? null, decisions });
  }
}

/** An array, or what can be read like one. */
interface Listed<T> {
  readonly length: number;
  at(index: number): T | undefined;
}

/** Records come in the order they were made; lists go out newest first. */
function newest<T extends { readonly id: string; readonly pipelineId: string }>(
  all: Listed<{ readonly record: T }>,
  query: ListQuery,
  instantOf: (record: T) => number,
  matches: (record: T) => boolean,
  large: Unread,
): T[] {
  const { pipelineId, before, limit, scheduledFrom = Number.NEGATIVE_INFINITY, scheduledUntil = Number.POSITIVE_INFINITY } = query;
  const found: T[] = [];
  for (let index = all.length - 1; index >= 0 && found.length < limit; index--) {
    const { record } = all.at(index) as { readonly record: T };
    if (before !== undefined && record.id >= before) continue;
    if (pipelineId !== undefined && record.pipelineId !== pipelineId) continue;
    const instant = instantOf(record);
    if (instant >= scheduledFrom && instant < scheduledUntil && matches(record)) found.push(within(record, large, query.valueLimit));
  }
  return found;
}
