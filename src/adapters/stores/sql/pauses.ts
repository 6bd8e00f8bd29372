import type { GlobalPause, Pause, PauseRequest, ResumeRequest } from "../../../ports/store.js";
import { withEndedPause } from "../../../schedule/ended-pauses.js";
import { rebasePause, rebaseSpans } from "../../../schedule/rebase.js";
import { noteAll } from "./audit.js";
import { changing, type Dialect, type Session, select, selectLocked } from "./database.js";
import { unpause } from "./lines.js";
import { endedPausesOf, GLOBAL_PAUSE, type KeptPauses, META, type MetaRow, PIPELINES, type PipelineRow } from "./tables.js";

/** Pipelines read between two turns of the event loop. */
const PIPELINES_AT_ONCE = 1_000;
const NOT_PAUSED: GlobalPause = { pause: null, endedPauses: [] };

/** The rows of what is to be paused or resumed, locked: whatever starts a run has ended before, or sees the change. */
interface Locked {
  readonly rows: ReadonlyMap<string, PipelineRow>;
  /** `null` when nothing is done to the pause of everything. */
  readonly global: GlobalPause | null;
  /** The first of the pipelines that is not registered. */
  readonly unknown: string | null;
}

async function lock(session: Session, ids: readonly (string | null)[]): Promise<Locked> {
  if (session.dialect.pauseLock !== null) await session.query(session.dialect.pauseLock);
  const own = ids.filter((id) => id !== null);
  const global = own.length < ids.length ? await lockedGlobal(session) : null;
  const rows = await selectLocked(session, PIPELINES, own);
  return { rows, global, unknown: own.find((id) => !rows.has(id)) ?? null };
}

/** Pauses pipelines or everything; returns the id of a pipeline that is not registered, with nothing done. */
export async function pause(session: Session, requests: readonly PauseRequest[]): Promise<string | null> {
  const { rows, global, unknown } = await lock(
    session,
    requests.map(({ pipelineId }) => pipelineId),
  );
  if (unknown !== null) return unknown;
  const before = (id: string | null) => (id === null ? global?.pause : rows.get(id)?.pause) ?? null;
  const changed = requests.flatMap(({ pipelineId, pause: wanted }) =>
    pipelineId === null ? [] : [{ ...(rows.get(pipelineId) as PipelineRow), pause: wanted }],
  );
  const ofAll = requests.findLast(({ pipelineId }) => pipelineId === null);
  if (global !== null && ofAll !== undefined) await putGlobal(session, { ...global, pause: ofAll.pause });
  await session.write([changing(PIPELINES, changed, ["pause"])]);
  await noteAll(
    session,
    requests.map(({ pipelineId, noted }) => [noted, before(pipelineId)]),
  );
  return null;
}

/** Ends pauses; returns those that ended, or the id of a pipeline that is not registered, with nothing done. */
export async function resume(
  session: Session,
  requests: readonly ResumeRequest[],
  now: number,
): Promise<readonly (Pause | null)[] | string> {
  const { rows, global, unknown } = await lock(
    session,
    requests.map(({ pipelineId }) => pipelineId),
  );
  if (unknown !== null) return unknown;
  const ended = requests.map(({ pipelineId }) => (pipelineId === null ? global?.pause : rows.get(pipelineId)?.pause) ?? null);
  const changed: PipelineRow[] = [];
  for (const row of rows.values()) if (row.pause !== null) changed.push(resumed(row, row.pause, now));
  if (global !== null && global.pause !== null) {
    const openFrom = await firstFireAt(session);
    await putGlobal(session, { pause: null, endedPauses: withEndedPause(global.endedPauses, global.pause, now, openFrom) });
  }
  await session.write([changing(PIPELINES, changed, ["pause", "lastPause"])]);
  await unpause(
    session,
    changed.map(({ id }) => id),
  );
  await noteAll(
    session,
    requests.flatMap(({ noted }, index) => (ended[index] === null ? [] : [[noted, ended[index]] as const])),
  );
  return ended;
}

function resumed(row: PipelineRow, pause: Pause, now: number): PipelineRow {
  const ended = withEndedPause(endedPausesOf(row.lastPause), pause, now, row.nextFireAt);
  return { ...row, pause: null, lastPause: ended.length === 0 ? null : ended };
}

export async function globalPause(session: Session): Promise<GlobalPause> {
  const [row] = await select(session, META, `WHERE key = '${GLOBAL_PAUSE}'`);
  return globalOf(row);
}

function globalOf(row: MetaRow | undefined): GlobalPause {
  if (row === undefined) return NOT_PAUSED;
  const { pause, endedPauses, lastPause } = row.value as { pause: Pause | null; endedPauses?: KeptPauses; lastPause?: KeptPauses | null };
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
