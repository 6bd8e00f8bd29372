import type { PipelineState } from "../../../ports/store.js";
import type { CancelRequest } from "../../../run/run.js";
import type { SkippedFire } from "../../../schedule/skips.js";
import { RETIRED, retireTrigger } from "../../../trigger/transitions.js";
import type { TriggerRecord } from "../../../trigger/trigger.js";
import { changing, type Session, select, selectLocked } from "./database.js";
import { ACTIVE, WAITING } from "./statuses.js";
import { endedPausesOf, PIPELINES, type PipelineRow, TRIGGER_STATE, TRIGGERS } from "./tables.js";

/** Waiting triggers cancelled between two turns of the event loop. */
const RETIRED_AT_ONCE = 500;
const NO_SKIPS: readonly SkippedFire[] = [];

/** Returns the rows of pipelines, by id. */
export async function byId(session: Session, ids: readonly string[]): Promise<Map<string, PipelineRow>> {
  const rows = await select(session, PIPELINES, `WHERE id ${session.dialect.isIn(1)}`, [session.dialect.list(ids)]);
  return new Map(rows.map((row) => [row.id, row]));
}

/** Returns which of these pipelines are registered. */
export async function registered(session: Session, ids: readonly string[]): Promise<ReadonlySet<string>> {
  const { dialect } = session;
  const rows = await session.query(`SELECT id FROM ${dialect.name(PIPELINES.name)} WHERE id ${dialect.isIn(1)}`, [dialect.list(ids)]);
  return new Set(rows.map(({ id }) => String(id)));
}

/** Pipelines with how many runs are active and how many triggers wait. */
export async function states(session: Session, ids: readonly string[]): Promise<readonly (PipelineState | null)[]> {
  if (ids.length === 0) return [];
  const { dialect } = session;
  const list = dialect.list(ids);
  const rows = await byId(session, ids);
  const counts = await session.query(
    `SELECT 'active' AS what, pipeline_id, count(*) AS n FROM ${dialect.name("runs")}
     WHERE ${ACTIVE} AND pipeline_id ${dialect.isIn(1)} GROUP BY pipeline_id
     UNION ALL SELECT 'waiting', pipeline_id, count(*) FROM ${dialect.name("triggers")}
     WHERE ${WAITING} AND pipeline_id ${dialect.isIn(1)} GROUP BY pipeline_id`,
    [list],
  );
  const counted = new Map(counts.map(({ what, pipeline_id, n }) => [`${what} ${pipeline_id}`, Number(n)]));
  const count = (what: string, id: string) => counted.get(`${what} ${id}`) ?? 0;
  return ids.map((id) => {
    const row = rows.get(id);
    return row === undefined ? null : stateOf(row, count("active", id), count("waiting", id));
  });
}

export function stateOf(row: PipelineRow, activeRuns: number, waitingTriggers: number): PipelineState {
  const { id, scheduleKey, nextFireAt, lastFireAt, lastSuccessAt, pause } = row;
  const endedPauses = endedPausesOf(row.lastPause);
  const skips = row.skips ?? NO_SKIPS;
  return { id, scheduleKey, nextFireAt, lastFireAt, lastSuccessAt, pause, endedPauses, skips, activeRuns, waitingTriggers };
}

/** Takes a pipeline out of use and cancels what waits; `null` when there is no such pipeline. */
export async function retire(session: Session, pipelineId: string, request: CancelRequest): Promise<readonly TriggerRecord[] | null> {
  const row = (await selectLocked(session, PIPELINES, [pipelineId])).get(pipelineId);
  if (row === undefined) return null;
  await session.write([changing(PIPELINES, [{ ...row, nextFireAt: null, scheduleKey: RETIRED }], ["nextFireAt", "scheduleKey"])]);
  const all: TriggerRecord[] = [];
  for (;;) {
    const rest = `WHERE ${WAITING} AND pipeline_id = $1 ORDER BY id LIMIT ${RETIRED_AT_ONCE}${session.dialect.forUpdate}`;
    const waiting = await select(session, TRIGGERS, rest, [pipelineId]);
    const ended = waiting.map((trigger) => ({ ...trigger, ...retireTrigger(trigger, request) }));
    await session.write([changing(TRIGGERS, ended, TRIGGER_STATE)]);
    all.push(...ended);
    if (waiting.length < RETIRED_AT_ONCE) return all;
    await session.yield?.();
  }
}
