/**
 * Waiting for the ends of triggers, whatever node has them.
 *
 * ```
 *  events of this node ───────────────────────────────┐
 *  notices of other nodes, at most one look in 100 ms ─┼─► read the trigger ─► it has ended: its outcome
 *  every `pollMs`, on stores with other nodes ────────┘                   └─► it has not: wait on
 * ```
 *
 * A trigger whose run is on this node is left to its events, and read again every `maxTimerDelay` in case another node takes the run over. A store without other nodes is
 * never polled. All waits end when the scheduler has stopped.
 */
import { HeadgateError } from "../../base/errors.js";
import { outcomeOf, type RunOutcome } from "../../pipeline/run-outcome.js";
import { TRIGGER_ENDS } from "../../trigger/trigger.js";
import type { Core } from "../context/core.js";
import { stopped } from "../context/errors.js";
import type { Events } from "../context/events.js";
import type { SchedulerPhase } from "../context/phase.js";
import { isUnavailable } from "../context/store-health.js";

/** Notices say only that something has changed: they may come hundreds of times a second. */
const NOTICE_MS = 100;
/** After a read that failed. */
const AFTER_ERROR_MS = 1_000;

interface Waiter {
  resolve(outcome: RunOutcome): void;
  reject(error: unknown): void;
}

/** Everybody who waits for one trigger. Instants are on the clock that never jumps. */
interface Wait {
  readonly triggerId: string;
  readonly waiters: Set<Waiter>;
  /** Its run is on this node, which emits its events. */
  isHere: boolean;
  /** When it is read again; Infinity: when an event says so. */
  readAt: number;
  reading: Promise<void> | null;
  /** Something has changed since it was read. */
  isStale: boolean;
}

type OutcomeWaiterCore = Pick<Core, "clock" | "events" | "settings" | "store">;

/** Waits for the ends of triggers. */
export class OutcomeWaiter {
  readonly #core: OutcomeWaiterCore;
  readonly #phase: SchedulerPhase;
  readonly #waits = new Map<string, Wait>();
  #stops: readonly (() => void)[] = [];
  #stopTimer: (() => void) | null = null;
  /** When the timer fires; Infinity: it is not set. */
  #looksAt = Number.POSITIVE_INFINITY;
  /** Another node has done something since the last look. */
  #isNoticed = false;
  #looking: Promise<void> | null = null;
  #lookedAt = Number.NEGATIVE_INFINITY;

  constructor(core: OutcomeWaiterCore, phase: SchedulerPhase) {
    this.#core = core;
    this.#phase = phase;
  }

  /**
   * Resolves when the trigger has ended.
   *
   * @throws HeadgateError `NOT_FOUND`, `SCHEDULER_STOPPED`; the signal's reason
   */
  wait(triggerId: string, signal?: AbortSignal): Promise<RunOutcome> {
    if (this.#phase.current === "stopped") return Promise.reject(stopped());
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const wait = this.#waitOf(triggerId);
      const settling = (settle: () => void) => {
        signal?.removeEventListener("abort", onAbort);
        wait.waiters.delete(waiter);
        if (wait.waiters.size === 0) this.#drop(wait);
        settle();
      };
      const waiter: Waiter = {
        resolve: (outcome) => settling(() => resolve(outcome)),
        reject: (error) => settling(() => reject(error)),
      };
      const onAbort = () => waiter.reject(signal?.reason);
      signal?.addEventListener("abort", onAbort, { once: true });
      wait.waiters.add(waiter);
      void this.#read(wait);
    });
  }

  #waitOf(triggerId: string): Wait {
    const known = this.#waits.get(triggerId);
    if (known !== undefined) return known;
    if (this.#waits.size === 0) this.#listen();
    const made: Wait = { triggerId, waiters: new Set(), isHere: false, readAt: 0, reading: null, isStale: false };
    this.#waits.set(triggerId, made);
    return made;
  }

  #drop(wait: Wait): void {
    if (this.#waits.get(wait.triggerId) !== wait) return;
    this.#waits.delete(wait.triggerId);
    if (this.#waits.size > 0) return;
    for (const stop of this.#stops) stop();
    this.#stops = [];
    this.#isNoticed = false;
    this.#disarm();
  }

  #listen(): void {
    const { events, store } = this.#core;
    this.#stops = [
      ...listeners(events, (id) => this.#changed(id)),
      ...places(events, (id, isHere) => this.#moved(id, isHere)),
      events.on("stopped", () => {
        for (const { waiters } of [...this.#waits.values()]) for (const waiter of [...waiters]) waiter.reject(stopped());
      }),
      ...(store.pollMs === null ? [] : [store.subscribe(() => this.#noticed())]),
    ];
  }

  #changed(triggerId: string): void {
    const wait = this.#waits.get(triggerId);
    if (wait !== undefined) void this.#read(wait);
  }

  #moved(triggerId: string, isHere: boolean): void {
    const wait = this.#waits.get(triggerId);
    if (wait === undefined || wait.isHere === isHere) return;
    wait.isHere = isHere;
    wait.readAt = this.#nextReadAt(wait);
    this.#arm(wait.readAt);
  }

  #noticed(): void {
    this.#isNoticed = true;
    this.#arm(this.#lookedAt + NOTICE_MS);
  }

  /** Reads it now, and once more if it changes meanwhile. */
  #read(wait: Wait): Promise<void> {
    wait.isStale = true;
    wait.reading ??= this.#readAll(wait).finally(() => {
      wait.reading = null;
      if (wait.waiters.size > 0) this.#arm(wait.readAt);
    });
    this.#core.clock.track?.(wait.reading, "work");
    return wait.reading;
  }

  async #readAll(wait: Wait): Promise<void> {
    while (wait.isStale && wait.waiters.size > 0) {
      wait.isStale = false;
      try {
        const outcome = await this.#outcomeOf(wait.triggerId);
        wait.readAt = this.#nextReadAt(wait);
        if (outcome !== null) for (const waiter of [...wait.waiters]) waiter.resolve(outcome);
      } catch (error) {
        wait.readAt = this.#core.clock.monotonic() + AFTER_ERROR_MS;
        if (!isUnavailable(error) && this.#phase.current === "running") for (const waiter of [...wait.waiters]) waiter.reject(error);
      }
    }
  }

  async #outcomeOf(triggerId: string): Promise<RunOutcome | null> {
    const { store } = this.#core;
    const trigger = await store.trigger(triggerId);
    if (trigger === null) throw notFound(triggerId);
    if (trigger.endedAt === null) return null;
    const outcome = outcomeOf(trigger, trigger.runId === null ? null : await store.run(trigger.runId));
    if (outcome === null) throw notFound(triggerId); // removed by retention between the two reads
    return outcome;
  }

  #nextReadAt({ isHere }: Wait): number {
    const { clock, store, settings } = this.#core;
    if (store.pollMs === null) return Number.POSITIVE_INFINITY;
    return clock.monotonic() + (isHere ? Math.max(store.pollMs, settings.trustMs) : store.pollMs);
  }

  /** Schedules a check at an instant, unless an earlier one is scheduled. */
  #arm(at: number): void {
    if (at >= this.#looksAt || this.#looking !== null) return;
    this.#disarm();
    const { clock } = this.#core;
    this.#looksAt = at;
    this.#stopTimer = clock.setTimer(Math.max(1, at - clock.monotonic()), () => {
      this.#disarm();
      this.#looking = this.#look().finally(() => {
        this.#looking = null;
        this.#arm(this.#isNoticed ? this.#lookedAt + NOTICE_MS : this.#firstReadAt());
      });
      clock.track?.(this.#looking, "work");
    });
  }

  #disarm(): void {
    this.#stopTimer?.();
    this.#stopTimer = null;
    this.#looksAt = Number.POSITIVE_INFINITY;
  }

  #firstReadAt(): number {
    let at = Number.POSITIVE_INFINITY;
    for (const { readAt, reading } of this.#waits.values()) if (reading === null) at = Math.min(at, readAt);
    return at;
  }

  /** Reads what is due, one after the other: however many wait, the store answers one read of theirs at a time. */
  async #look(): Promise<void> {
    const now = this.#core.clock.monotonic();
    const isNoticed = this.#isNoticed;
    this.#isNoticed = false;
    for (const wait of [...this.#waits.values()])
      if (wait.waiters.size > 0 && (wait.readAt <= now || (isNoticed && !wait.isHere))) await this.#read(wait);
    this.#lookedAt = this.#core.clock.monotonic();
  }
}

/** Calls `onEnd` with the trigger of each end on this node; the functions returned end it. */
function listeners(events: Events, onEnd: (triggerId: string) => void): (() => void)[] {
  return TRIGGER_ENDS.map((name) => events.on(`trigger.${name}`, ({ trigger }) => onEnd(trigger.id)));
}

/** Calls `onMove` when a run comes to this node, or may leave it. */
function places(events: Events, onMove: (triggerId: string, isHere: boolean) => void): (() => void)[] {
  return [
    events.on("trigger.running", ({ trigger }) => onMove(trigger.id, true)),
    ...(["run.attempt", "run.adopted"] as const).map((name) => events.on(name, ({ run }) => onMove(run.triggerId, true))),
    ...(["run.retrying", "run.lost"] as const).map((name) => events.on(name, ({ run }) => onMove(run.triggerId, false))),
  ];
}

function notFound(triggerId: string): HeadgateError {
  return new HeadgateError(
    "NOT_FOUND",
    `no such trigger: ${triggerId} (it may have been pruned, or the transaction that it was requested in may not have committed)`,
    { details: { triggerId } },
  );
}
