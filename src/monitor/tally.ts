/** Counts by name, in two generations: what is older than two turns is forgotten. Bounded by a number of names. */
export class Tally {
  readonly #limit: number;
  #newer = new Map<string, number>();
  #older = new Map<string, number>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(name: string): void {
    if (this.#newer.has(name) || this.#newer.size < this.#limit) this.#newer.set(name, (this.#newer.get(name) ?? 0) + 1);
  }

  /** Begins a generation; the last one but one is forgotten. */
  turn(): void {
    this.#older = this.#newer;
    this.#newer = new Map();
  }

  counts(): Map<string, number> {
    const all = new Map(this.#older);
    for (const [name, count] of this.#newer) all.set(name, (all.get(name) ?? 0) + count);
    return all;
  }
}
