import { type AuditEntry, type AuditMark, type AuditRecord, NO_AUDIT } from "../../../monitor/audit.js";
import type { AuditSealer } from "../../../monitor/audit-seal.js";
import type { AuditedWrite, AuditQuery, NotedChange, NotedResult } from "../../../ports/store/audit.js";
import { adding, changing, type Session, select, selectLocked } from "./database.js";
import { AUDIT, type AuditRow, META } from "./tables.js";

const HEAD = "audit_head";
const TAIL = "audit_tail";

/** The end of the log is locked while records are put behind it: over all nodes there is one order. */
export async function append(session: Session, entries: readonly AuditEntry[], sealer: AuditSealer): Promise<void> {
  const marks = sealer.isAdopting ? [HEAD, TAIL] : [HEAD];
  await session.insert(
    META,
    marks.map((key) => ({ key, value: NO_AUDIT })),
    { unlessThere: true },
  );
  const locked = await selectLocked(session, META, marks);
  const before = markOf(locked.get(HEAD)?.value);
  const { records, head } = sealer.append(entries, before);
  const isAdopted = sealer.isAdopting && (before.keyId ?? null) === null;
  const tail = isAdopted ? [{ key: TAIL, value: sealer.mark("tail", markOf(locked.get(TAIL)?.value)) }] : [];
  await session.write([
    adding(
      AUDIT,
      records.map((record) => ({ seq: record.seq, at: record.at, pipelineId: record.pipelineId, record })),
    ),
    changing(META, [{ key: HEAD, value: head }, ...tail], ["value"]),
  ]);
}

/** Appends an entry in the transaction of the change that it records. */
export async function note(session: Session, noted: AuditedWrite | undefined, before: unknown): Promise<void> {
  if (noted !== undefined) await append(session, [noted.entry(before)], noted.sealer);
}

/** The same for several changes at once, each with what was there before. */
export async function noteAll(session: Session, changes: readonly NotedChange[]): Promise<void> {
  const [sealer] = changes.flatMap(([noted]) => noted?.sealer ?? []);
  const entries = changes.flatMap(([noted, before]) => noted?.entry(before) ?? []);
  if (sealer !== undefined) await append(session, entries, sealer);
}

/** The same for what is known only when it was done; `null` is nothing done. */
export async function noteResult<T>(session: Session, result: T | null, noted: NotedResult<T> | undefined): Promise<T | null> {
  const entries = noted === undefined || result === null ? [] : noted.entries(result);
  if (noted !== undefined && entries.length > 0) await append(session, entries, noted.sealer);
  return result;
}

export async function list(session: Session, { after, before, pipelineIds, limit }: AuditQuery): Promise<readonly AuditRecord[]> {
  const isOldestFirst = after !== undefined;
  const rest = `ORDER BY seq ${isOldestFirst ? "ASC" : "DESC"} LIMIT ${limit}`;
  const span = [after ?? 0, before ?? Number.MAX_SAFE_INTEGER];
  const found: AuditRow[] = [];
  if (pipelineIds === undefined) found.push(...(await select(session, AUDIT, `WHERE seq > $1 AND seq < $2 ${rest}`, span)));
  // an index has the records of one pipeline in order, and of several each apart
  for (const id of new Set(pipelineIds))
    found.push(...(await select(session, AUDIT, `WHERE pipeline_id = $3 AND seq > $1 AND seq < $2 ${rest}`, [...span, id])));
  found.sort((one, other) => (isOldestFirst ? one.seq - other.seq : other.seq - one.seq));
  return found.slice(0, limit).map(({ record }) => record);
}

export function head(session: Session): Promise<AuditMark> {
  return mark(session, HEAD);
}

export function tail(session: Session): Promise<AuditMark> {
  return mark(session, TAIL);
}

async function mark(session: Session, key: string): Promise<AuditMark> {
  return markOf((await select(session, META, "WHERE key = $1", [key]))[0]?.value);
}

/** Removes the oldest records from before an instant, at most `limit`, and keeps where they ended: what is left can still be checked. Returns false when there are none. */
export async function prune(session: Session, before: number, sealer: AuditSealer | undefined, limit: number): Promise<boolean> {
  const [first] = await session.query(`SELECT at FROM ${session.dialect.name("audit")} ORDER BY seq LIMIT 1`);
  if (first === undefined || Number(first.at) >= before) return false;
  await session.insert(META, [{ key: TAIL, value: NO_AUDIT }], { unlessThere: true });
  const known = markOf((await selectLocked(session, META, [TAIL])).get(TAIL)?.value); // one node at a time
  const oldest = await select(session, AUDIT, "ORDER BY seq LIMIT $1", [limit]);
  const kept = oldest.findIndex(({ at }) => at >= before);
  const records = oldest.slice(0, kept === -1 ? oldest.length : kept).map(({ record }) => record);
  const last = records.at(-1);
  if (last === undefined) return false;
  const value = sealer?.prune(records, known) ?? { seq: last.seq, hash: last.hash };
  const sql = `DELETE FROM ${session.dialect.name("audit")} WHERE seq >= $1 AND seq <= $2`; // two bounds: with one, PostgreSQL expects a third of the table
  await session.query(sql, [records[0]?.seq, last.seq]);
  await session.write([changing(META, [{ key: TAIL, value }], ["value"])]);
  return true;
}

function markOf(value: unknown): AuditMark {
  return (value as AuditMark | undefined) ?? NO_AUDIT;
}
