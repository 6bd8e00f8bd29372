import type { DecisionRecord } from "../../../gate/finding.js";
import { endedAtOf, type FinishedSummary } from "../../../monitor/finished-record.js";
import type { DecisionQuery, EndedQuery, Listed, ListQuery, RunQuery, TriggerQuery } from "../../../ports/store.js";
import type { RunRecord } from "../../../run/run.js";
import type { TriggerRecord } from "../../../trigger/trigger.js";
import { type Dialect, type Session, select } from "./database.js";
import { type Condition, type Few, readList, type Walk } from "./list-walk.js";
import { withParameters } from "./payloads.js";
import { ACTIVE, HIDDEN, UNSUCCESSFUL_RUN, UNSUCCESSFUL_TRIGGER, WAITING } from "./statuses.js";
import { DECISIONS, RUNS, TRIGGERS } from "./tables.js";

/** Attempts and findings of more bytes than this are left out of statistics. */
const FACTS_BYTES = 65_536;

export async function listTriggers(session: Session, query: TriggerQuery): Promise<Listed<TriggerRecord>> {
  const found = await readList(session, TRIGGERS, triggerWalks(session.dialect, query), query, "created_at");
  const whole = await withParameters(session, found, query.valueLimit);
  return found.next === undefined ? whole : Object.assign(whole, { next: found.next });
}

export function listRuns(session: Session, query: RunQuery): Promise<Listed<RunRecord>> {
  return readList(session, RUNS, runWalks(session.dialect, query), query, "started_at");
}

export function listDecisions(session: Session, query: DecisionQuery): Promise<Listed<DecisionRecord>> {
  const { triggerId, outcomes } = query;
  const by = [...inSpan(query, "at"), ...among(session.dialect, "outcome", outcomes)];
  const walk =
    triggerId === undefined ? { index: ofPipeline(query), by } : { few: [equal("trigger_id", triggerId), ...unindexed(query), ...by] };
  return readList(session, DECISIONS, [walk], query, "at");
}

/** Waiting triggers, running ones, and those of each status without success have an index of their own; succeeded ones are most of all there are. */
function triggerWalks(dialect: Dialect, query: TriggerQuery): readonly (Walk | Few)[] {
  const { triggerId, pipelineId, kinds } = query;
  const by = [...inSpan(query, "created_at"), ...among(dialect, "kind", kinds)];
  if (triggerId !== undefined)
    return [{ few: [equal("id", triggerId), ...unindexed(query), ...among(dialect, "status", query.statuses), ...by] }];
  if (query.statuses === undefined) return [{ index: ofPipeline(query), by }];
  const statuses = [...new Set(query.statuses)];
  const waiting: readonly string[] = statuses.filter((status) => status === "pending" || status === "held");
  const ended = statuses.filter((status) => status !== "running" && !waiting.includes(status));
  const walks: (Walk | Few)[] = [];
  if (waiting.length > 0) walks.push(openWalk(query, WAITING, [...among(dialect, "status", waiting), ...by]));
  if (statuses.includes("running")) {
    const runs = `SELECT trigger_id FROM ${dialect.name("runs")} WHERE ${ACTIVE}`;
    const whose: Condition =
      pipelineId === undefined ? [() => `id IN (${runs})`] : [(place) => `id IN (${runs} AND pipeline_id = $${place})`, pipelineId];
    walks.push({ few: [whose, equal("status", "running"), ...by] });
  }
  return [...walks, ...endedWalks(dialect, query, ended, UNSUCCESSFUL_TRIGGER, by)];
}

function runWalks(dialect: Dialect, query: RunQuery): readonly (Walk | Few)[] {
  const { triggerId } = query;
  const by = inSpan(query, "started_at");
  if (triggerId !== undefined) {
    const whose: Condition = [(place) => `id = (SELECT run_id FROM ${dialect.name("triggers")} WHERE id = $${place})`, triggerId];
    return [{ few: [whose, ...unindexed(query), ...among(dialect, "status", query.statuses), ...by] }];
  }
  if (query.statuses === undefined) return [{ index: ofPipeline(query), by }];
  const statuses = [...new Set(query.statuses)];
  const active: readonly string[] = statuses.filter((status) => status === "running" || status === "retrying");
  const ended = statuses.filter((status) => !active.includes(status));
  const walks = active.length === 0 ? [] : [openWalk(query, ACTIVE, [...among(dialect, "status", active), ...by])];
  return [...walks, ...endedWalks(dialect, query, ended, UNSUCCESSFUL_RUN, by)];
}

/** Waiting triggers or active runs: an index has those of one pipeline in order; those of all pipelines are sorted. */
function openWalk(query: ListQuery, of: string, by: readonly Condition[]): Walk | Few {
  return query.pipelineId === undefined ? { few: [[() => of], ...by] } : { index: ofPipeline(query), of, by };
}

function endedWalks(
  dialect: Dialect,
  query: ListQuery,
  statuses: readonly string[],
  of: string,
  by: readonly Condition[],
): readonly Walk[] {
  if (statuses.includes("succeeded")) return [{ index: ofPipeline(query), by: [...among(dialect, "status", statuses), ...by] }];
  const { pipelineId } = query;
  return statuses.map((status) =>
    pipelineId === undefined
      ? { hidden: [HIDDEN.status, status], of, by }
      : {
          index: [
            ["status", status],
            ["pipeline_id", pipelineId],
          ],
          of,
          by,
        },
  );
}

function ofPipeline({ pipelineId }: ListQuery): NonNullable<Walk["index"]> {
  return pipelineId === undefined ? [] : [["pipeline_id", pipelineId]];
}

/** The pipeline of rows that are found otherwise: an expression that no index has. */
function unindexed({ pipelineId }: ListQuery): readonly Condition[] {
  return pipelineId === undefined ? [] : [[(place) => `coalesce(pipeline_id, '') = $${place}`, pipelineId]];
}

function inSpan({ scheduledFrom, scheduledUntil }: ListQuery, made: string): readonly Condition[] {
  const at = `coalesce(scheduled_for, ${made})`;
  return [
    ...(scheduledFrom === undefined ? [] : [[(place: number) => `${at} >= $${place}`, scheduledFrom] as const]),
    ...(scheduledUntil === undefined ? [] : [[(place: number) => `${at} < $${place}`, scheduledUntil] as const]),
  ];
}

function equal(column: string, value: string): Condition {
  return [(place) => `${column} = $${place}`, value];
}

function among(dialect: Dialect, column: string, values: readonly string[] | undefined): readonly Condition[] {
  return values === undefined ? [] : [[(place) => `${column} ${dialect.isIn(place)}`, dialect.list(values)]];
}

/** Each part by an index of its own: triggers by their end, dropped fire times by when that was decided. Reads the columns that statistics need, and no others. */
export async function listEnded(session: Session, { from, until, limit }: EndedQuery): Promise<readonly FinishedSummary[]> {
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
  const ended: FinishedSummary[] = triggers.map((row) => {
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
