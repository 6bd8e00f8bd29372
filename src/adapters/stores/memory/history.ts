import type { DecisionRecord } from "../../../gate/finding.js";
import { DECISIONS_PER_TRIGGER, foldHold, isRepeatedHold } from "../../../gate/repeated-hold.js";
import type { EndedRecord, EndedSummary } from "../../../monitor/ended.js";
import type { DecisionQuery, EndedQuery, ListQuery, RunQuery, TriggerQuery } from "../../../ports/store.js";
import type { RunRecord } from "../../../run/run.js";
import type { TriggerRecord } from "../../../trigger/trigger.js";
import type { RunCell, TriggerCell } from "./cells.js";
import { within } from "./within.js";

/** What is kept of what has ended. */
export interface Retention {
  /** Ended triggers with their runs and decisions, and dropped fire times. */
  readonly count: number;
  /** Of their parameters and outputs. */
  readonly bytes: number;
  readonly maxAgeMs: number;
}

/** What is told of what is forgotten. */
export type Forgotten = EndedRecord;

type Ended = { readonly at: number; readonly cell: TriggerCell | null; readonly decision: DecisionRecord | null };

/** Everything the memory store keeps, by id, and what it forgets first. */
export class History {
  readonly triggers = new Map<string, TriggerCell>();
  readonly runs = new Map<string, RunCell>();
  readonly #decisions = new Map<string, DecisionRecord>();
  #ended: Ended[] = [];
  #first = 0;
  #bytes = 0;
  readonly #retention: Retention;
  readonly #onForget: ((forgotten: Forgotten) => void) | undefined;

  constructor(retention: Retention, onForget: ((forgotten: Forgotten) => void) | undefined) {
    this.#retention = retention;
    this.#onForget = onForget;
  }

  /** Whether a decision on a trigger is recorded, by itself or as the last look of a hold that was the same before. */
  hasDecision(id: string, cell: TriggerCell | undefined): boolean {
    return this.#decisions.has(id) || cell?.decisions.some(({ repeated }) => repeated?.lastId === id) === true;
  }

  addDropped(decision: DecisionRecord): void {
    this.#decisions.set(decision.id, decision);
    this.#end({ at: decision.at, cell: null, decision });
  }

  /** Records a decision on a trigger, and returns it as recorded: a hold that says the same as the one before is folded into that. The first decision and the newest are kept. */
  addDecision(decision: DecisionRecord, cell: TriggerCell): DecisionRecord {
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
    for (let index = this.#ended.length - 1; index >= this.#first; index--) {
      const { at: endedAt, decision } = this.#ended[index] as Ended;
      if (endedAt <= at) break;
      if (decision !== null && pipelineIds.has(decision.pipelineId)) found.push(decision);
    }
    return found.reverse();
  }

  /** Takes decisions on dropped fire times back, or records them otherwise. Nothing counts as forgotten. */
  withdraw(ids: ReadonlySet<string>, amended: readonly DecisionRecord[]): void {
    if (ids.size === 0 && amended.length === 0) return;
    for (const id of ids) this.#decisions.delete(id);
    for (const decision of amended) this.#decisions.set(decision.id, decision);
    const kept = this.#ended.slice(this.#first).flatMap((one): Ended[] => {
      if (one.decision === null) return [one];
      return ids.has(one.decision.id) ? [] : [{ ...one, decision: this.#decisions.get(one.decision.id) ?? one.decision }];
    });
    this.#ended = kept;
    this.#first = 0;
  }

  /** Counts a trigger as ended, and forgets the oldest ended one beyond the retention's count. */
  ended(cell: TriggerCell): void {
    this.#end({ at: cell.record.endedAt as number, cell, decision: null });
  }

  /** Forgets what ended before the retention's age; says how many. */
  prune(now: number): number {
    const before = now - this.#retention.maxAgeMs;
    let count = 0;
    for (let oldest = this.#ended[this.#first]; oldest !== undefined && oldest.at < before; oldest = this.#ended[this.#first]) {
      this.#forgetOldest();
      count++;
    }
    return count;
  }

  /** Forgets everything that has ended. */
  forgetAll(): void {
    while (this.#first < this.#ended.length) this.#forgetOldest();
  }

  /** Kept triggers of a pipeline. */
  *triggersOf(pipelineId: string): Generator<TriggerRecord> {
    for (const { record } of this.triggers.values()) if (record.pipelineId === pipelineId) yield record;
  }

  /** Kept decisions on dropped fire times of a pipeline. */
  *dropsOf(pipelineId: string): Generator<DecisionRecord> {
    for (let index = this.#first; index < this.#ended.length; index++) {
      const { decision } = this.#ended[index] as Ended;
      if (decision?.pipelineId === pipelineId) yield decision;
    }
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
      { parameters: null },
    );
  }

  /** What has ended in a span, by where its beginning must be. */
  listEnded({ from, until, limit }: EndedQuery): EndedSummary[] {
    let low = this.#first;
    for (let high = this.#ended.length; low < high; ) {
      const middle = (low + high) >> 1;
      if ((this.#ended[middle] as Ended).at < from) low = middle + 1;
      else high = middle;
    }
    const found: EndedSummary[] = [];
    for (let index = low; index < this.#ended.length && found.length < limit; index++) {
      const { at, cell, decision } = this.#ended[index] as Ended;
      if (at >= until) break;
      if (cell !== null) found.push({ trigger: cell.record, run: cell.run?.record ?? null, decisions: cell.decisions });
      else if (decision !== null) found.push({ trigger: null, run: null, decisions: [decision] });
    }
    return found;
  }

  /** @param ofPipeline - the runs of the query's pipeline, if it names one, in the order they were made */
  listRuns(query: RunQuery, ofPipeline: Listed<RunCell> | null): RunRecord[] {
    return newest(
      ofPipeline ?? [...this.runs.values()],
      query,
      ({ startedAt, scheduledFor }) => scheduledFor ?? startedAt,
      (record) => {
        if (query.triggerId !== undefined && record.triggerId !== query.triggerId) return false;
        return query.statuses === undefined || query.statuses.includes(record.status);
      },
      { output: null, error: null, progress: null, reference: null, attempts: [] },
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
      { findings: [] },
    );
  }

  #end(ended: Ended): void {
    let place = this.#ended.length;
    while (place > this.#first && (this.#ended[place - 1] as Ended).at > ended.at) place--; // a clock went back
    if (place === this.#ended.length) this.#ended.push(ended);
    else this.#ended.splice(place, 0, ended);
    this.#bytes += bytesOf(ended);
    const { count, bytes } = this.#retention;
    while (this.#first < this.#ended.length && (this.#ended.length - this.#first > count || this.#bytes > bytes)) this.#forgetOldest();
  }

  #forgetOldest(): void {
    const oldest = this.#ended[this.#first++] as Ended;
    const { cell, decision } = oldest;
    this.#bytes -= bytesOf(oldest);
    if (this.#first > 1_024 && this.#first * 2 > this.#ended.length) {
      this.#ended = this.#ended.slice(this.#first);
      this.#first = 0;
    }
    if (decision !== null) {
      this.#decisions.delete(decision.id);
      this.#onForget?.({ trigger: null, run: null, decisions: [decision] });
      return;
    }
    const { record, life, run, decisions } = cell as TriggerCell;
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

/** Parameters that several triggers share count by their parts. */
function bytesOf({ cell }: Ended): number {
  return cell === null ? 0 : cell.record.size + cell.outputSize;
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
  large: { readonly [Field in keyof T]?: null | readonly never[] },
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
