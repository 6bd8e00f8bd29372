/** The type of a value once it has been kept as JSON: dates are texts, what is not there is `null`, functions are gone. */
export type AsJson<T> = unknown extends T
  ? unknown
  : T extends string | number | boolean | null
    ? T
    : T extends void
      ? null
      : T extends { toJSON(): infer Kept }
        ? AsJson<Kept>
        : T extends bigint | symbol | Callable
          ? never
          : T extends readonly unknown[]
            ? { readonly [Index in keyof T]: AsJson<T[Index]> }
            : { readonly [Key in keyof T as T[Key] extends Callable ? never : Key]: AsJsonProperty<T[Key]> };

type Callable = (...args: never) => unknown;

/** A property that may be `undefined` is left out of JSON, and not `null` in it. */
type AsJsonProperty<T> = AsJson<Exclude<T, undefined>> | Extract<T, undefined>;
