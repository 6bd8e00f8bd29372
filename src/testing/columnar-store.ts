import { countedId } from "../base/id.js";

/** Storage of a field: numbers and `null`, counted ids and `null`, text and `null`, or anything as JSON. */
export type ColumnKind = "number" | "id" | "text" | "json";

const CHUNK = 1 << 16;

/**
 * Records kept by column: a number costs 8 bytes, a text that comes again 4, a field that never changes nothing. A million records that
 * would fill a gigabyte as objects fit into a hundred megabytes, and are made again when somebody looks.
 */
export class ColumnarStore<T extends object> {
  readonly #names: readonly (keyof T & string)[];
  readonly #columns: readonly Column[];
  #size = 0;

  constructor(kinds: { readonly [Field in keyof T]: ColumnKind }) {
    this.#names = Object.keys(kinds) as (keyof T & string)[];
    this.#columns = this.#names.map((name) => columnOf(kinds[name]));
  }

  get size(): number {
    return this.#size;
  }

  push(record: T): void {
    const names = this.#names;
    for (let index = 0; index < names.length; index++) {
      (this.#columns[index] as Column).push(record[names[index] as keyof T], this.#size);
    }
    this.#size++;
  }

  at(index: number): T {
    const record: Partial<T> = {};
    for (const [column, name] of this.#names.entries()) record[name] = this.#columns[column]?.at(index) as T[typeof name];
    return record as T;
  }

  /** One field of one record. */
  field<F extends keyof T & string>(name: F, index: number): T[F] {
    return this.#columns[this.#names.indexOf(name)]?.at(index) as T[F];
  }
}

function columnOf(kind: ColumnKind): Column {
  if (kind === "number") return new NumberColumn();
  return kind === "id" ? new IdColumn() : new TextColumn(kind === "json");
}

abstract class Column {
  abstract push(value: unknown, index: number): void;
  abstract at(index: number): unknown;
}

class NumberColumn extends Column {
  #constant: unknown;
  #chunks: Float64Array[] | null = null;

  push(value: unknown, index: number): void {
    if (index === 0) this.#constant = value;
    if (this.#chunks === null) {
      if (value === this.#constant) return;
      this.#chunks = filled(index, () => new Float64Array(CHUNK).fill(encoded(this.#constant)));
    }
    put(this.#chunks, index, encoded(value), () => new Float64Array(CHUNK));
  }

  at(index: number): unknown {
    if (this.#chunks === null) return this.#constant;
    const value = (this.#chunks[Math.floor(index / CHUNK)] as Float64Array)[index % CHUNK] as number;
    return Number.isNaN(value) ? null : value;
  }
}

/** The ids of `countingIds`, which are numbers in base 36. */
class IdColumn extends NumberColumn {
  override push(value: unknown, index: number): void {
    super.push(value === null ? null : Number.parseInt(value as string, 36), index);
  }

  override at(index: number): unknown {
    const number = super.at(index) as number | null;
    return number === null ? null : countedId(number);
  }
}

class TextColumn extends Column {
  readonly #isJson: boolean;
  readonly #known = new Map<string | null, number>();
  readonly #texts: (string | null)[] = [];
  #chunks: Int32Array[] | null = null;

  constructor(isJson: boolean) {
    super();
    this.#isJson = isJson;
  }

  push(value: unknown, index: number): void {
    const text = value === null || value === undefined ? null : this.#isJson ? JSON.stringify(value) : (value as string);
    let number = this.#known.get(text);
    if (number === undefined) {
      number = this.#texts.length;
      this.#texts.push(text);
      this.#known.set(text, number);
    }
    if (this.#chunks === null) {
      if (number === 0) return;
      this.#chunks = filled(index, () => new Int32Array(CHUNK));
    }
    put(this.#chunks, index, number, () => new Int32Array(CHUNK));
  }

  at(index: number): unknown {
    const number = this.#chunks === null ? 0 : ((this.#chunks[Math.floor(index / CHUNK)] as Int32Array)[index % CHUNK] as number);
    const text = this.#texts[number] ?? null;
    return text !== null && this.#isJson ? JSON.parse(text) : text;
  }
}

/** `null` is kept as NaN. */
function encoded(value: unknown): number {
  return value === null ? Number.NaN : (value as number);
}

function filled<A>(count: number, make: () => A): A[] {
  return Array.from({ length: Math.ceil(count / CHUNK) }, make);
}

function put(chunks: { [index: number]: number }[], index: number, value: number, make: () => { [index: number]: number }): void {
  const number = Math.floor(index / CHUNK);
  chunks[number] ??= make();
  (chunks[number] as { [index: number]: number })[index % CHUNK] = value;
}
