import { adding, changing, type Session, selectLocked } from "./database.js";
import { HISTORY, META } from "./tables.js";

const KEY = "history";
/** Records counted where one would be removed: it takes that much less time. */
const COUNTED_PER_REMOVED = 8;

/** The last record of an index that was counted. */
interface Place {
  readonly at: number;
  readonly id: string;
}

/** Up to where what has ended was counted, and to how much that came. */
export interface Counted {
  readonly total: number;
  readonly ended: Place;
  readonly dropped: Place;
}

const START: Place = { at: 0, id: "" };
const NOTHING: Counted = { total: 0, ended: START, dropped: START };

/** The lock is held until the commit: one node at a time counts and removes. */
export async function lockedCount(session: Session): Promise<Counted> {
  const known = (await selectLocked(session, META, [KEY])).get(KEY);
  if (known !== undefined) return known.value as Counted;
  await session.insert(META, [{ key: KEY, value: NOTHING }], { unlessThere: true });
  return (await selectLocked(session, META, [KEY])).get(KEY)?.value as Counted;
}

/** Counts some of what has ended before an instant and was not counted yet; returns false when there is nothing of it. */
export async function count(session: Session, counted: Counted, before: number, limit: number): Promise<boolean> {
  const most = limit * COUNTED_PER_REMOVED;
  const { dialect } = session;
  const [triggers, decisions] = [dialect.name("triggers"), dialect.name("decisions")];
  const [ended, dropped] = await Promise.all([
    session.query(
      `SELECT ended_at AS at, id, pipeline_id FROM ${triggers} WHERE ended_at IS NOT NULL AND (ended_at, id) > ($1, $2) AND ended_at < $3 ORDER BY ended_at, id LIMIT $4`,
      [counted.ended.at, counted.ended.id, before, most],
    ),
    session.query(
      `SELECT at, id, pipeline_id FROM ${decisions} WHERE trigger_id IS NULL AND (at, id) > ($1, $2) AND at < $3 ORDER BY at, id LIMIT $4`,
      [counted.dropped.at, counted.dropped.id, before, most],
    ),
  ]);
  const found = [...ended, ...dropped];
  if (found.length === 0) return false;
  const more = new Map<string, number>();
  for (const row of found) {
    const id = String(row.pipeline_id);
    more.set(id, (more.get(id) ?? 0) + 1);
  }
  const known = await selectLocked(session, HISTORY, [...more.keys()]);
  const rows = [...more].map(([pipelineId, by]) => ({ pipelineId, kept: (known.get(pipelineId)?.kept ?? 0) + by }));
  const isKnown = ({ pipelineId }: { pipelineId: string }) => known.has(pipelineId);
  const value: Counted = {
    total: counted.total + found.length,
    ended: placeOf(ended.at(-1)) ?? counted.ended,
    dropped: placeOf(dropped.at(-1)) ?? counted.dropped,
  };
  await session.write([
    adding(
      HISTORY,
      rows.filter((row) => !isKnown(row)),
    ),
    changing(HISTORY, rows.filter(isKnown), ["kept"]),
    changing(META, [{ key: KEY, value }], ["value"]),
  ]);
  return true;
}

function placeOf(row: Readonly<Record<string, unknown>> | undefined): Place | null {
  return row === undefined ? null : { at: Number(row.at), id: String(row.id) };
}

/** Takes off what pipelines lose. A pipeline with nothing left has no row. */
export async function subtract(session: Session, counted: Counted, losses: ReadonlyMap<string, number>): Promise<void> {
  const known = await selectLocked(session, HISTORY, [...losses.keys()]);
  const rows = [...known.values()].map(({ pipelineId, kept }) => ({ pipelineId, kept: Math.max(0, kept - (losses.get(pipelineId) ?? 0)) }));
  const gone = rows.filter(({ kept }) => kept === 0).map(({ pipelineId }) => pipelineId);
  const before = [...known.values()].reduce((sum, { kept }) => sum + kept, 0);
  const after = rows.reduce((sum, { kept }) => sum + kept, 0);
  const value: Counted = { ...counted, total: counted.total - (before - after) };
  await session.write([changing(HISTORY, rows, ["kept"]), changing(META, [{ key: KEY, value }], ["value"])]);
  if (gone.length > 0) await removeCounts(session, gone);
}

/** Begins again, after a clock that was ahead was set back: what was counted at instants that are still to come cannot be distinguished from what ends meanwhile. */
export async function countAgain(session: Session, limit: number): Promise<void> {
  const rows = await session.query(`SELECT pipeline_id FROM ${session.dialect.name(HISTORY.name)} ORDER BY pipeline_id LIMIT $1`, [limit]);
  if (rows.length > 0)
    await removeCounts(
      session,
      rows.map(({ pipeline_id }) => String(pipeline_id)),
    );
  else await session.write([changing(META, [{ key: KEY, value: NOTHING }], ["value"])]);
}

async function removeCounts(session: Session, pipelineIds: readonly string[]): Promise<void> {
  const { dialect } = session;
  await session.query(`DELETE FROM ${dialect.name(HISTORY.name)} WHERE pipeline_id ${dialect.isIn(1)}`, [dialect.list(pipelineIds)]);
}
