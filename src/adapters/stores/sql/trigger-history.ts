import type { DecisionRecord } from "../../../gate/finding.js";
import type { FireTimesQuery, OpenAtQuery } from "../../../ports/store/history.js";
import { PRIORITIES, type TriggerRecord } from "../../../trigger/trigger.js";
import { type Session, select } from "./database.js";
import { IS_LONG, SPAN_CLASS, SPAN_CLASSES } from "./open-spans.js";
import { withParameters } from "./payloads.js";
import { DECISIONS, TRIGGERS } from "./tables.js";

/** Keys of fire times sort like their numbers while these have 13 digits: from 2001 to 2286. */
const FIRST_KEY = 1_000_000_000_000;
const LAST_KEY = 9_999_999_999_999;

/** Each part reads by an index: ended triggers by class of length, waiting ones by priority, running ones by their run. */
export async function triggersOpenAt(
  session: Session,
  { pipelineId, at, limit, valueLimit }: OpenAtQuery,
): Promise<readonly TriggerRecord[]> {
  const { dialect } = session;
  const [triggers, runs] = [dialect.name(TRIGGERS.name), dialect.name("runs")];
  const order = `ORDER BY created_at DESC, id DESC LIMIT ${limit}`;
  const of = `SELECT id, created_at FROM ${triggers} WHERE pipeline_id = $1`;
  const values: unknown[] = [pipelineId, at];
  const ended = SPAN_CLASSES.map(({ number, untilMs }) => {
    const since = Number.isFinite(untilMs) ? `AND created_at > $${values.push(at - untilMs)}` : "";
    return `${of} AND ${SPAN_CLASS} = ${number} AND ${IS_LONG} ${since} AND created_at <= $2 AND ended_at > $2 ${order}`;
  });
  const waiting = PRIORITIES.map(
    (priority) => `${of} AND status IN ('pending', 'held') AND priority = '${priority}' AND created_at <= $2 ${order}`,
  );
  const running = `SELECT t.id, t.created_at FROM ${runs} r JOIN ${triggers} t ON t.id = r.trigger_id
    WHERE r.status IN ('running', 'retrying') AND r.pipeline_id = $1 AND t.created_at <= $2`;
  const parts = [...ended, ...waiting, running].map((part, index) => `SELECT * FROM (${part}) AS p${index}`);
  const found = await session.query(`SELECT id FROM (${parts.join(" UNION ALL ")}) AS open_then ${order}`, values);
  return ofIds(session, found, "created_at DESC, id DESC", valueLimit);
}

export async function triggersForFireTimes(session: Session, query: FireTimesQuery): Promise<readonly TriggerRecord[]> {
  const { pipelineId, from, until, limit, valueLimit } = query;
  const { dialect } = session;
  const triggers = dialect.name(TRIGGERS.name);
  const order = `ORDER BY scheduled_for DESC, id DESC LIMIT ${limit}`;
  const keys = [Math.max(from, FIRST_KEY), Math.min(until, LAST_KEY)].map((at) => `fire:${at}`);
  const found = await session.query(
    `SELECT id FROM (
       SELECT * FROM (SELECT id, scheduled_for FROM ${triggers} WHERE pipeline_id = $1 AND unique_key >= $2 AND unique_key < $3
         ORDER BY unique_key DESC LIMIT ${limit}) AS fired
       UNION ALL SELECT * FROM (SELECT id, scheduled_for FROM ${triggers}
         WHERE kind = 'backfill' AND pipeline_id = $1 AND scheduled_for >= $4 AND scheduled_for < $5 ${order}) AS backfilled
     ) AS of_fire_times ${order}`,
    [pipelineId, ...keys, from, until],
  );
  return ofIds(session, found, "scheduled_for DESC, id DESC", valueLimit);
}

/** Decisions on dropped fire times follow each other without overlapping: of those that begin before the span only the last one can reach into it. */
export async function dropsOfFireTimes(session: Session, query: FireTimesQuery): Promise<readonly DecisionRecord[]> {
  const { pipelineId, from, until, limit, valueLimit } = query;
  const order = "ORDER BY scheduled_for DESC, id DESC LIMIT";
  const of = "WHERE trigger_id IS NULL AND pipeline_id = $1 AND scheduled_for";
  const [within, before] = await Promise.all([
    select(session, DECISIONS, `${of} >= $2 AND scheduled_for < $3 ${order} ${limit}`, [pipelineId, from, until], valueLimit),
    select(session, DECISIONS, `${of} < $2 ${order} 1`, [pipelineId, from], valueLimit),
  ]);
  return [...within, ...before.filter(({ missed }) => missed !== null && missed.lastAt >= from)].slice(0, limit);
}

async function ofIds(
  session: Session,
  found: readonly Readonly<Record<string, unknown>>[],
  order: string,
  valueLimit: number | undefined,
): Promise<readonly TriggerRecord[]> {
  if (found.length === 0) return [];
  const ids = session.dialect.list(found.map(({ id }) => String(id)));
  const rows = await select(session, TRIGGERS, `WHERE id ${session.dialect.isIn(1)} ORDER BY ${order}`, [ids], valueLimit);
  return withParameters(session, rows, valueLimit);
}
