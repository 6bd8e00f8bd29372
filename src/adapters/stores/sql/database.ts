import { HeadgateError } from "../../../base/errors.js";
import { columnsWithin, type Table } from "./table.js";

export type Row = Readonly<Record<string, unknown>>;

/** The differences between the two SQL dialects; everything else is shared. */
export interface Dialect {
  /** A table's full name, quoted. */
  name(table: string): string;
  /** `= any of` the list bound at a place. */
  isIn(place: number): string;
  /** A list as it is bound. */
  list(values: readonly string[]): unknown;
  /** The pairs bound at a place, as a table `w` with the columns `a` and `b`. */
  pairs(place: number): string;
  /** Pairs as they are bound. */
  pairList(values: readonly (readonly [a: string, b: string])[]): unknown;
  /** Locks the rows that a query gives. */
  readonly forUpdate: string;
  /** The same, passing over those that others have locked. */
  readonly skipLocked: string;
  /** Makes the transaction the only one that adds triggers under limits until it ends; `null` where it is the only one that writes. */
  readonly queueLock: string | null;
  /** Keeps pauses out until a transaction that starts runs has ended; `null` where it is the only one that writes. */
  readonly startLock: string | null;
  /** Makes the rest of the transaction use indexes, whatever the planner estimates; `null` where it does so anyway. */
  readonly byIndex: string | null;
  /** Keeps out, until the transaction ends, claims and whatever else starts runs; `null` where it is the only one that writes. */
  readonly pauseLock: string | null;
}

/** Statements within one transaction, or each on its own. Places are `$1`, `$2` … */
export interface Session {
  readonly dialect: Dialect;
  query(sql: string, values?: readonly unknown[]): Promise<readonly Row[]>;
  /**
   * Adds rows; with `unlessThere`, those whose key is there already are left out; with `tell`, other nodes are notified when this is committed. Returns the keys that
   * were added.
   */
  insert<T extends object>(
    table: Table<T>,
    records: readonly T[],
    options?: { unlessThere?: boolean; tell?: boolean },
  ): Promise<ReadonlySet<string>>;
  /** Adds and changes rows of different tables at once. Rows are found by the table's first column. */
  write(steps: readonly Step[]): Promise<void>;
  /** Yields to the event loop between the parts of a long transaction, which stays open; only where statements are synchronous. */
  readonly yield?: () => Promise<void>;
  /**
   * Changes triggers that still wait under the token they are given with, and of those that would start only what no pause keeps back; adds and changes rows for those alone (by their `trigger_id`), and
   * returns the ids of those changed: all in one statement, a transaction of its own that no pause can interrupt. What is to be written (the triggers first) is made when the statement can be sent, again when it is sent again. Only
   * where the database can.
   */
  readonly moveWaiting?: (make: () => readonly [moved: Step, ...others: Step[]]) => Promise<ReadonlySet<string>>;
  /**
   * Ends attempts that are still running under the given token and whose run has no cancel request, together with their triggers and their pipelines' last success. Returns the ids of
   * the runs changed. A transaction of its own, in as few statements as the database can; what is to be written is made when it can be sent, again when it is sent again. Not within a transaction.
   */
  readonly endRunning?: (make: () => RunEnds) => Promise<ReadonlySet<string>>;
}

/** Rows that change when attempts end: runs (with their tokens), triggers (with their runs' ids) and pipelines. */
export interface RunEnds {
  readonly runs: Step;
  readonly triggers: Step;
  readonly pipelines: Step;
}

/** Rows to add (`fields` is `null`), or fields of rows to change. */
export interface Step {
  readonly table: Pick<Table<never>, "name" | "columns">;
  readonly records: readonly object[];
  readonly fields: readonly string[] | null;
}

export function adding<T extends object>(table: Table<T>, records: readonly T[]): Step {
  return { table, records, fields: null };
}

export function changing<T extends object>(table: Table<T>, records: readonly Partial<T>[], fields: readonly (keyof T & string)[]): Step {
  return { table, records, fields };
}

/** A database that a store keeps its tables in. */
export interface Database {
  readonly name: string;
  readonly pollMs: number;
  /** Makes the tables; idempotent. See `Store.open`. */
  open(signal?: AbortSignal): Promise<void>;
  /** See `Store.close`. */
  close(signal?: AbortSignal): Promise<void>;
  /** Returns an error when a newer version of headgate has migrated the schema, else `null`. */
  newerSchema(): Promise<HeadgateError | null>;
  /** Everything or nothing. */
  transaction<T>(work: (session: Session) => Promise<T>): Promise<T>;
  /** The same, letting one claimant at a time in. What `isLosable` need not outlive a crash of the server. */
  claiming<T>(work: (session: Session) => Promise<T>, isLosable: (answer: T) => boolean): Promise<T>;
  /** A transaction that extends leases: it waits for none of the others, where the database has more than one connection. */
  leasing<T>(work: (session: Session) => Promise<T>): Promise<T>;
  /** A single statement, its own transaction. */
  readonly session: Session;
  /** The session of a transaction of the caller's own. */
  joined(transaction: unknown): Promise<Session>;
  /** Notifies other nodes of news; never waits and never fails. */
  notify(): void;
  subscribe(onChange: () => void): () => void;
  serverTime(): Promise<number | null>;
}

/** Returns the error for a schema that a newer version of headgate has made, `null` for one that this version knows. */
export function newerSchema(where: string, version: number, known: number): HeadgateError | null {
  if (version <= known) return null;
  return new HeadgateError(
    "STORE_INCOMPATIBLE",
    `${where} has schema version ${version}, but this version of headgate supports up to ${known}; upgrade headgate`,
    {
      details: { version, known },
    },
  );
}

/** Reads records of a table; with `valueLimit`, without large fields of more bytes. */
export async function select<T extends object>(
  session: Session,
  table: Table<T>,
  rest: string,
  values: readonly unknown[] = [],
  valueLimit?: number,
): Promise<T[]> {
  const columns = valueLimit === undefined ? "*" : columnsWithin(table, values.length + 1);
  const all = valueLimit === undefined ? values : [...values, valueLimit];
  const rows = await session.query(`SELECT ${columns} FROM ${session.dialect.name(table.name)} ${rest}`, all);
  return rows.map((row) => table.decode(row));
}

/** Reads and locks the records with these keys, in the order of the keys, so that no two transactions wait for each other. */
export async function selectLocked<T extends object>(session: Session, table: Table<T>, keys: readonly string[]): Promise<Map<string, T>> {
  if (keys.length === 0) return new Map();
  const [first] = table.columns;
  const key = first?.name ?? "id";
  const { dialect } = session;
  const rest = `WHERE "${key}" ${dialect.isIn(1)} ORDER BY "${key}"${dialect.forUpdate}`;
  const records = await select(session, table, rest, [dialect.list([...new Set(keys)])]);
  return new Map(records.map((record) => [String((record as Record<string, unknown>)[first?.field ?? "id"]), record]));
}

/** Rows as records, and aside of them the rows that somebody has broken. */
export function wholeOf<T extends object>(
  table: Table<T>,
  rows: readonly Row[],
): { records: T[]; broken: { row: Row; error: HeadgateError }[] } {
  const records: T[] = [];
  const broken: { row: Row; error: HeadgateError }[] = [];
  for (const row of rows) {
    try {
      records.push(table.decode(row));
    } catch (error) {
      if (!(error instanceof HeadgateError)) throw error;
      broken.push({ row, error });
    }
  }
  return { records, broken };
}
