/** Storage type of a field: `int` are integers up to 2^53, `json` is stored as text. */
export type StorageType = "text" | "int" | "real" | "bool" | "json";

/** A field of a stored record, whose values are of type `T`. What depends on the fields of a record (its type, its table, migrations) is derived from these definitions. */
export interface Field<T> {
  readonly type: StorageType;
  readonly isNullable: boolean;
  /** The only values that it can have; `null` where there are more than a few. */
  readonly allowed: readonly unknown[] | null;
  /** The value in its place when it was not read, of a field that may be large; `undefined` for all others. */
  readonly unread: null | readonly never[] | undefined;
  /** It changes after the record was created. */
  readonly isChanging: boolean;
  /** Version of the schema that adds it. */
  readonly addedIn: number;
  /** Value in records that were stored before that version. */
  readonly before: string | number | boolean | null;
  /** Allows `null`. */
  nullable(): Field<T | null>;
  /** Marks a value that may be large: lists leave it out where it has more bytes than they may read, and `unread` stands in its place. */
  large(unread: null | readonly never[]): Field<T>;
  /** Changes after the record was created. */
  changing(): Field<T>;
  /** Is added in this version of the schema; `before` is its value in records that are older, `null` unless given. Default: 1, the first version. */
  since(version: number, before?: T & (string | number | boolean)): Field<T>;
}

/** The fields of a record by name, in the order of their columns. */
export type Fields = Readonly<Record<string, Field<unknown>>>;

/** Values that stand in the place of those that are too large to be read, by field. */
export type Unread = Readonly<Record<string, null | readonly never[]>>;

/** The record with these fields. */
export type RecordOf<F> = { readonly [Name in keyof F]: F[Name] extends Field<infer T> ? T : never };

export function text<T extends string = string>(): Field<T> {
  return field({ type: "text" });
}

/** Text of which only these values are allowed. */
export function oneOf<T extends string>(allowed: readonly T[]): Field<T> {
  return field({ type: "text", allowed });
}

export function int(): Field<number> {
  return field({ type: "int" });
}

export function real(): Field<number> {
  return field({ type: "real" });
}

export function bool(): Field<boolean> {
  return field({ type: "bool" });
}

export function json<T>(): Field<T> {
  return field({ type: "json" });
}

/** Returns the fields that may be large, with what stands in the place of their values when these are not read. */
export function unreadOf(fields: Fields): Unread {
  return Object.fromEntries(Object.entries(fields).flatMap(([name, { unread }]) => (unread === undefined ? [] : [[name, unread]])));
}

type Facts = Pick<Field<unknown>, "type"> & Partial<Omit<Field<unknown>, "nullable" | "large" | "changing" | "since">>;

function field<T>(facts: Facts): Field<T> {
  return {
    isNullable: false,
    allowed: null,
    unread: undefined,
    isChanging: false,
    addedIn: 1,
    before: null,
    ...facts,
    nullable: () => field({ ...facts, isNullable: true }),
    large: (unread) => field({ ...facts, unread }),
    changing: () => field({ ...facts, isChanging: true }),
    since: (addedIn, before) => field({ ...facts, addedIn, before: before ?? null }),
  };
}
