import type { PipelineRegistration, PipelineState } from "../../../ports/store.js";
import { changing, type Database, type Session, selectLocked } from "./database.js";
import { reopen } from "./lines.js";
import { byId, stateOf } from "./pipelines.js";
import { PIPELINES, type PipelineRow } from "./tables.js";

type Rows = ReadonlyMap<string, PipelineRow>;

/**
 * Adds and updates pipelines. One statement reads them all; only what is new or different is written, in one transaction, so that nodes that start again and again with the same pipelines write and lock
 * nothing. What another node has added in between is compared again.
 */
export async function register(database: Database, pipelines: readonly PipelineRegistration[]): Promise<readonly PipelineState[]> {
  const rows = new Map<string, PipelineRow>();
  for (let left = pipelines; left.length > 0; ) {
    for (const [id, row] of await byId(database.session, idsOf(left))) rows.set(id, row);
    const different = left.filter((one) => isDifferent(one, rows.get(one.id)));
    if (different.length === 0) break;
    const written = await database.transaction((on) => write(on, different, rows));
    for (const [id, row] of written) rows.set(id, row);
    left = different.filter(({ id }) => !written.has(id));
  }
  return pipelines.map(({ id }) => stateOf(rows.get(id) as PipelineRow, 0, 0));
}

/** Writes pipelines; gives the rows as they are then. Those that another node has added since they were read are left out. */
async function write(session: Session, different: readonly PipelineRegistration[], read: Rows): Promise<Rows> {
  const written = new Map<string, PipelineRow>();
  const known = different.filter(({ id }) => read.has(id));
  for (const row of await update(session, known)) written.set(row.id, row);
  const missing = different.flatMap((one) => (read.has(one.id) ? [] : [newRow(one)]));
  if (missing.length === 0) return written;
  const rows = missing.toSorted((one, other) => (one.id < other.id ? -1 : 1)); // so that no two nodes wait for each other
  const added = await session.insert(PIPELINES, rows, { unlessThere: true });
  for (const row of rows) if (added.has(row.id)) written.set(row.id, row);
  return written;
}

/** Takes over what is different of pipelines that are there; a schedule that is another one is planned again. */
async function update(session: Session, pipelines: readonly PipelineRegistration[]): Promise<readonly PipelineRow[]> {
  if (pipelines.length === 0) return [];
  await reopenMoved(session, pipelines);
  const locked = await selectLocked(session, PIPELINES, idsOf(pipelines));
  const rows = pipelines.flatMap((one): PipelineRow[] => {
    const row = locked.get(one.id);
    if (row === undefined) return [];
    const { scheduleKey, nextFireAt, maxActiveRuns, overlap, pool } = one;
    return [{ ...row, maxActiveRuns, overlap, pool, ...(row.scheduleKey === scheduleKey ? {} : { scheduleKey, nextFireAt }) }];
  });
  await session.write([changing(PIPELINES, rows, ["scheduleKey", "nextFireAt", "maxActiveRuns", "overlap", "pool"])]);
  return rows;
}

/** Looks again at triggers that waited for a slot of another pool, or under another overlap policy. */
async function reopenMoved(session: Session, pipelines: readonly PipelineRegistration[]): Promise<void> {
  const rows = await byId(session, idsOf(pipelines));
  const moved = pipelines.flatMap(({ id, pool, overlap }) => {
    const row = rows.get(id);
    return row !== undefined && (row.pool !== pool || row.overlap !== overlap) ? [row] : [];
  });
  if (moved.length === 0) return;
  if (session.dialect.pauseLock !== null) await session.query(session.dialect.pauseLock);
  for (const { id, pool } of moved) await reopen(session, id, pool);
}

function isDifferent({ scheduleKey, maxActiveRuns, overlap, pool }: PipelineRegistration, row: PipelineRow | undefined): boolean {
  return (
    row === undefined ||
    row.scheduleKey !== scheduleKey ||
    row.maxActiveRuns !== maxActiveRuns ||
    row.overlap !== overlap ||
    row.pool !== pool
  );
}

function newRow({ id, scheduleKey, nextFireAt, maxActiveRuns, overlap, pool }: PipelineRegistration): PipelineRow {
  return {
    id,
    scheduleKey,
    nextFireAt,
    lastFireAt: null,
    lastSuccessAt: null,
    pause: null,
    lastPause: null,
    skips: null,
    maxActiveRuns,
    overlap,
    pool,
  };
}

function idsOf(pipelines: readonly PipelineRegistration[]): string[] {
  return pipelines.map(({ id }) => id);
}
