import type { IdempotencyRecord } from "../../../ports/store.js";
import { changing, type Session, selectLocked } from "./database.js";
import { ANSWERS } from "./tables.js";

export async function saveResponse(session: Session, record: IdempotencyRecord): Promise<IdempotencyRecord> {
  await session.insert(ANSWERS, [record], { unlessThere: true });
  const kept = (await selectLocked(session, ANSWERS, [record.key])).get(record.key) ?? record;
  if (kept.request !== record.request || kept.answer !== null || record.answer === null) return kept;
  const answered = { ...kept, answer: record.answer };
  await session.write([changing(ANSWERS, [answered], ["answer"])]);
  return answered;
}

export async function releaseKey(session: Session, key: string, request: string): Promise<void> {
  await session.query(`DELETE FROM ${session.dialect.name(ANSWERS.name)} WHERE key = $1 AND request = $2 AND answer IS NULL`, [
    key,
    request,
  ]);
}
