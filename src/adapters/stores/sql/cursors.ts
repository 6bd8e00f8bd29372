import type { CursorRecord, EnqueueResult } from "../../../ports/store.js";
import { claimCursor } from "../../../trigger/cursor.js";
import type { NewTrigger } from "../../../trigger/trigger.js";
import { changing, type Session, selectLocked } from "./database.js";
import { enqueue } from "./fire.js";
import { CURSORS } from "./tables.js";

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
    return one === undefined ? null : claimCursor(one, node, leaseUntil, now);
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
