/** Names and their counts, one after the other: a map of a few names takes several times as much. */
type Counts = (string | number)[];

/** Both generations, as they are kept. */
export interface BucketCounterState {
  readonly newer: readonly (string | number)[];
  readonly older: readonly (string | number)[];
}

/** Counts by name, in two generations: what is older than two turns is forgotten. Bounded by a number of names. */
export class BucketCounter {
  readonly #limit: number;
  #newer: Counts = [];
  #older: Counts = [];

  constructor(limit: number, state?: BucketCounterState) {
    this.#limit = limit;
    if (state === undefined) return;
    this.#newer = [...state.newer];
    this.#older = [...state.older];
  }

  get state(): BucketCounterState {
    return { newer: this.#newer, older: this.#older };
  }

  add(name: string, count = 1): void {
    const place = this.#newer.indexOf(name);
    if (place !== -1) this.#newer[place + 1] = (this.#newer[place + 1] as number) + count;
    else if (this.#newer.length < 2 * this.#limit) this.#newer.push(name, count);
  }

  /** Begins a generation; the last one but one is forgotten. */
  turn(): void {
    this.#older = this.#newer;
    this.#newer = [];
  }

  counts(): Map<string, number> {
    const all = new Map<string, number>();
    for (const counts of [this.#older, this.#newer])
      for (let place = 0; place < counts.length; place += 2) {
        const name = counts[place] as string;
        all.set(name, (all.get(name) ?? 0) + (counts[place + 1] as number));
      }
    return all;
  }
}
