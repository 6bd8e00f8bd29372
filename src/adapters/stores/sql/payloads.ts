import type { HeadgateError } from "../../../base/errors.js";
import { adding, type Session, type Step, wholeOf } from "./database.js";
import { PAYLOADS, type PayloadRow, type TriggerRow } from "./tables.js";

/** Parameters of more bytes than this are kept apart from their trigger, so that whatever reads or moves triggers does not read or write them. */
const INLINE_BYTES = 1_000;
/** Shared ones of more than this are. */
const INLINE_SHARED_BYTES = 100;

/** The parameters of a batch that are kept apart, because they are large or shared within it; by value. */
export function setApart(rows: readonly TriggerRow[]): ReadonlyMap<unknown, PayloadRow> {
  const sharers = new Map<unknown, TriggerRow[]>();
  for (const row of rows) {
    if (row.size === 0 || row.parameters === null) continue;
    const known = sharers.get(row.parameters);
    if (known === undefined) sharers.set(row.parameters, [row]);
    else known.push(row);
  }
  const payloads = new Map<unknown, PayloadRow>();
  for (const [parameters, group] of sharers) {
    const size = group.reduce((bytes, row) => bytes + row.size, 0);
    if (size > (group.length === 1 ? INLINE_BYTES : INLINE_SHARED_BYTES))
      payloads.set(parameters, { id: (group[0] as TriggerRow).id, size, parameters });
  }
  return payloads;
}

/** A trigger as it is kept: it refers to parameters that are kept apart. */
export function storedOf(row: TriggerRow, payloads: ReadonlyMap<unknown, PayloadRow>): TriggerRow {
  const payload = row.parameters === null ? undefined : payloads.get(row.parameters);
  return payload === undefined ? row : { ...row, parameters: null, payloadId: payload.id };
}

/** True when parameters of one of these triggers may be kept apart: some are large, or shared. */
export function mayBeApart(triggers: readonly Pick<TriggerRow, "size" | "parameters">[]): boolean {
  const some = triggers.filter(({ size, parameters }) => size > 0 && parameters !== null);
  return some.some(({ size }) => size > INLINE_BYTES) || new Set(some.map(({ parameters }) => parameters)).size < some.length;
}

export function addingPayloads(payloads: ReadonlyMap<unknown, PayloadRow>): Step {
  return adding(PAYLOADS, [...payloads.values()]);
}

/** Triggers with the parameters that are kept apart, each read and decoded once; larger ones than `valueLimit` stay out. @throws HeadgateError `STORE_CORRUPT` */
export async function withParameters<T extends TriggerRow>(session: Session, rows: readonly T[], valueLimit?: number): Promise<T[]> {
  const { values, broken } = await payloadsOf(session, rows, valueLimit);
  for (const row of rows) {
    const error = row.payloadId === null ? undefined : broken.get(row.payloadId);
    if (error !== undefined) throw error;
  }
  return rows.map((row) => whole(row, values));
}

/** The same, but for triggers whose parameters somebody has broken: they are handed back with what is wrong. */
export async function withWholeParameters(
  session: Session,
  rows: readonly TriggerRow[],
): Promise<{ readonly rows: TriggerRow[]; readonly broken: { readonly row: TriggerRow; readonly error: HeadgateError }[] }> {
  const { values, broken } = await payloadsOf(session, rows);
  const errorOf = ({ payloadId }: TriggerRow) => (payloadId === null ? undefined : broken.get(payloadId));
  return {
    rows: rows.filter((row) => errorOf(row) === undefined).map((row) => whole(row, values)),
    broken: rows.flatMap((row) => {
      const error = errorOf(row);
      return error === undefined ? [] : [{ row, error }];
    }),
  };
}

async function payloadsOf(session: Session, rows: readonly TriggerRow[], valueLimit?: number) {
  const wanted = new Set(rows.flatMap(({ payloadId, omitted }) => (payloadId === null || omitted === undefined ? [] : [payloadId])));
  const values = new Map<string, unknown>();
  const broken = new Map<string, HeadgateError>();
  if (wanted.size === 0) return { values, broken };
  const { dialect } = session;
  const small = valueLimit === undefined ? "" : "AND octet_length(parameters) <= $2";
  const found = await session.query(
    `SELECT id, size, parameters FROM ${dialect.name(PAYLOADS.name)} WHERE id ${dialect.isIn(1)} ${small}`,
    [dialect.list([...wanted]), ...(valueLimit === undefined ? [] : [valueLimit])],
  );
  const read = wholeOf(PAYLOADS, found);
  for (const { id, parameters } of read.records) values.set(id, parameters);
  for (const { row, error } of read.broken) broken.set(String(row.id), error);
  return { values, broken };
}

function whole<T extends TriggerRow>(row: T, values: ReadonlyMap<string, unknown>): T {
  if (row.payloadId === null || !values.has(row.payloadId)) return row;
  const { omitted: _, ...rest } = row;
  return { ...rest, parameters: values.get(row.payloadId) } as T;
}

/** Removes parameters to which no trigger refers any more. */
export async function forgetPayloads(session: Session, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  const { dialect } = session;
  const [payloads, triggers] = [dialect.name(PAYLOADS.name), dialect.name("triggers")];
  await session.query(
    `DELETE FROM ${payloads} WHERE id ${dialect.isIn(1)} AND NOT EXISTS (SELECT 1 FROM ${triggers} t WHERE t.payload_id = ${payloads}.id)`,
    [dialect.list(ids)],
  );
}
