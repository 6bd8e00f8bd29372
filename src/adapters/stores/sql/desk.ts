import type { ConfigRecord, CursorRecord, EnqueueResult } from "../../../ports/store.js";
import type { NewTrigger } from "../../../trigger/trigger.js";
import { changing, type Session, selectLocked } from "./database.js";
import { enqueue } from "./fire.js";
import { CONFIG, CURSORS } from "./tables.js";

export async function claimCursor(
  session: Session,
  name: string,
  node: string,
  leaseUntil: number,
  now: number,
): Promise<CursorRecord | null> {
  await session.insert(CURSORS, [{ name, value: null, token: 0, node: null, leaseUntil: null, updatedAt: now }], { unlessThere: true });
  const known = (await selectLocked(session, CURSORS, [name])).get(name);
  if (known === undefined || (known.node !== null && known.node !== node && (known.leaseUntil ?? 0) > now)) return null;
  const claimed: CursorRecord = { ...known, token: known.token + 1, node, leaseUntil };
  await session.write([changing(CURSORS, [claimed], ["token", "node", "leaseUntil"])]);
  return claimed;
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
  await session.write([
    changing(CURSORS, [{ ...known, value, node: null, leaseUntil: null, updatedAt: now }], ["value", "node", "leaseUntil", "updatedAt"]),
  ]);
  return enqueue(session, triggers, now);
}

export async function putConfig(
  session: Session,
  key: string,
  value: unknown,
  expected: number | null,
  by: string | null,
  now: number,
): Promise<ConfigRecord | null> {
  await session.insert(CONFIG, [{ key, value: null, version: 0, updatedAt: now, updatedBy: null }], { unlessThere: true });
  const known = (await selectLocked(session, CONFIG, [key])).get(key);
  const version = known?.version ?? 0;
  if (expected !== null && expected !== version) return null;
  const written: ConfigRecord = { key, value, version: version + 1, updatedAt: now, updatedBy: by };
  await session.write([changing(CONFIG, [written], ["value", "version", "updatedAt", "updatedBy"])]);
  return written;
}
