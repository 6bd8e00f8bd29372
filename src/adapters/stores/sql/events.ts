import type { EventBounds, EventRecord, NewEvent } from "../../../ports/store/events.js";
import { adding, changing, type Session, select, selectLocked } from "./database.js";
import { EVENTS, META } from "./tables.js";

const HEAD = "events_head";
/** Rows removed by one call, unless it adds more than half as many. */
const REMOVED_AT_ONCE = 500;

/** End of the log and extent of what is kept. */
interface Head {
  /** Of the newest event. */
  readonly seq: number;
  /** Of the oldest event that is kept; `seq + 1` when there is none. */
  readonly first: number;
  /** Sum of the sizes of the events that are kept. */
  readonly bytes: number;
}

const EMPTY: Head = { seq: 0, first: 1, bytes: 0 };

/** The head stays locked until the commit, over all nodes: numbers become visible in their order. */
export async function append(session: Session, events: readonly NewEvent[], bounds: EventBounds, now: number): Promise<void> {
  if (events.length === 0) return;
  const head = await locked(session);
  const records = events.map((event, index): EventRecord => ({ seq: head.seq + 1 + index, ...event }));
  const next = { ...head, seq: head.seq + records.length, bytes: head.bytes + records.reduce((sum, { size }) => sum + size, 0) };
  await session.write([adding(EVENTS, records)]);
  await keep(session, await trimmed(session, next, bounds, now, Math.max(REMOVED_AT_ONCE, 2 * records.length)));
}

export function list(session: Session, after: number, limit: number): Promise<readonly EventRecord[]> {
  return select(session, EVENTS, "WHERE seq > $1 ORDER BY seq LIMIT $2", [after, limit]);
}

export async function last(session: Session): Promise<number> {
  return (await headOf(session)).seq;
}

/** Removes old events beyond the bounds, at most `most`; writes nothing, and returns false, when there are none. */
export async function prune(session: Session, bounds: EventBounds, now: number, most: number): Promise<boolean> {
  const seen = await headOf(session);
  if (seen.first > seen.seq) return false;
  const head = await locked(session);
  const next = await trimmed(session, head, bounds, now, most);
  if (next === head) return false;
  await keep(session, next);
  return true;
}

/** Removes at most `most` of the oldest rows; the primary key leads to each of them. */
async function trimmed(session: Session, head: Head, bounds: EventBounds, now: number, most: number): Promise<Head> {
  const [oldest] = await session.query(`SELECT at FROM ${session.dialect.name(EVENTS.name)} WHERE seq >= $1 ORDER BY seq LIMIT 1`, [
    head.first,
  ]);
  const isOver = head.seq - head.first + 1 > bounds.count || head.bytes > bounds.bytes || Number(oldest?.at ?? now) < now - bounds.ageMs;
  if (!isOver) return head;
  const rows = await session.query(
    `SELECT seq, at, size FROM ${session.dialect.name(EVENTS.name)} WHERE seq >= $1 ORDER BY seq LIMIT ${most}`,
    [head.first],
  );
  let { first, bytes } = head;
  for (const row of rows) {
    if (head.seq - first + 1 <= bounds.count && bytes <= bounds.bytes && Number(row.at) >= now - bounds.ageMs) break;
    first = Number(row.seq) + 1;
    bytes -= Number(row.size);
  }
  await session.query(`DELETE FROM ${session.dialect.name(EVENTS.name)} WHERE seq >= $1 AND seq < $2`, [head.first, first]);
  const isEmpty = rows.length === 0 || first > head.seq;
  return isEmpty ? { seq: head.seq, first: head.seq + 1, bytes: 0 } : { seq: head.seq, first, bytes };
}

async function locked(session: Session): Promise<Head> {
  const known = (await selectLocked(session, META, [HEAD])).get(HEAD);
  if (known !== undefined) return known.value as Head;
  await session.insert(META, [{ key: HEAD, value: EMPTY }], { unlessThere: true });
  return (await selectLocked(session, META, [HEAD])).get(HEAD)?.value as Head;
}

async function headOf(session: Session): Promise<Head> {
  return ((await select(session, META, "WHERE key = $1", [HEAD]))[0]?.value ?? EMPTY) as Head;
}

async function keep(session: Session, head: Head): Promise<void> {
  await session.write([changing(META, [{ key: HEAD, value: head }], ["value"])]);
}
