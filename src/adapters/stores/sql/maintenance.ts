import type { RunRecord } from "../../../run/run.js";
import { expireTrigger } from "../../../trigger/transitions.js";
import type { TriggerRecord } from "../../../trigger/trigger.js";
import { changing, type Session, select } from "./database.js";
import { LATER } from "./line.js";
import { ACTIVE, WAITING } from "./statuses.js";
import { RUNS, TRIGGER_STATE, TRIGGERS } from "./tables.js";

const ROWS_AT_ONCE = 1_000;

export async function expire(session: Session, now: number): Promise<readonly TriggerRecord[]> {
  const rest = `WHERE ${WAITING} AND expires_at IS NOT NULL AND expires_at <= $1 AND (lease_until IS NULL OR lease_until <= $1) ORDER BY id LIMIT ${ROWS_AT_ONCE}`;
  const overdue = await select(session, TRIGGERS, `${rest}${session.dialect.skipLocked}`, [now]);
  const ended = overdue.map((trigger) => ({ ...trigger, ...expireTrigger(trigger, now) }));
  await session.write([changing(TRIGGERS, ended, TRIGGER_STATE)]);
  return ended;
}

export function expiredRuns(session: Session, now: number, limit: number): Promise<readonly RunRecord[]> {
  const rest = `WHERE ${ACTIVE} AND status = 'running' AND lease_until <= $1 ORDER BY lease_until LIMIT $2`;
  return select(session, RUNS, rest, [now, limit]);
}

/** Makes held triggers worth a look, a thousand after the other. Those of all pipelines are found by when they are due, those of some by their pipeline. */
export async function recheck(session: Session, pipelineIds: readonly string[] | null, now: number): Promise<void> {
  const { dialect } = session;
  const triggers = dialect.name(TRIGGERS.name);
  const whose =
    pipelineIds === null
      ? `AND line = '${LATER}' ORDER BY available_at, id`
      : `AND pipeline_id ${dialect.isIn(2)} ORDER BY pipeline_id, id`;
  const values = [now, ...(pipelineIds === null ? [] : [dialect.list(pipelineIds)])];
  for (;;) {
    const held = await session.query(
      `SELECT id FROM ${triggers} WHERE ${WAITING} AND status = 'held' AND available_at > $1 ${whose} LIMIT ${ROWS_AT_ONCE}${dialect.forUpdate}`,
      values,
    );
    const ids = dialect.list(held.map(({ id }) => String(id)));
    if (held.length > 0)
      await session.query(`UPDATE ${triggers} SET available_at = $1, line = NULL WHERE id ${dialect.isIn(2)}`, [now, ids]);
    if (held.length < ROWS_AT_ONCE) return;
    await session.yield?.();
  }
}

export async function countWaiting(session: Session, limit: number): Promise<number> {
  const waiting = `SELECT 1 FROM ${session.dialect.name("triggers")} WHERE ${WAITING} LIMIT $1`;
  return Number((await session.query(`SELECT count(*) AS n FROM (${waiting}) w`, [limit]))[0]?.n ?? 0);
}

/** When the next thing changes by time alone; each part reads the first entry of an index of its own, however long the line is. */
export async function nextDueAt(session: Session, now: number): Promise<number | null> {
  const [runs, triggers] = [session.dialect.name("runs"), session.dialect.name("triggers")];
  const waiting = `FROM ${triggers} WHERE ${WAITING}`;
  const [row] = await session.query(
    `SELECT (SELECT min(available_at) ${waiting} AND line = '${LATER}' AND available_at > $1) AS ready_at,
            (SELECT min(lease_until) ${waiting} AND node IS NOT NULL AND lease_until > $1) AS freed_at,
            (SELECT min(expires_at) ${waiting} AND expires_at IS NOT NULL) AS expires_at,
            (SELECT min(retry_at) FROM ${runs} WHERE status = 'retrying' AND retry_at > $1) AS retry_at`,
    [now],
  );
  const times = Object.values(row ?? {}).flatMap((value) => (value === null ? [] : [Number(value)]));
  return times.length === 0 ? null : Math.min(...times);
}
