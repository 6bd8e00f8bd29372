import { type Quantiles, quantilesOf } from "../base/quantiles.js";
import { BucketCounter, type BucketCounterState } from "./bucket-counter.js";
import { endedAtOf, type FinishedFacts } from "./finished-record.js";
import { SampleRing, type Timing } from "./sample-ring.js";

/** Options of the statistics window. */
export interface WindowOptions {
  /** The length of their window, ms. */
  readonly lengthMs: number;
  /** Of how many runs, the newest, quantiles are made. */
  readonly timings: number;
}

/** Statistics of the window. Lengths in ms, rates 0 to 1; `null` where there is no data. */
export interface Statistics {
  readonly windowMs: number;
  readonly runs: { readonly succeeded: number; readonly failed: number; readonly timedOut: number; readonly cancelled: number };
  /** Attempts after the first, and attempts whose node died. */
  readonly retries: number;
  readonly lostAttempts: number;
  /** Triggers that ended without a run, and fire times that were dropped. */
  readonly skipped: number;
  readonly expired: number;
  readonly superseded: number;
  readonly missed: number;
  /** Of runs that succeeded, failed or timed out. */
  readonly successRate: number | null;
  readonly failureRate: number | null;
  /** Of those, the share that needed more than one attempt. */
  readonly retryRate: number | null;
  /** Skipped, of all triggers that were decided on. */
  readonly skipRate: number | null;
  /** Of the newest runs in the window, from the first start to the end. */
  readonly duration: Quantiles | null;
  /** From fire time to start. */
  readonly lag: Quantiles | null;
  /** Reasons for which triggers were skipped, in the newest half of the window or more: by the condition that blocked, else by the reason; at most 20. */
  readonly skipReasons: Readonly<Record<string, number>>;
  /** Number of times each condition passed and blocked, likewise; at most 20. */
  readonly conditions: Readonly<Record<string, { readonly pass: number; readonly block: number }>>;
  readonly lastSuccessAt: Date | null;
  readonly lastFailureAt: Date | null;
  /** When a fire time was last dropped for another reason than a pause. */
  readonly lastMissedAt: Date | null;
  /** Runs that failed or timed out since the last success, however long ago. */
  readonly consecutiveFailures: number;
}

/** A window as it is kept, in JSON: a few kilobytes at most. Instants are epoch ms, lengths ms. */
export interface WindowState {
  /** `null`: nothing was taken in yet. */
  readonly newestSlot: number | null;
  readonly counts: readonly number[];
  /** Three numbers for each: when it ended, how long it took, how late it started (`null`: nothing was scheduled). */
  readonly timings: readonly (number | null)[];
  readonly reasons: BucketCounterState | null;
  readonly conditions: BucketCounterState | null;
  readonly lastSuccessAt: number;
  readonly lastFailureAt: number;
  readonly lastMissedAt: number;
  readonly failures: number;
}

const SLOTS = 8;
const COUNTED = [
  "succeeded",
  "failed",
  "timedOut",
  "cancelled",
  "retries",
  "retried",
  "lost",
  "skipped",
  "expired",
  "superseded",
  "missed",
] as const;
type Counted = (typeof COUNTED)[number];
const PLACE = Object.fromEntries(COUNTED.map((name, index) => [name, index])) as Readonly<Record<Counted, number>>;
const NAMES_KEPT = 20;
const HALF = SLOTS / 2;

/**
 * Statistics over a sliding window in constant memory: counts in eighths of the window, and the timings of its newest runs.
 */
export class RunWindow {
  readonly #options: WindowOptions;
  readonly #slotMs: number;
  /** Counts by slot; the slot of an instant is its number modulo the slots. */
  readonly #counts = new Uint32Array(SLOTS * COUNTED.length);
  #newestSlot = Number.NEGATIVE_INFINITY;
  #timings: SampleRing | null = null;
  #reasons: BucketCounter | null = null;
  /** By result and condition. */
  #conditions: BucketCounter | null = null;
  #lastSuccessAt = 0;
  #lastFailureAt = 0;
  #lastMissedAt = 0;
  #failures = 0;
  /** Sorting the timings is most of the work. */
  #spread: { readonly slot: number; readonly duration: Quantiles | null; readonly lag: Quantiles | null } | null = null;

  /** @param state - of a window of the same length, to go on from */
  constructor(options: WindowOptions, state?: WindowState) {
    this.#options = options;
    this.#slotMs = Math.max(1, options.lengthMs / SLOTS);
    if (state === undefined || state.newestSlot === null) return;
    this.#newestSlot = state.newestSlot;
    this.#counts.set(state.counts.slice(0, this.#counts.length));
    this.#reasons = state.reasons === null ? null : new BucketCounter(NAMES_KEPT, state.reasons);
    this.#conditions = state.conditions === null ? null : new BucketCounter(2 * NAMES_KEPT, state.conditions);
    for (let place = 0; place < state.timings.length; place += 3) {
      const [endedAt, durationMs, lagMs] = state.timings.slice(place, place + 3) as [number, number, number | null];
      this.#time({ endedAt, durationMs, lagMs: lagMs ?? Number.NaN });
    }
    this.#lastSuccessAt = state.lastSuccessAt;
    this.#lastFailureAt = state.lastFailureAt;
    this.#lastMissedAt = state.lastMissedAt;
    this.#failures = state.failures;
  }

  get state(): WindowState {
    return {
      newestSlot: Number.isFinite(this.#newestSlot) ? this.#newestSlot : null,
      counts: [...this.#counts],
      timings: [...(this.#timings?.all() ?? [])].flatMap(({ endedAt, durationMs, lagMs }) => [
        endedAt,
        durationMs,
        Number.isNaN(lagMs) ? null : lagMs,
      ]),
      reasons: this.#reasons?.state ?? null,
      conditions: this.#conditions?.state ?? null,
      lastSuccessAt: this.#lastSuccessAt,
      lastFailureAt: this.#lastFailureAt,
      lastMissedAt: this.#lastMissedAt,
      failures: this.#failures,
    };
  }

  /** Takes in what has ended; in about the order in which it did. */
  add(ended: FinishedFacts): void {
    const at = endedAtOf(ended);
    const slot = this.#slotOf(at);
    if (slot <= this.#newestSlot - SLOTS) return; // older than the window
    this.#turnTo(slot);
    const { trigger, run, decisions } = ended;
    const count = (name: Counted, by = 1) => {
      const place = (slot % SLOTS) * COUNTED.length + PLACE[name];
      this.#counts[place] = (this.#counts[place] as number) + by;
    };
    if (trigger === null) {
      const [decision] = decisions;
      if (decision === undefined) return;
      this.#because(decision.reason);
      const { pause, skip } = decision.missed ?? {};
      if (pause !== undefined || skip !== undefined || decision.reason.startsWith("paused")) return; // somebody wanted it so
      count("missed", decision.missed?.count ?? 1);
      this.#lastMissedAt = Math.max(this.#lastMissedAt, at);
      return;
    }
    if (run !== null) this.#addRun(run, count);
    else if (trigger.status === "skipped" || trigger.status === "expired" || trigger.status === "superseded") count(trigger.status);
    for (const { outcome, findings, reason, repeated } of decisions) {
      if (outcome === "skip") this.#because(findings.find(({ result }) => result === "block")?.condition ?? reason);
      for (const { condition, result } of findings) if (result !== "not_evaluated") this.#found(condition, result, repeated?.count ?? 1);
    }
  }

  #addRun(run: NonNullable<FinishedFacts["run"]>, count: (name: Counted, by?: number) => void): void {
    const { status, startedAt, endedAt, scheduledFor, attempt, attempts } = run;
    if (endedAt === null || status === "running" || status === "retrying") return;
    count(status === "timed_out" ? "timedOut" : status);
    if (attempt > 1) {
      count("retries", attempt - 1);
      if (status !== "cancelled") count("retried");
    }
    const lost = attempts.filter(({ outcome }) => outcome === "lost").length;
    if (lost > 0) count("lost", lost);
    if (status === "cancelled") return;
    this.#time({ endedAt, durationMs: endedAt - startedAt, lagMs: scheduledFor === null ? Number.NaN : startedAt - scheduledFor });
    if (status === "succeeded") {
      this.#lastSuccessAt = Math.max(this.#lastSuccessAt, endedAt);
      this.#failures = 0;
    } else {
      this.#lastFailureAt = Math.max(this.#lastFailureAt, endedAt);
      this.#failures++;
    }
  }

  #time(timing: Timing): void {
    this.#timings ??= new SampleRing(this.#options.timings, timing.endedAt);
    this.#spread = null;
    this.#timings.add(timing);
  }

  /** Returns the statistics of the window at an instant, epoch ms. */
  at(now: number): Statistics {
    const slot = this.#slotOf(now);
    this.#turnTo(slot);
    if (this.#spread?.slot !== slot) {
      const { durations, lags } = this.#timings?.since(now - this.#options.lengthMs) ?? { durations: [], lags: [] };
      this.#spread = { slot, duration: quantilesOf(durations), lag: quantilesOf(lags) };
    }
    return this.#made(this.#spread);
  }

  #made({ duration, lag }: { readonly duration: Quantiles | null; readonly lag: Quantiles | null }): Statistics {
    const sum = (name: Counted) => {
      let all = 0;
      for (let slot = 0; slot < SLOTS; slot++) all += this.#counts[slot * COUNTED.length + PLACE[name]] as number;
      return all;
    };
    const [succeeded, failed, timedOut, cancelled] = [sum("succeeded"), sum("failed"), sum("timedOut"), sum("cancelled")];
    const done = succeeded + failed + timedOut;
    const [skipped, started] = [sum("skipped"), done + cancelled];
    const share = (part: number, whole: number) => (whole === 0 ? null : part / whole);
    return {
      windowMs: this.#options.lengthMs,
      runs: { succeeded, failed, timedOut, cancelled },
      retries: sum("retries"),
      lostAttempts: sum("lost"),
      skipped,
      expired: sum("expired"),
      superseded: sum("superseded"),
      missed: sum("missed"),
      successRate: share(succeeded, done),
      failureRate: share(failed + timedOut, done),
      retryRate: share(sum("retried"), done),
      skipRate: share(skipped, skipped + started),
      duration,
      lag,
      skipReasons: Object.fromEntries(this.#reasons?.counts() ?? []),
      conditions: conditionsOf(this.#conditions),
      lastSuccessAt: this.#lastSuccessAt === 0 ? null : new Date(this.#lastSuccessAt),
      lastFailureAt: this.#lastFailureAt === 0 ? null : new Date(this.#lastFailureAt),
      lastMissedAt: this.#lastMissedAt === 0 ? null : new Date(this.#lastMissedAt),
      consecutiveFailures: this.#failures,
    };
  }

  #slotOf(at: number): number {
    return Math.floor(at / this.#slotMs);
  }

  /** Forgets the slots that an instant has left behind. */
  #turnTo(slot: number): void {
    if (slot <= this.#newestSlot) return;
    const first = Math.max(this.#newestSlot + 1, slot - SLOTS + 1);
    const turns = Math.floor(slot / HALF) - Math.floor(this.#newestSlot / HALF);
    for (let turn = 0; turn < Math.min(2, turns); turn++) {
      this.#reasons?.turn();
      this.#conditions?.turn();
    }
    for (let old = first; old <= slot; old++) {
      const from = (old % SLOTS) * COUNTED.length;
      this.#counts.fill(0, from, from + COUNTED.length);
    }
    this.#newestSlot = slot;
  }

  #because(reason: string): void {
    this.#reasons ??= new BucketCounter(NAMES_KEPT);
    this.#reasons.add(reason.slice(0, 100));
  }

  #found(condition: string, result: "pass" | "block", looks: number): void {
    this.#conditions ??= new BucketCounter(2 * NAMES_KEPT);
    this.#conditions.add(`${result} ${condition.slice(0, 100)}`, looks);
  }
}

function conditionsOf(tally: BucketCounter | null): Statistics["conditions"] {
  const found: Record<string, { pass: number; block: number }> = {};
  for (const [key, count] of tally?.counts() ?? []) {
    const [result, name] = [key.slice(0, key.indexOf(" ")) as "pass" | "block", key.slice(key.indexOf(" ") + 1)];
    found[name] ??= { pass: 0, block: 0 };
    found[name][result] += count;
  }
  return found;
}
