import type { DecisionRecord } from "../../../gate/finding.js";
import type { DecisionQuery, ListQuery, RunQuery, TriggerQuery } from "../../../ports/store.js";
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
