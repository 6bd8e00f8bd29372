import type { ConfigRecord, CursorRecord, EnqueueResult, IdempotencyRecord, Store } from "../../../ports/store.js";
import { claimedCursor } from "../../../trigger/cursor.js";
import type { NewTrigger } from "../../../trigger/trigger.js";
import { note } from "./audit.js";
import { changing, type Session, selectLocked } from "./database.js";
import { enqueue } from "./fire.js";
import { ANSWERS, CONFIG, CURSORS } from "./tables.js";

export async function claimCursors(
  session: Session,
  names: readonly string[],
  node: string,
  leaseUntil: number,
  now: number,
): Promise<readonly (CursorRecord | null)[]> {
  let known = await selectLocked(session, CURSORS, names);
  const missing = [...new Set(names)].filter((name) => !known.has(name)).toSorted();
  if (missing.length > 0) {
    const made = missing.map((name): CursorRecord => ({ name, value: null, token: 0, node: null, leaseUntil: null, updatedAt: now }));
    await session.insert(CURSORS, made, { unlessThere: true });
    known = await selectLocked(session, CURSORS, names);
  }
  const claimed = names.map((name) => {
    const one = known.get(name);
    return one === undefined ? null : claimedCursor(one, node, leaseUntil, now);
  });
  await session.write([
    changing(
      CURSORS,
      claimed.filter((one) => one !== null),
      ["token", "node", "leaseUntil"],
    ),
  ]);
  return claimed;
}

export async function releaseCursors(session: Session, names: readonly string[], node: string): Promise<void> {
  const known = [...(await selectLocked(session, CURSORS, names)).values()];
  const own = known.filter((one) => one.node === node).map((one) => ({ ...one, node: null, leaseUntil: null }));
  await session.write([changing(CURSORS, own, ["node", "leaseUntil"])]);
}

export async function moveCursor(
  session: Session,
  name: string,
  token: number,
  value: unknown,
  triggers: readonly NewTrigger[],
  now: number,
): Promise<readonly (EnqueueResult | null)[] | null> {
  const known = (await selectLocked(session, CURSORS, [name])).get(name);
  if (known === undefined || known.node === null || known.token !== token) return null;
  await session.write([changing(CURSORS, [{ ...known, value, updatedAt: now }], ["value", "updatedAt"])]);
  return enqueue(session, triggers, now);
}

export async function putConfig(
  session: Session,
  ...[key, value, expected, by, now, noted]: Parameters<Store["putConfig"]>
): Promise<ConfigRecord | null> {
  await session.insert(CONFIG, [{ key, value: null, version: 0, updatedAt: now, updatedBy: null }], { unlessThere: true });
  const known = (await selectLocked(session, CONFIG, [key])).get(key);
  const version = known?.version ?? 0;
  if (expected !== null && expected !== version) return null;
  const written: ConfigRecord = { key, value, version: version + 1, updatedAt: now, updatedBy: by };
  await session.write([changing(CONFIG, [written], ["value", "version", "updatedAt", "updatedBy"])]);
  await note(session, noted, known?.value ?? null);
  return written;
}

export async function keepAnswer(session: Session, record: IdempotencyRecord): Promise<IdempotencyRecord> {
  await session.insert(ANSWERS, [record], { unlessThere: true });
  const kept = (await selectLocked(session, ANSWERS, [record.key])).get(record.key) ?? record;
  if (kept.request !== record.request || kept.answer !== null || record.answer === null) return kept;
  const answered = { ...kept, answer: record.answer };
  await session.write([changing(ANSWERS, [answered], ["answer"])]);
  return answered;
}

export async function freeAnswer(session: Session, key: string, request: string): Promise<void> {
  await session.query(`DELETE FROM ${session.dialect.name(ANSWERS.name)} WHERE key = $1 AND request = $2 AND answer IS NULL`, [
    key,
    request,
  ]);
}
