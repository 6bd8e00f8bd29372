import type { ClaimRequest } from "../../../ports/store/claims.js";
import { changing, type Row, type Session } from "./database.js";
import { type KnownLine, LATER, type Line, pipelineLine, poolLine } from "./line.js";
import { WAITING } from "./statuses.js";
import { LINES, TRIGGERS, type TriggerRow } from "./tables.js";
import type { Used } from "./usage.js";

/**
 * Where waiting triggers stand, kept in `triggers.line`, so that a claim reads what it can hand out and not what waits for something else, however much that is:
 *
 * ```
 *  open (null) ──► pipeline:<id>   the pipeline is paused or has no free slot     ──► open, as many as there are slots
 *              ──► pool:<name>     the pool has no free slot                      ──► open, as many as there are slots
 *  later       ──────────────────────────── `available_at` has come ─────────────► open
 * ```
 *
 * Only claims move triggers out of the open line and back, one claim at a time, and each compares all lines of pipelines and pools with what is taken now (table `lines`; those of paused pipelines are set
 * apart until they are resumed): nothing that frees a slot needs to know about lines. A trigger in the open line is always safe, since whatever is read there is checked again. What stands in a line is older
 * than what is in the open line for the same pipeline, but for its priority; as many as can start are back before that is read.
 */

/** Triggers moved by one claim: the rest follows with the next, so that none takes long. */
export const MOVED_AT_ONCE = 1_000;
const LINES_AT_ONCE = 200;
const PARKED = `${WAITING} AND line <> '${LATER}'`;

/** A trigger that cannot start now, and the line for it. */
export interface Blocked {
  readonly trigger: Pick<TriggerRow, "id" | "pipelineId">;
  readonly line: Line;
  /** Its pipeline is paused. */
  readonly isPaused: boolean;
}

/** Takes triggers out of the open line. */
export async function park(session: Session, blocked: readonly Blocked[]): Promise<void> {
  if (blocked.length === 0) return;
  const lines = new Map(
    blocked.map(({ line, trigger, isPaused }) => [
      line,
      { key: line, pipelineId: line.startsWith("pipeline:") ? trigger.pipelineId : null, isPaused },
    ]),
  );
  await session.insert(LINES, [...lines.values()], { unlessThere: true });
  await session.write([
    changing(
      TRIGGERS,
      blocked.map(({ trigger, line }) => ({ id: trigger.id, line })),
      ["line"],
    ),
  ]);
}

/** The outcome of putting triggers back into the open line. */
export interface Opened {
  readonly isMoved: boolean;
  /** More is left to put back. */
  readonly isPartial: boolean;
  /** The first trigger that is left in the line of a pool: a younger one in the open line must not take a slot of that pool. */
  readonly left: ReadonlyMap<string, Place>;
}

/** A place in a line. */
export type Place = Pick<TriggerRow, "order" | "id">;

export const HEAD: Place = { order: -1e300, id: "" };
export const NOTHING_OPENED: Opened = { isMoved: false, isPartial: false, left: new Map() };

/** Puts back into the open line what can start by now. */
export async function open(
  session: Session,
  { lines, isTimeUp, usage }: Used,
  { limit, pools }: ClaimRequest,
  page: number,
  now: number,
): Promise<Opened> {
  const paused = lines.filter(({ pipeline }) => pipeline?.isPaused === true);
  if (paused.length > 0) await session.write([changing(LINES, paused.map(asPaused), ["isPaused"])]);
  const count = ({ pipeline, pool }: KnownLine) => {
    if (pipeline?.isPaused === true) return 0;
    if (pipeline !== null) return Math.min(usage.freeOf(pipeline), limit);
    return usage.freeIn(pool, pools) > 0 ? Math.max(Math.min(usage.freeIn(pool, pools), limit), page) : 0; // some of them may have no slot in their pipelines
  };
  const opening = lines
    .toSorted((one, other) => Number(one.pipeline !== null) - Number(other.pipeline !== null))
    .map((line) => ({ line, count: count(line) }))
    .filter((one) => one.count > 0);
  const some = opening.slice(0, LINES_AT_ONCE);
  const [due, firsts] = await Promise.all([
    isTimeUp ? comingDue(session, now) : [],
    Promise.all(some.map((one) => firstOf(session, one.line.key, one.count + 1, now))),
  ]);
  const left = new Map(lines.flatMap(({ pipeline, pool }) => (pipeline === null && pool !== null ? [[pool, HEAD] as const] : [])));
  const ids = [...due];
  const exhausted: string[] = [];
  for (const [index, one] of some.entries()) {
    const found = firsts[index] as readonly Place[];
    const next = found[one.count];
    ids.push(...found.slice(0, one.count).map(({ id }) => id));
    if (next === undefined) exhausted.push(one.line.key);
    if (one.line.pipeline !== null || one.line.pool === null) continue;
    if (next === undefined) left.delete(one.line.pool);
    else left.set(one.line.pool, next);
  }
  await enter(session, ids);
  await forgetEmpty(session, exhausted);
  return { isMoved: ids.length > 0, isPartial: opening.length > some.length || due.length === MOVED_AT_ONCE, left };
}

function asPaused({ key }: KnownLine): { key: string; isPaused: boolean } {
  return { key, isPaused: true };
}

/** Looks at a pipeline's line again: it is not paused any more. The transaction keeps claims out. */
export async function unpause(session: Session, pipelineIds: readonly string[]): Promise<void> {
  const lines = pipelineIds.map((id) => ({ key: pipelineLine(id), isPaused: false }));
  await session.write([changing(LINES, lines, ["isPaused"])]);
}

/** Puts all triggers of a pipeline back into the open line: its pool or its overlap policy is another one now. The transaction keeps claims out. */
export async function reopen(session: Session, pipelineId: string, pool: string | null): Promise<void> {
  for (const key of [pipelineLine(pipelineId), ...(pool === null ? [] : [poolLine(pool)])]) {
    let last = HEAD;
    for (;;) {
      const rows = await session.query(
        `SELECT id, "order", pipeline_id FROM ${session.dialect.name(TRIGGERS.name)} WHERE ${PARKED} AND line = $1 AND ("order", id) > ($2, $3)
         ORDER BY "order", id LIMIT ${MOVED_AT_ONCE}${session.dialect.forUpdate}`,
        [key, last.order, last.id],
      );
      await enter(session, idsOf(rows.filter(({ pipeline_id }) => pipeline_id === pipelineId)));
      const end = rows.at(-1);
      if (end === undefined || rows.length < MOVED_AT_ONCE) break;
      last = { order: Number(end.order), id: String(end.id) };
      await session.yield?.();
    }
  }
}

async function enter(session: Session, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  const { dialect } = session;
  await session.query(`UPDATE ${dialect.name(TRIGGERS.name)} SET line = NULL WHERE id ${dialect.isIn(1)}`, [dialect.list(ids)]);
}

/** Triggers whose time has come. */
async function comingDue(session: Session, now: number): Promise<readonly string[]> {
  const { dialect } = session;
  return idsOf(
    await session.query(
      `SELECT id FROM ${dialect.name(TRIGGERS.name)} WHERE ${WAITING} AND line = '${LATER}' AND available_at <= $1
       ORDER BY available_at LIMIT ${MOVED_AT_ONCE}${dialect.skipLocked}`,
      [now],
    ),
  );
}

/** The first triggers of a line. */
async function firstOf(session: Session, key: Line, count: number, now: number): Promise<readonly Place[]> {
  const { dialect } = session;
  const rows = await session.query(
    `SELECT "order", id FROM ${dialect.name(TRIGGERS.name)} WHERE ${PARKED} AND line = $1 AND (expires_at IS NULL OR expires_at > $2)
     ORDER BY "order", id LIMIT $3${dialect.skipLocked}`,
    [key, now, count],
  );
  return rows.map(({ order, id }) => ({ order: Number(order), id: String(id) }));
}

async function forgetEmpty(session: Session, keys: readonly string[]): Promise<void> {
  if (keys.length === 0) return;
  const { dialect } = session;
  const lines = dialect.name(LINES.name);
  await session.query(
    `DELETE FROM ${lines} WHERE key ${dialect.isIn(1)} AND NOT EXISTS (SELECT 1 FROM ${dialect.name(TRIGGERS.name)} WHERE ${PARKED} AND line = ${lines}.key)`,
    [dialect.list(keys)],
  );
}

function idsOf(rows: readonly Row[]): string[] {
  return rows.map(({ id }) => String(id));
}
