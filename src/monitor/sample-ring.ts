const COLUMNS = 3;
/** Float32 keeps a second exactly for half a year around the base. */
const SECOND_MS = 1_000;

/** Duration and lag of a run that has ended; ms, epoch ms. `lagMs` is `NaN` when nothing was scheduled. */
export interface Timing {
  readonly endedAt: number;
  readonly durationMs: number;
  readonly lagMs: number;
}

/** The newest so many timings, in memory that grows with them up to a bound: twelve bytes each. */
export class SampleRing {
  readonly #limit: number;
  readonly #baseAt: number;
  #cells = new Float32Array(4 * COLUMNS);
  #count = 0;
  #next = 0;

  constructor(limit: number, baseAt: number) {
    this.#limit = limit;
    this.#baseAt = baseAt;
  }

  add({ endedAt, durationMs, lagMs }: Timing): void {
    const size = this.#cells.length / COLUMNS;
    if (this.#count === size && size < this.#limit) this.#grow(Math.min(this.#limit, size * 2));
    const at = this.#next * COLUMNS;
    this.#cells[at] = (endedAt - this.#baseAt) / SECOND_MS;
    this.#cells[at + 1] = durationMs;
    this.#cells[at + 2] = lagMs;
    this.#next = (this.#next + 1) % Math.min(this.#limit, this.#cells.length / COLUMNS);
    this.#count = Math.min(this.#count + 1, this.#cells.length / COLUMNS);
  }

  /** Oldest first. */
  *all(): Generator<Timing> {
    const size = this.#cells.length / COLUMNS;
    for (let index = 0; index < this.#count; index++) {
      const at = ((this.#next - this.#count + index + size) % size) * COLUMNS;
      const [seconds, durationMs, lagMs] = [this.#cells[at], this.#cells[at + 1], this.#cells[at + 2]] as [number, number, number];
      yield { endedAt: Math.round(this.#baseAt + seconds * SECOND_MS), durationMs, lagMs };
    }
  }

  /** Durations and lags of what ended at or after an instant. */
  since(at: number): { durations: number[]; lags: number[] } {
    const from = Math.floor((at - this.#baseAt) / SECOND_MS);
    const durations: number[] = [];
    const lags: number[] = [];
    for (let index = 0; index < this.#count; index++) {
      if ((this.#cells[index * COLUMNS] as number) < from) continue;
      durations.push(this.#cells[index * COLUMNS + 1] as number);
      const lag = this.#cells[index * COLUMNS + 2] as number;
      if (!Number.isNaN(lag)) lags.push(lag);
    }
    return { durations, lags };
  }

  /** Only while it has never turned round: the newest stands last. */
  #grow(size: number): void {
    const larger = new Float32Array(size * COLUMNS);
    larger.set(this.#cells);
    this.#cells = larger;
    this.#next = this.#count;
  }
}
