import type { DecisionRecord } from "../../../gate/finding.js";
import { type EndedSummary, endedAtOf } from "../../../monitor/ended.js";
import type { DecisionQuery, EndedQuery, ListQuery, RunQuery, TriggerQuery } from "../../../ports/store.js";
import type { RunRecord } from "../../../run/run.js";
import type { TriggerRecord } from "../../../trigger/trigger.js";
import { type Session, select } from "./database.js";
import { withParameters } from "./payloads.js";
import type { Table } from "./table.js";
import { DECISIONS, RUNS, TRIGGERS } from "./tables.js";

/** Attempts and findings of more bytes than this are left out of statistics. */
const FACTS_BYTES = 65_536;

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
  return select(session, table, `${filter.sql} ORDER BY id DESC LIMIT ${limit}`, filter.values, query.valueLimit);
}

function listed(session: Session, filter: Filter, column: string, values: readonly string[] | undefined): void {
  filter.add((place) => `${column} ${session.dialect.isIn(place)}`, values === undefined ? undefined : session.dialect.list(values));
}

export async function listTriggers(session: Session, query: TriggerQuery): Promise<readonly TriggerRecord[]> {
  const found = await list(session, TRIGGERS, query, "created_at", (filter) => {
    filter.add((place) => `id = $${place}`, query.triggerId);
    listed(session, filter, "status", query.statuses);
    listed(session, filter, "kind", query.kinds);
  });
  return withParameters(session, found, query.valueLimit);
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

/** Each part by an index of its own: triggers by their end, dropped fire times by when that was decided. Reads the columns that statistics need, and no others. */
export async function listEnded(session: Session, { from, until, limit }: EndedQuery): Promise<readonly EndedSummary[]> {
  const { dialect } = session;
  const [runsName, triggersName] = [dialect.name(RUNS.name), dialect.name(TRIGGERS.name)];
  const span = [from, until, limit];
  const [triggers, dropped] = await Promise.all([
    session.query(
      `SELECT id, pipeline_id, status, ended_at, run_id FROM ${triggersName} WHERE ended_at >= $1 AND ended_at < $2 ORDER BY ended_at, id LIMIT $3`,
      span,
    ),
    select(session, DECISIONS, "WHERE trigger_id IS NULL AND at >= $1 AND at < $2 ORDER BY at, id LIMIT $3", span, FACTS_BYTES),
  ]);
  const runIds = triggers.flatMap(({ run_id }) => (run_id === null ? [] : [String(run_id)]));
  const [runs, decisions] = await Promise.all([
    runIds.length === 0
      ? []
      : session.query(
          `SELECT id, status, scheduled_for, started_at, ended_at, attempt,
             CASE WHEN octet_length(attempts) > $2 THEN '[]' ELSE attempts END AS attempts FROM ${runsName} WHERE id ${dialect.isIn(1)}`,
          [dialect.list(runIds), FACTS_BYTES],
        ),
    triggers.length === 0
      ? []
      : select(
          session,
          DECISIONS,
          `WHERE trigger_id ${dialect.isIn(1)} ORDER BY id`,
          [dialect.list(triggers.map(({ id }) => String(id)))],
          FACTS_BYTES,
        ),
  ]);
  const runOf = new Map(runs.map((row) => [String(row.id), RUNS.decode(row)]));
  const decisionsOf = new Map<string | null, DecisionRecord[]>();
  for (const one of decisions) {
    const known = decisionsOf.get(one.triggerId);
    if (known === undefined) decisionsOf.set(one.triggerId, [one]);
    else known.push(one);
  }
  const ended: EndedSummary[] = triggers.map((row) => {
    const { id, pipelineId, status, endedAt, runId } = TRIGGERS.decode({ ...row, kind: "manual", priority: "normal" });
    return {
      trigger: { id, pipelineId, status, endedAt },
      run: runId === null ? null : (runOf.get(runId) ?? null),
      decisions: decisionsOf.get(id) ?? [],
    };
  });
  for (const decision of dropped) ended.push({ trigger: null, run: null, decisions: [decision] });
  return ended.sort((a, b) => endedAtOf(a) - endedAtOf(b)).slice(0, limit);
}
