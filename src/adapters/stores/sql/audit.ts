import { type AuditEntry, type AuditHead, type AuditRecord, NO_AUDIT } from "../../../monitor/audit.js";
import type { AuditQuery } from "../../../ports/store.js";
import { adding, changing, type Session, select, selectLocked } from "./database.js";
import { AUDIT, META } from "./tables.js";

const HEAD = "audit_head";

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

export async function list(session: Session, { after, before, pipelineIds, limit }: AuditQuery): Promise<readonly AuditRecord[]> {
  const { dialect } = session;
  const values: unknown[] = [after ?? 0, before ?? Number.MAX_SAFE_INTEGER];
  const whose = pipelineIds === undefined ? "" : `AND pipeline_id ${dialect.isIn(values.push(dialect.list(pipelineIds)))}`;
  const direction = after === undefined ? "DESC" : "ASC";
  const rows = await select(session, AUDIT, `WHERE seq > $1 AND seq < $2 ${whose} ORDER BY seq ${direction} LIMIT ${limit}`, values);
  return rows.map(({ record }) => record);
}

export async function head(session: Session): Promise<AuditHead> {
  return headOf((await select(session, META, "WHERE key = $1", [HEAD]))[0]?.value);
}

function headOf(value: unknown): AuditHead {
  return (value as AuditHead | undefined) ?? NO_AUDIT;
}
