import { toDate } from "../base/instant.js";

/** Something that a simulation or a backtest could not know, and what it took instead. */
export interface Unknown {
  /** What is not known. */
  readonly what: string;
  /** What was taken instead. */
  readonly assumed: string;
  /** How often that mattered; `null` when that cannot be known either. */
  readonly count: number | null;
  /** When it first mattered. */
  readonly firstAt: Date | null;
}

/** Collects what is not known: the same one is counted. */
export class Unknowns {
  readonly #made = new Map<string, { what: string; assumed: string; count: number | null; firstAt: number | null }>();

  /**
   * Counts one.
   *
   * @param count - `null` when nobody knows how often it matters
   */
  add(what: string, assumed: string, at: number | null = null, count: number | null = 1): void {
    const key = `${what}\n${assumed}`;
    const known = this.#made.get(key);
    if (known === undefined) this.#made.set(key, { what, assumed, count, firstAt: at });
    else {
      known.count = known.count === null || count === null ? null : known.count + count;
      if (at !== null && (known.firstAt === null || at < known.firstAt)) known.firstAt = at;
    }
  }

  /** Returns them all, in the order in which they were first made. */
  list(): readonly Unknown[] {
    return [...this.#made.values()].map(({ what, assumed, count, firstAt }) => ({ what, assumed, count, firstAt: toDate(firstAt) }));
  }
}

/** Unknowns in words, one a line. */
export function unknownText(unknown: readonly Unknown[]): readonly string[] {
  return unknown.map(({ what, assumed, count, firstAt }) => {
    const times = count === null ? "" : `${count} × `;
    const since = firstAt === null ? "" : ` (first ${firstAt.toISOString()})`;
    return `${times}${what}: ${assumed}${since}`;
  });
}
