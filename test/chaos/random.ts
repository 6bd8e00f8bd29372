import { randomFrom } from "../../src/testing/random.js";

/** A seeded source of choices: the same seeds make the same choices. */
export class Random {
  readonly #next: () => number;

  constructor(...seeds: readonly number[]) {
    this.#next = randomFrom(seeds.reduce((mixed, seed) => Math.imul(mixed ^ seed, 0x9e3779b1) ^ (mixed >>> 15), 0x243f6a88));
    for (let n = 0; n < 8; n++) this.#next(); // neighbouring seeds begin alike
  }

  /** A number in [from, to). */
  between(from: number, to: number): number {
    return from + this.#next() * (to - from);
  }

  /** A whole number in [from, to]. */
  whole(from: number, to: number): number {
    return Math.floor(this.between(from, to + 1));
  }

  chance(share: number): boolean {
    return this.#next() < share;
  }

  pick<T>(all: readonly T[]): T {
    const one = all[Math.floor(this.#next() * all.length)];
    if (one === undefined) throw new Error("there is nothing to pick from");
    return one;
  }

  /** Picks by weight. */
  weighted<T extends { readonly weight: number }>(all: readonly T[]): T {
    let rest = this.#next() * all.reduce((sum, { weight }) => sum + weight, 0);
    for (const one of all) {
      rest -= one.weight;
      if (rest < 0) return one;
    }
    return this.pick(all);
  }
}
