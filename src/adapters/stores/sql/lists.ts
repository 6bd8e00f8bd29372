import type { DecisionRecord } from "../../../gate/finding.js";
import { type EndedRecord, endedAtOf } from "../../../monitor/ended.js";
import type { DecisionQuery, EndedQuery, ListQuery, RunQuery, TriggerQuery } from "../../../ports/store.js";
import type { RunRecord } from "../../../run/run.js";
import type { TriggerRecord } from "../../../trigger/trigger.js";
import { type Session, select } from "./database.js";
import type { Table } from "./table.js";
import { DECISIONS, RUNS, TRIGGERS } from "./tables.js";

/** Conditions of a WHERE, with their values in place. */
class Filter {
  readonly #parts: string[] = [];
  readonly values: unknown[] = [];

  add(part: (place: number) => string, value: unknown): void {
    if (value === undefined) return;
    this.values.push(value);
    this.#parts.push(part(this.values.length));
  }

  get sql(): string {
    return this.#parts.length === 0 ? "" : `WHERE ${this.#parts.join(" AND ")}`;
  }
}

async function list<T extends object>(
  session: Session,
  table: Table<T>,
  query: ListQuery,
  made: string,
  more: (filter: Filter) => void,
): Promise<T[]> {
  const filter = new Filter();
  filter.add((place) => `pipeline_id = $${place}`, query.pipelineId);
  filter.add((place) => `id < $${place}`, query.before);
  filter.add((place) => `coalesce(scheduled_for, ${made}) >= $${place}`, query.scheduledFrom);
  filter.add((place) => `coalesce(scheduled_for, ${made}) < $${place}`, query.scheduledUntil);
  more(filter);
  const limit = Math.min(query.limit, 1_000_000);
  return select(session, table, `${filter.sql} ORDER BY id DESC LIMIT ${limit}`, filter.values);
}

function listed(session: Session, filter: Filter, column: string, values: readonly string[] | undefined): void {
  filter.add((place) => `${column} ${session.dialect.isIn(place)}`, values === undefined ? undefined : session.dialect.list(values));
}

export function listTriggers(session: Session, query: TriggerQuery): Promise<readonly TriggerRecord[]> {
  return list(session, TRIGGERS, query, "created_at", (filter) => {
    filter.add((place) => `id = $${place}`, query.triggerId);
    listed(session, filter, "status", query.statuses);
    listed(session, filter, "kind", query.kinds);
  });
}

export function listRuns(session: Session, query: RunQuery): Promise<readonly RunRecord[]> {
  return list(session, RUNS, query, "started_at", (filter) => {
    filter.add((place) => `id = (SELECT run_id FROM ${session.dialect.name("triggers")} WHERE id = $${place})`, query.triggerId);
    listed(session, filter, "status", query.statuses);
  });
}

export function listDecisions(session: Session, query: DecisionQuery): Promise<readonly DecisionRecord[]> {
  return list(session, DECISIONS, query, "at", (filter) => {
    filter.add((place) => `trigger_id = $${place}`, query.triggerId);
    listed(session, filter, "outcome", query.outcomes);
  });
}

/** Each part by an index of its own: triggers by their end, dropped fire times by when that was decided. */
export async function listEnded(session: Session, { from, until, limit }: EndedQuery): Promise<readonly EndedRecord[]> {
  const { dialect } = session;
  const span = [from, until, limit];
  const [triggers, dropped] = await Promise.all([
    select(session, TRIGGERS, "WHERE ended_at >= $1 AND ended_at < $2 ORDER BY ended_at, id LIMIT $3", span),
    select(session, DECISIONS, "WHERE trigger_id IS NULL AND at >= $1 AND at < $2 ORDER BY at, id LIMIT $3", span),
  ]);
  const runIds = triggers.flatMap(({ runId }) => runId ?? []);
  const [runs, decisions] = await Promise.all([
    runIds.length === 0 ? [] : select(session, RUNS, `WHERE id ${dialect.isIn(1)}`, [dialect.list(runIds)]),
    triggers.length === 0
      ? []
      : select(session, DECISIONS, `WHERE trigger_id ${dialect.isIn(1)} ORDER BY id`, [dialect.list(triggers.map(({ id }) => id))]),
  ]);
  const runOf = new Map(runs.map((run) => [run.id, run]));
  const decisionsOf = new Map<string | null, DecisionRecord[]>();
  for (const one of decisions) decisionsOf.set(one.triggerId, [...(decisionsOf.get(one.triggerId) ?? []), one]);
  const ended: EndedRecord[] = triggers.map((trigger) => ({
    trigger,
    run: trigger.runId === null ? null : (runOf.get(trigger.runId) ?? null),
    decisions: decisionsOf.get(trigger.id) ?? [],
  }));
  for (const decision of dropped) ended.push({ trigger: null, run: null, decisions: [decision] });
  return ended.sort((a, b) => endedAtOf(a) - endedAtOf(b)).slice(0, limit);
}
