import { emitWarning } from "node:process";
import { type Duration, durationMs } from "../base/duration.js";
import { HeadgateError, quote } from "../base/errors.js";
import { Heap, type HeapEntry } from "../base/heap.js";
import { epochMs, type Instant, isoUtc, toDate } from "../base/instant.js";
import { checkOptions } from "../base/options.js";
import type { Clock } from "../ports/clock.js";

/** Taken when loaded, so that fake global timers of a test runner do not stop the fake clock. */
const realImmediate = setImmediate;
const realTimeout = setTimeout;
const realClear = clearTimeout;

/** A clock that moves only by its methods. */
export interface FakeClock extends Clock {
  /** Moves on, and resolves when everything that became due on the way has settled. */
  advance(by: Duration): Promise<void>;
  /** Moves on to an instant; one that has passed moves nothing. */
  advanceTo(at: Instant): Promise<void>;
  /** Resolves when active work has settled, without moving. */
  settle(): Promise<void>;
  /** Resolves after a time on this clock; rejects with the signal's reason when it aborts. */
  sleep(length: Duration, signal?: AbortSignal): Promise<void>;
  /** Runs and conditions that an `advance` waited for in vain and that have not ended since. */
  readonly unsettled: readonly UnsettledWork[];
  /** Steps the wall clock alone, forward or (negative ms) backward, as an administrator or NTP would. */
  jump(byMs: number): void;
}

/** Options of {@link fakeClock}. */
export interface FakeClockOptions {
  /**
   * Real time that an `advance` waits for one run that does real work (reads a file, say) and does not sleep on this clock. Then it moves on
   * without it and waits for it no more, as `onUnsettled` says. Default `"1s"`.
   */
  patience?: Duration;
  /**
   * Policy of an `advance` when its patience with a run or a condition is over, so that fake time passes while that still works: `"warn"` names it in a warning of the
   * process and moves on; `"reject"` stays at the instant and rejects with `NOT_SETTLED`; a function is called and the clock moves on. Default `"warn"`.
   */
  onUnsettled?: "warn" | "reject" | ((work: UnsettledWork) => void);
}

/** A run or a condition that does not sleep on the clock and has not ended either. */
export interface UnsettledWork {
  readonly kind: "run" | "condition";
  /** Its name, in words. */
  readonly name: string;
  /** When it began on this clock. */
  readonly since: Date;
  /** Time was waited for it, in real ms. */
  readonly waitedMs: number;
}

/** Timers due at one instant, in the order in which they were set. */
interface Bucket extends HeapEntry {
  readonly timers: Set<() => void>;
}

interface Tracked {
  readonly settled: Promise<unknown>;
  readonly kind: "run" | "condition";
  readonly name: string;
  readonly since: number;
  isGivenUp: boolean;
  waitedMs: number;
}

/**
 * A clock for tests. `advance` and `advanceTo` resolve when everything that became due has settled: fires, decisions, runs, retries. Needs no
 * fake global timers and works with any test runner.
 *
 * @param start - default 2026-01-01T00:00:00Z
 * @throws HeadgateError `INVALID_INSTANT`, `INVALID_DURATION`, `INVALID_ARGUMENT`; `advance` rejects with `NOT_SETTLED` under `onUnsettled: "reject"`
 * @example
 * const clock = fakeClock("2026-03-01T01:59:00Z");
 * const scheduler = createScheduler({ pipelines: [daily], clock });
 * await scheduler.start();
 * await clock.advance("1m");
 */
export function fakeClock(start: Instant = "2026-01-01T00:00:00Z", options: FakeClockOptions = {}): FakeClock {
  checkOptions(options, { patience: true, onUnsettled: true }, "fakeClock");
  const { onUnsettled = "warn" } = options;
  if (onUnsettled !== "warn" && onUnsettled !== "reject" && typeof onUnsettled !== "function")
    throw new HeadgateError(
      "INVALID_ARGUMENT",
      `fakeClock: onUnsettled: ${quote(onUnsettled)} is unknown; allowed: warn, reject, a function`,
    );
  return new ManualClock(epochMs(start, "start"), durationMs(options.patience ?? "1s", "patience"), onUnsettled);
}

class ManualClock implements FakeClock {
  readonly isSimulated = true;
  readonly #patienceMs: number;
  readonly #onUnsettled: NonNullable<FakeClockOptions["onUnsettled"]>;
  #wall: number;
  #monotonic = 0;
  readonly #due = new Heap<Bucket>();
  readonly #buckets = new Map<number, Bucket>();
  readonly #work = new Set<Promise<unknown>>();
  readonly #runs = new Set<Tracked>();
  #sleeping = 0;
  #moves: Promise<unknown> = Promise.resolve();

  constructor(start: number, patienceMs: number, onUnsettled: NonNullable<FakeClockOptions["onUnsettled"]>) {
    this.#wall = start;
    this.#onUnsettled = onUnsettled;
    this.#patienceMs = patienceMs;
  }

  now(): number {
    return this.#wall;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  setTimer(delayMs: number, fn: () => void): () => void {
    if (typeof delayMs !== "number" || Number.isNaN(delayMs))
      throw new HeadgateError("INVALID_DURATION", `setTimer: ${quote(delayMs)} is not a number of ms`);
    const at = this.#monotonic + Math.max(0, Math.ceil(delayMs)); // instants are whole ms, as on the system clock
    let bucket = this.#buckets.get(at);
    if (bucket === undefined) {
      bucket = { heapIndex: -1, heapKey: at, timers: new Set() };
      this.#buckets.set(at, bucket);
      this.#due.set(bucket, at);
    }
    const timer = () => fn();
    bucket.timers.add(timer);
    return () => {
      if (!bucket.timers.delete(timer) || bucket.timers.size > 0) return;
      this.#due.remove(bucket);
      this.#buckets.delete(at);
    };
  }

  sleep(length: Duration, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const ms = durationMs(length, "sleep");
      if (signal?.aborted) return reject(signal.reason);
      this.#sleeping++;
      const onAbort = () => end(() => reject(signal?.reason));
      const cancel = this.setTimer(ms, () => end(resolve));
      const end = (settle: () => void) => {
        this.#sleeping--;
        cancel();
        signal?.removeEventListener("abort", onAbort);
        settle();
      };
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  get unsettled(): readonly UnsettledWork[] {
    return [...this.#runs].filter(({ isGivenUp }) => isGivenUp).map(shown);
  }

  track(promise: Promise<unknown>, kind: "work" | "run" | "condition", name: string = kind): void {
    if (kind === "work") {
      const settled = promise.then(noop, noop);
      this.#work.add(settled);
      settled.then(() => this.#work.delete(settled));
      return;
    }
    const tracked: Tracked = { settled: promise.then(noop, noop), kind, name, since: this.#wall, isGivenUp: false, waitedMs: 0 };
    this.#runs.add(tracked);
    tracked.settled.then(() => this.#runs.delete(tracked));
  }

  jump(byMs: number): void {
    if (!Number.isFinite(byMs)) throw new HeadgateError("INVALID_ARGUMENT", "jump: must be a number of ms");
    this.#wall += Math.trunc(byMs);
  }

  settle(): Promise<void> {
    return this.#queue(() => this.#settle());
  }

  advance(by: Duration): Promise<void> {
    const ms = durationMs(by, "advance");
    return this.#queue(() => this.#moveTo(this.#monotonic + ms));
  }

  advanceTo(at: Instant): Promise<void> {
    const target = epochMs(at, "advanceTo");
    return this.#queue(() => this.#moveTo(this.#monotonic + target - this.#wall));
  }

  /** One move after the other, however they were called. */
  #queue(move: () => Promise<void>): Promise<void> {
    const result = this.#moves.then(move);
    this.#moves = result.catch(noop);
    return result;
  }

  async #moveTo(target: number): Promise<void> {
    await this.#settle();
    for (let next = this.#due.peek(); next !== undefined && next.heapKey <= target; next = this.#due.peek()) {
      this.#passTo(next.heapKey);
      this.#due.remove(next);
      this.#buckets.delete(next.heapKey);
      for (const timer of next.timers) {
        next.timers.delete(timer);
        timer();
      }
      await this.#settle();
    }
    this.#passTo(target);
  }

  #passTo(monotonic: number): void {
    const passed = Math.max(0, monotonic - this.#monotonic);
    this.#monotonic += passed;
    this.#wall += passed;
  }

  async #settle(): Promise<void> {
    for (;;) {
      await turn();
      if (this.#work.size > 0) {
        await Promise.race(this.#work);
        continue;
      }
      const awake = this.#runs.size - this.#sleeping;
      const waitedFor = [...this.#runs].filter(({ isGivenUp }) => !isGivenUp);
      if (awake <= 0 || waitedFor.length === 0) return;
      await this.#waitFor(waitedFor);
    }
  }

  /** Returns runs that do real work a moment of real time. */
  async #waitFor(runs: readonly Tracked[]): Promise<void> {
    const before = performance.now();
    const leastMs = Math.min(...runs.map(({ waitedMs }) => this.#patienceMs - waitedMs), 10);
    await within(Math.max(1, leastMs), Promise.race(runs.map(({ settled }) => settled)));
    const waited = performance.now() - before;
    for (const run of runs) {
      run.waitedMs += waited;
      if (run.waitedMs < this.#patienceMs || !this.#runs.has(run)) continue;
      if (this.#onUnsettled === "reject") throw notSettled(run, "the clock stays where it is");
      run.isGivenUp = true;
      if (this.#onUnsettled === "warn")
        emitWarning(notSettled(run, "the clock moves on without it").message, { code: "HEADGATE_NOT_SETTLED" });
      else this.#onUnsettled(shown(run));
    }
  }
}

function noop(): void {}

function shown({ kind, name, since, waitedMs }: Tracked): UnsettledWork {
  return { kind, name, since: toDate(since), waitedMs };
}

function notSettled({ kind, name, since, waitedMs }: Tracked, then: string): HeadgateError {
  const waited = `${Math.round(waitedMs)} ms of real time`;
  const advice = "let it sleep on the clock that is passed to it, end it, or increase the fake clock's `patience`";
  return new HeadgateError(
    "NOT_SETTLED",
    `fake clock: ${name}, which began ${isoUtc(since)}, did not settle within ${waited}; ${then}; ${advice}`,
    {
      details: { kind, name },
    },
  );
}

/** One turn of the event loop: every promise that can settle has settled after it. */
function turn(): Promise<void> {
  return new Promise((resolve) => realImmediate(resolve));
}

function within(ms: number, promise: Promise<unknown>): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  const timeUp = new Promise((resolve) => {
    timer = realTimeout(resolve, ms);
  });
  return Promise.race([promise, timeUp]).finally(() => realClear(timer));
}
