/** Time budget of a turn of the event loop, ms, and how to yield to the next one. */
export interface Turns {
  /** Milliseconds from an arbitrary start that never jump. */
  monotonic(): number;
  /** Resolves in a later turn. Where there is none, everything is one turn. */
  yield?(): Promise<void>;
}

/** So much of a turn is spent on work that could go on in the next one, ms. */
const TURN_MS = 4;

/**
 * The time that parts of the engine, or of a store, share within one turn of the event loop, so that timers, sockets and signals are served however much there is to do. A caller that does many small things
 * asks between them whether it is spent, and then waits for the next turn.
 *
 * @example
 * for (const one of many) {
 *   handle(one);
 *   if (turns.isSpent) await turns.next();
 * }
 */
export class TurnBudget {
  readonly #turns: Turns;
  /** When this turn's share began to be spent; `null`: nobody has asked in this turn. */
  #since: number | null = null;
  #next: Promise<void> | null = null;

  constructor(turns: Turns) {
    this.#turns = turns;
  }

  /** True if this turn's share is spent. Never true where there are no turns. */
  get isSpent(): boolean {
    if (this.#turns.yield === undefined) return false;
    if (this.#since !== null) return this.#turns.monotonic() - this.#since >= TURN_MS;
    this.#since = this.#turns.monotonic();
    void this.next();
    return false;
  }

  /** Resolves in the next turn. */
  next(): Promise<void> {
    this.#next ??= (this.#turns.yield?.() ?? Promise.resolve()).then(() => {
      this.#next = null;
      this.#since = null;
    });
    return this.#next;
  }
}
