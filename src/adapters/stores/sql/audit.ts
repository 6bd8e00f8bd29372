import { type AuditEntry, type AuditHead, type AuditRecord, NO_AUDIT } from "../../../monitor/audit.js";
import type { AuditQuery, Noted } from "../../../ports/store.js";
import { adding, changing, type Session, select, selectLocked } from "./database.js";
import { AUDIT, META } from "./tables.js";

const HEAD = "audit_head";
const TAIL = "audit_tail";
const FORGOTTEN_AT_ONCE = 1_000;

/** The end of the log is locked while records are put behind it: over all nodes there is one order. */
export async function append(
  session: Session,
  entries: readonly AuditEntry[],
  seal: (entry: AuditEntry, head: AuditHead) => AuditRecord,
): Promise<void> {
  await session.insert(META, [{ key: HEAD, value: NO_AUDIT }], { unlessThere: true });
  let head = headOf((await selectLocked(session, META, [HEAD])).get(HEAD)?.value);
  const records = entries.map((entry) => {
    const record = seal(entry, head);
    head = { seq: record.seq, hash: record.hash };
    return record;
  });
  await session.write([
    adding(
      AUDIT,
      records.map((record) => ({ seq: record.seq, at: record.at, pipelineId: record.pipelineId, record })),
    ),
    changing(META, [{ key: HEAD, value: head }], ["value"]),
  ]);
}

/** In the transaction of the change that it tells of. */
export async function note(session: Session, noted: Noted | undefined, before: unknown): Promise<void> {
  if (noted !== undefined) await append(session, [noted.entry(before)], noted.seal);
}

export async function list(session: Session, { after, before, pipelineIds, limit }: AuditQuery): Promise<readonly AuditRecord[]> {
  const { dialect } = session;
  const values: unknown[] = [after ?? 0, before ?? Number.MAX_SAFE_INTEGER];
  const whose = pipelineIds === undefined ? "" : `AND pipeline_id ${dialect.isIn(values.push(dialect.list(pipelineIds)))}`;
  const direction = after === undefined ? "DESC" : "ASC";
  const rows = await select(session, AUDIT, `WHERE seq > $1 AND seq < $2 ${whose} ORDER BY seq ${direction} LIMIT ${limit}`, values);
  return rows.map(({ record }) => record);
}

export function head(session: Session): Promise<AuditHead> {
  return mark(session, HEAD);
}

export function tail(session: Session): Promise<AuditHead> {
  return mark(session, TAIL);
}

async function mark(session: Session, key: string): Promise<AuditHead> {
  return headOf((await select(session, META, "WHERE key = $1", [key]))[0]?.value);
}

/** Forgets the oldest records, all of them from before an instant, and keeps where they ended: what is left can still be checked. */
export async function prune(session: Session, before: number): Promise<void> {
  await session.insert(META, [{ key: TAIL, value: NO_AUDIT }], { unlessThere: true });
  await selectLocked(session, META, [TAIL]); // one node at a time
  const oldest = await select(session, AUDIT, `ORDER BY seq LIMIT ${FORGOTTEN_AT_ONCE}`);
  const kept = oldest.findIndex(({ at }) => at >= before);
  const last = oldest[(kept === -1 ? oldest.length : kept) - 1]?.record;
  if (last === undefined) return;
  await session.query(`DELETE FROM ${session.dialect.name("audit")} WHERE seq <= $1`, [last.seq]);
  await session.write([changing(META, [{ key: TAIL, value: { seq: last.seq, hash: last.hash } }], ["value"])]);
}

function headOf(value: unknown): AuditHead {
  return (value as AuditHead | undefined) ?? NO_AUDIT;
}
