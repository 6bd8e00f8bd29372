/**
 * The port for time. Only the system clock reads the machine's time or sets a timer; everything else asks this.
 */
export interface Clock {
  /**
   * Wall-clock time, epoch ms. May jump, in either direction: the engine notices, and goes by the clock of the store's server where it has one and they differ by 2 s. `clock` of runs
   * and executors is corrected likewise.
   */
  now(): number;
  /** Milliseconds from an arbitrary start that never jump: they distinguish a jump of the wall clock from elapsed time. */
  monotonic(): number;
  /** Calls `fn` once after `delayMs`; the function returned takes the timer back. Any length. */
  setTimer(delayMs: number, fn: () => void): () => void;
  /**
   * Resolves after `ms`; rejects with the signal's reason when it aborts. For runs and conditions that wait: a fake
   * clock makes their waiting take no time.
   */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /**
   * Resolves in a later turn of the event loop, when timers, sockets and signals that were ready have been served. The engine awaits it between
   * pieces of work that may follow each other without end. Clocks that are moved by hand leave it out: then only pending promises come first.
   */
  yield?(): Promise<void>;
  /** Of clocks that have nothing to do with the time of the world, such as those that are moved by hand: they are never corrected. */
  readonly isSimulated?: boolean;
  /**
   * Reports active work to a clock that is moved by hand, so that it waits for it before it moves on: `work` of the
   * engine, a `run` of a user's function, or a `condition` being asked. Clocks that move by themselves leave it out.
   *
   * @param name - what a clock that waited in vain calls it
   */
  track?(promise: Promise<unknown>, kind: "work" | "run" | "condition", name?: string): void;
}
