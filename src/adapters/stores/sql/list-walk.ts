import type { Listed, ListQuery } from "../../../ports/store.js";
import { type Session, select } from "./database.js";
import type { Table } from "./table.js";

/** Rows among which one statement of a list looks for those that match: it reads them twice, to find the last of them first. And such looks of one list. */
const LOOKED_AT = 480;
const LOOKS = 40;
/** Nothing is made longer than this before its fire time, ms: in a list by id, what was made before a span's begin is not in it, nor is what follows. */
const EARLY_MS = 86_400_000;
/** Sorts behind every id. */
const LAST_ID = "\u{10ffff}";

/** A condition, with the value that it compares with if there is one. */
export type Condition = readonly [text: (place: number) => string, value?: unknown];

/**
 * Rows that an index has in the order of their ids, newest first: those with some values in its first columns. The statement names just these bounds and this order, so that no other index will do, whatever the planner
 * believes of the values.
 */
export interface Walk {
  readonly index?: readonly (readonly [column: string, value: string])[];
  /** In place of columns, an expression that only this index has. */
  readonly hidden?: readonly [expression: string, value: string];
  /** The condition of a partial index. */
  readonly of?: string;
  /** Conditions that the index cannot answer. None: every row that is read matches. */
  readonly by: readonly Condition[];
}

/** Rows that are few, and all read. They are sorted and bounded by an expression, so that no index is walked for the sake of its order. */
export interface Few {
  readonly few: readonly Condition[];
}

/**
 * Reads a list along indexes. Where many rows do not match, it is read look by look, each of them a statement that reads less than a thousand rows; after some of them it ends before its limit, with the place
 * where it goes on: a list of something rare neither takes long nor holds up anybody.
 *
 * @param made - the column that says when a row was made
 */
export async function readList<T extends { readonly id: string }>(
  session: Session,
  table: Table<T>,
  walks: readonly (Walk | Few)[],
  query: ListQuery,
  made: string,
): Promise<Listed<T>> {
  const limit = Math.min(query.limit, 1_000_000);
  const found: T[] = [];
  let { before } = query;
  for (let look = 1; ; look++) {
    const wanted = limit - found.length;
    const some: T[] = [];
    let end: End | null = null;
    for (const walk of walks) {
      const rows = await lookAlong(session, table, walk, before, wanted, query.valueLimit);
      some.push(...rows);
      if (rows.length === wanted || "few" in walk || walk.by.length === 0) continue;
      const own = await endOfLook(session, table, walk, before, made);
      if (own !== null && (end === null || own.id > end.id)) end = own;
    }
    const { id: last = "", madeAt = 0 } = end ?? {};
    if (walks.length > 1) some.sort((one, other) => (one.id < other.id ? 1 : -1));
    found.push(...some.filter(({ id }) => id >= last).slice(0, wanted));
    if (found.length === limit || end === null || madeAt < (query.scheduledFrom ?? 0) - EARLY_MS) return found;
    if (look === LOOKS) return Object.assign(found, { next: last });
    before = last;
    await session.yield?.();
  }
}

function lookAlong<T extends object>(
  session: Session,
  table: Table<T>,
  walk: Walk | Few,
  before: string | undefined,
  limit: number,
  valueLimit: number | undefined,
): Promise<T[]> {
  const values: unknown[] = [];
  if ("few" in walk) {
    const behind: readonly Condition[] = before === undefined ? [] : [[(place) => `id || '' < $${place}`, before]];
    const rest = `WHERE ${all([...walk.few, ...behind], values)} ORDER BY id || '' DESC LIMIT ${limit}`;
    return select(session, table, rest, values, valueLimit);
  }
  const { read, key, from, order } = along(walk, before, values);
  const end = walk.by.length === 0 ? "''" : `coalesce(${lastOf(session, table, walk, before, values)}, '')`;
  const rest = `WHERE ${read} AND ${key} >= (${[...from, end].join(", ")}) ${all(walk.by, values, "AND ")} ${order} LIMIT ${limit}`;
  return select(session, table, rest, values, valueLimit);
}

interface End {
  readonly id: string;
  readonly madeAt: number;
}

/** The last row that a look reads; `null` when it reads what is left. */
async function endOfLook<T>(session: Session, table: Table<T>, walk: Walk, before: string | undefined, made: string): Promise<End | null> {
  const values: unknown[] = [];
  const last = lastOf(session, table, walk, before, values);
  const sql = `SELECT id, ${made} AS made_at FROM ${session.dialect.name(table.name)} WHERE id = ${last}`;
  const [row] = await session.query(sql, values);
  return row === undefined ? null : { id: String(row.id), madeAt: Number(row.made_at) };
}

/** The id of the last row that a look reads, as an expression; nothing when there are fewer rows. */
function lastOf<T>(session: Session, { name }: Table<T>, walk: Walk, before: string | undefined, values: unknown[]): string {
  const { read, key, from, order } = along(walk, before, values);
  const rows = `SELECT id FROM ${session.dialect.name(name)} WHERE ${read} AND ${key} >= (${[...from, "''"].join(", ")})`;
  return `(${rows} ${order} LIMIT 1 OFFSET ${LOOKED_AT - 1})`;
}

/** The upper bound of a walk, the key and the values of its lower one, and its order. */
function along({ index = [], hidden, of }: Walk, before: string | undefined, values: unknown[]) {
  const equal = hidden === undefined ? [] : [`${hidden[0]} = $${values.push(hidden[1])}`];
  const columns = [...index.map(([column]) => column), "id"];
  const key = `(${columns.join(", ")})`;
  const from = index.map(([, value]) => `$${values.push(value)}`);
  const upper = `${key} < (${[...from, `$${values.push(before ?? LAST_ID)}`].join(", ")})`;
  return {
    read: [...(of === undefined ? [] : [of]), ...equal, upper].join(" AND "),
    key,
    from,
    order: `ORDER BY ${columns.map((column) => `${column} DESC`).join(", ")}`,
  };
}

/** Conditions as one, their values added to others. */
function all(conditions: readonly Condition[], values: unknown[], before = ""): string {
  const text = conditions.map(([one, value]) => one(value === undefined ? 0 : values.push(value))).join(" AND ");
  return text === "" ? "" : `${before}${text}`;
}
