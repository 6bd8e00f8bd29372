import type { AuditedWrite } from "../../../ports/store/audit.js";
import type { GlobalPause, Pause, PipelineState } from "../../../ports/store.js";
import type { CancelRequest } from "../../../run/run.js";
import { withEndedPause } from "../../../schedule/ended-pauses.js";
import { rebasePause, rebaseSpans } from "../../../schedule/rebase.js";
import type { SkippedFire } from "../../../schedule/skips.js";
import { RETIRED, retireTrigger } from "../../../trigger/transitions.js";
import type { TriggerRecord } from "../../../trigger/trigger.js";
import { note } from "./audit.js";
import { changing, type Dialect, type Session, select, selectLocked } from "./database.js";
import { unpause } from "./lines.js";
import { ACTIVE, WAITING } from "./statuses.js";
import {
  endedPausesOf,
  GLOBAL_PAUSE,
  type KeptPauses,
  META,
  type MetaRow,
  PIPELINES,
  type PipelineRow,
  TRIGGER_STATE,
  TRIGGERS,
} from "./tables.js";

/** Waiting triggers cancelled between two turns of the event loop. */
const RETIRED_AT_ONCE = 500;
/** Pipelines read between two turns of the event loop. */
const PIPELINES_AT_ONCE = 1_000;
const NO_SKIPS: readonly SkippedFire[] = [];
const NOT_PAUSED: GlobalPause = { pause: null, endedPauses: [] };

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

export async function globalPause(session: Session): Promise<GlobalPause> {
  const [row] = await select(session, META, `WHERE key = '${GLOBAL_PAUSE}'`);
  return globalOf(row);
}

function globalOf(row: MetaRow | undefined): GlobalPause {
  if (row === undefined) return NOT_PAUSED;
  const { pause, endedPauses, lastPause } = row.value as { pause: Pause | null; endedPauses?: KeptPauses; lastPause?: KeptPauses };
  return { pause, endedPauses: endedPausesOf(endedPauses ?? lastPause) };
}

export async function pausedPipelines(session: Session): Promise<readonly string[]> {
  const rows = await session.query(`SELECT id FROM ${session.dialect.name(PIPELINES.name)} WHERE pause IS NOT NULL`);
  return rows.map(({ id }) => String(id));
}

/** A row if everything is paused. */
export function globallyPaused({ name }: Dialect): string {
  return `SELECT 1 FROM ${name("meta")} WHERE key = '${GLOBAL_PAUSE}' AND value NOT LIKE '{"pause":null%'`;
}

/** Pauses one pipeline or everything; false when there is no such pipeline. Whatever starts a run has ended before, or sees the pause. */
export async function pause(session: Session, pipelineId: string | null, wanted: Pause, noted?: AuditedWrite): Promise<boolean> {
  if (session.dialect.pauseLock !== null) await session.query(session.dialect.pauseLock);
  if (pipelineId === null) {
    const global = await lockedGlobal(session);
    await putGlobal(session, { ...global, pause: wanted });
    await note(session, noted, global.pause);
    return true;
  }
  const row = (await selectLocked(session, PIPELINES, [pipelineId])).get(pipelineId);
  if (row === undefined) return false;
  await session.write([changing(PIPELINES, [{ ...row, pause: wanted }], ["pause"])]);
  await note(session, noted, row.pause);
  return true;
}

/** Ends a pause; `undefined` when there is no such pipeline. */
export async function resume(
  session: Session,
  pipelineId: string | null,
  now: number,
  noted?: AuditedWrite,
): Promise<Pause | null | undefined> {
  if (session.dialect.pauseLock !== null) await session.query(session.dialect.pauseLock);
  if (pipelineId === null) {
    const global = await lockedGlobal(session);
    if (global.pause === null) return null;
    const openFrom = await firstFireAt(session);
    await putGlobal(session, { pause: null, endedPauses: withEndedPause(global.endedPauses, global.pause, now, openFrom) });
    await note(session, noted, global.pause);
    return global.pause;
  }
  const row = (await selectLocked(session, PIPELINES, [pipelineId])).get(pipelineId);
  if (row === undefined) return undefined;
  if (row.pause === null) return null;
  const ended = withEndedPause(endedPausesOf(row.lastPause), row.pause, now, row.nextFireAt);
  const lastPause = ended.length === 0 ? null : ended;
  await session.write([changing(PIPELINES, [{ ...row, pause: null, lastPause }], ["pause", "lastPause"])]);
  await unpause(session, pipelineId);
  await note(session, noted, row.pause);
  return row.pause;
}

/** The first of all fire times to come. Read page by page: an index on what every fire changes would cost more than this. */
async function firstFireAt(session: Session): Promise<number | null> {
  let first: number | null = null;
  for (let after = ""; ; ) {
    const rows = await session.query(
      `SELECT id, next_fire_at FROM ${session.dialect.name(PIPELINES.name)} WHERE id > $1 ORDER BY id LIMIT ${PIPELINES_AT_ONCE}`,
      [after],
    );
    for (const { next_fire_at: at } of rows) if (at !== null) first = Math.min(first ?? Number(at), Number(at));
    if (rows.length < PIPELINES_AT_ONCE) return first;
    after = String(rows.at(-1)?.id);
    await session.yield?.();
  }
}

/** Puts the pause of everything right after a clock was set back. */
export async function rebaseGlobalPause(session: Session, now: number): Promise<void> {
  const { pause, endedPauses } = await globalPause(session);
  if ((pause?.at ?? 0) <= now && endedPauses.every(({ until }) => until <= now)) return;
  const locked = await lockedGlobal(session);
  await putGlobal(session, {
    pause: locked.pause === null ? null : rebasePause(locked.pause, now),
    endedPauses: rebaseSpans(locked.endedPauses, now),
  });
}

async function lockedGlobal(session: Session): Promise<GlobalPause> {
  await session.insert(META, [{ key: GLOBAL_PAUSE, value: NOT_PAUSED }], { unlessThere: true });
  return globalOf((await selectLocked(session, META, [GLOBAL_PAUSE])).get(GLOBAL_PAUSE));
}

async function putGlobal(session: Session, value: GlobalPause): Promise<void> {
  const row: MetaRow = { key: GLOBAL_PAUSE, value };
  await session.write([changing(META, [row], ["value"])]);
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
