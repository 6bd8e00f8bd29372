import { EVENT_BOUNDS, type NewEvent } from "../../ports/store/events.js";
import type { Core } from "../context/core.js";
import { isUnavailable } from "../context/store-health.js";
import { decisionEventData, runEventData } from "./event-data.js";

const RUN_EVENTS = [
  "run.started",
  "run.attempt",
  "run.retrying",
  "run.succeeded",
  "run.failed",
  "run.timed_out",
  "run.cancelled",
  "run.lost",
] as const;
/** Between the starts of two appends, where other nodes append too. */
const PAUSE_MS = 100;
/** After an append that failed. */
const AFTER_ERROR_MS = 1_000;
const MOST_AT_ONCE = 1_000;
const MOST_WAITING = 10_000;
const MOST_WAITING_BYTES = 4 * 1_048_576;

/**
 * Appends this node's decisions and runs to the store's event log, in batches, while it is active. What cannot be appended is dropped, never sent twice, and followed by an
 * event `reset`.
 */
export class EventPublisher {
  readonly #core: Pick<Core, "clock" | "events" | "store">;
  readonly #onAppended: () => void;
  readonly #pauseMs: number;
  #stops: (() => void)[] = [];
  #waiting: NewEvent[] = [];
  #waitingBytes = 0;
  /** Events were dropped, and no `reset` has said so yet. */
  #hasGap = false;
  #sending: Promise<void> | null = null;
  #stopTimer: (() => void) | null = null;
  /** On the clock that never jumps. */
  #notBefore = Number.NEGATIVE_INFINITY;
  #hasFailed = false;

  /** @param onAppended - called after each append */
  constructor(core: Pick<Core, "clock" | "events" | "store">, onAppended: () => void) {
    this.#core = core;
    this.#onAppended = onAppended;
    this.#pauseMs = core.store.pollMs === null ? 0 : PAUSE_MS;
  }

  get isActive(): boolean {
    return this.#stops.length > 0;
  }

  /** Starts to publish; harmless when it does so already. */
  start(): void {
    if (this.isActive) return;
    const { events } = this.#core;
    this.#stops = [
      events.on("decision", ({ decision }) => this.#add("decision", decision.pipelineId, decisionEventData(decision))),
      ...RUN_EVENTS.map((name) => events.on(name, ({ run }) => this.#add(name, run.pipelineId, runEventData(run)))),
    ];
  }

  /** Stops to publish, after an attempt to append what still waits. */
  async stop(): Promise<void> {
    if (!this.isActive) return;
    for (const stop of this.#stops) stop();
    this.#stops = [];
    this.#stopTimer?.();
    this.#stopTimer = null;
    await this.#sending;
    while (this.#waiting.length > 0 || this.#hasGap) if (!(await this.#append())) break;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#hasGap = false;
  }

  #add(name: string, pipelineId: string, data: string): void {
    const size = Buffer.byteLength(data);
    if (this.#waiting.length >= MOST_WAITING || this.#waitingBytes + size > MOST_WAITING_BYTES) this.#hasGap = true;
    else {
      this.#waiting.push({ at: this.#core.clock.now(), name, pipelineId, data, size });
      this.#waitingBytes += size;
    }
    this.#schedule();
  }

  #schedule(): void {
    if (this.#sending !== null || this.#stopTimer !== null) return;
    const { clock } = this.#core;
    const waitMs = this.#notBefore - clock.monotonic();
    if (waitMs > 0) {
      this.#stopTimer = clock.setTimer(waitMs, () => {
        this.#stopTimer = null;
        this.#schedule();
      });
      return;
    }
    this.#sending = this.#send().finally(() => {
      this.#sending = null;
      if (this.isActive && (this.#waiting.length > 0 || this.#hasGap)) this.#schedule();
    });
    clock.track?.(this.#sending, "work");
  }

  async #send(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve)); // what happens in this turn goes together
    this.#notBefore = this.#core.clock.monotonic() + this.#pauseMs;
    await this.#append();
  }

  /** Returns false when the store did not take them. */
  async #append(): Promise<boolean> {
    const { clock, store, events } = this.#core;
    const batch = this.#waiting.splice(0, MOST_AT_ONCE);
    for (const { size } of batch) this.#waitingBytes -= size;
    const hadGap = this.#hasGap; // the lists, read after the reset, have what was dropped before it
    this.#hasGap = false;
    const now = clock.now();
    const gap: readonly NewEvent[] = hadGap ? [{ at: now, name: "reset", pipelineId: null, data: "{}", size: 2 }] : [];
    try {
      await store.appendEvents([...batch, ...gap], EVENT_BOUNDS, now);
      this.#hasFailed = false;
    } catch (error) {
      this.#hasGap = true; // whether it was committed is not known: sent again, events could come twice
      this.#notBefore = clock.monotonic() + AFTER_ERROR_MS;
      if (!this.#hasFailed && !isUnavailable(error)) events.report(error, "publishing events");
      this.#hasFailed = true;
      return false;
    }
    this.#onAppended();
    return true;
  }
}
