import type { DocumentRecord, DocumentStore, DocumentWrite } from "../../../ports/store.js";
import { note } from "./audit.js";
import { type Row, type Session, select } from "./database.js";
import { encoded } from "./table.js";
import { DOCUMENTS } from "./tables.js";

/** Rolls a transaction back in which a version is not the expected one. */
class LateWrite extends Error {}

export async function documents(session: Session, kind: string, ids: readonly string[]): Promise<readonly (DocumentRecord | null)[]> {
  const { dialect } = session;
  const found = await select(session, DOCUMENTS, `WHERE kind = $1 AND id ${dialect.isIn(2)}`, [kind, dialect.list(ids)]);
  const byId = new Map(found.map((one) => [one.id, one]));
  return ids.map((id) => byId.get(id) ?? null);
}

export function listDocuments(
  session: Session,
  ...[kind, { after, limit }]: Parameters<DocumentStore["listDocuments"]>
): Promise<readonly DocumentRecord[]> {
  return select(session, DOCUMENTS, "WHERE kind = $1 AND id > $2 ORDER BY id LIMIT $3", [kind, after ?? "", limit]);
}

/** In the order of the keys, so that no two transactions wait for each other. @throws an error for {@link unlessLate} when a version is not the expected one */
export async function putDocuments(
  session: Session,
  ...[writes, by, now, noted]: Parameters<DocumentStore["putDocuments"]>
): Promise<readonly (DocumentRecord | null)[]> {
  const inOrder = writes
    .map((write, index) => ({ write, index }))
    .toSorted((one, other) => (keyOf(one.write) < keyOf(other.write) ? -1 : 1));
  const before: unknown[] = writes.map(() => null);
  const written: (DocumentRecord | null)[] = writes.map(() => null);
  for (const { write, index } of inOrder) {
    if (noted !== undefined) before[index] = await valueBefore(session, write);
    const version = await put(session, write, by, now);
    if (version === null) throw new LateWrite();
    const { kind, id, value } = write;
    if (value !== null) written[index] = { kind, id, value, version, updatedAt: now, updatedBy: by };
  }
  await note(session, noted, before);
  return written;
}

/** Returns `null` for a transaction that was rolled back because a version was not the expected one. */
export async function unlessLate<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof LateWrite) return null;
    throw error;
  }
}

function keyOf({ kind, id }: DocumentWrite): string {
  return JSON.stringify([kind, id]);
}

async function valueBefore({ query, dialect }: Session, { kind, id }: DocumentWrite): Promise<unknown> {
  const [row] = await query(`SELECT value FROM ${dialect.name(DOCUMENTS.name)} WHERE kind = $1 AND id = $2${dialect.forUpdate}`, [
    kind,
    id,
  ]);
  return row === undefined ? null : JSON.parse(String(row.value));
}

/** One statement. Returns the version that is stored afterwards (0: none), `null` when the one before was not the expected one. */
async function put(session: Session, { kind, id, value, expected }: DocumentWrite, by: string | null, now: number): Promise<number | null> {
  const name = session.dialect.name(DOCUMENTS.name);
  const key = [kind, id];
  const fields = [encoded("json", value), now, encoded("text", by)];
  const versionOf = (rows: readonly Row[]) => (rows[0] === undefined ? null : Number(rows[0].version));
  if (value === null) {
    if (expected === 0)
      return (await session.query(`SELECT version FROM ${name} WHERE kind = $1 AND id = $2`, key)).length === 0 ? 0 : null;
    if (expected !== null) {
      const deleted = await session.query(`DELETE FROM ${name} WHERE kind = $1 AND id = $2 AND version = $3 RETURNING version`, [
        ...key,
        expected,
      ]);
      return deleted.length === 0 ? null : 0;
    }
    await session.query(`DELETE FROM ${name} WHERE kind = $1 AND id = $2`, key);
    return 0;
  }
  const insert = `INSERT INTO ${name} AS d (kind, id, value, version, updated_at, updated_by) VALUES ($1, $2, $3, 1, $4, $5)`;
  if (expected === 0)
    return versionOf(await session.query(`${insert} ON CONFLICT (kind, id) DO NOTHING RETURNING version`, [...key, ...fields]));
  if (expected !== null)
    return versionOf(
      await session.query(
        `UPDATE ${name} SET value = $3, version = version + 1, updated_at = $4, updated_by = $5 WHERE kind = $1 AND id = $2 AND version = $6 RETURNING version`,
        [...key, ...fields, expected],
      ),
    );
  const upsert = `${insert} ON CONFLICT (kind, id) DO UPDATE SET value = excluded.value, version = d.version + 1, updated_at = excluded.updated_at, updated_by = excluded.updated_by RETURNING version`;
  return versionOf(await session.query(upsert, [...key, ...fields]));
}
