/**
 * Events of all nodes, for readers on any of them.
 *
 * ```
 *  this node: decisions, runs ─► EventPublisher ─┐                         ┌─► FeedReader
 *                                                ├─► the store's event log ─► EventWindow ─┼─► FeedReader
 *  other nodes, the same      ─► EventPublisher ─┘      (numbers them)      (newest 1 MiB) └─► FeedReader
 * ```
 *
 * A node with readers keeps an EventLease in the store; all nodes publish while it is in force, and write nothing otherwise. A reader holds a place, not events: what it
 * missed comes from the store, what is new from the window, and one that is too slow for the window is let go.
 */

import type { EventFeed } from "../../ports/scheduler-api/event-feed.js";
import type { EventReaderOptions } from "../../ports/scheduler-api/event-reader.js";
import type { Core } from "../context/core.js";
import { stopped } from "../context/errors.js";
import { isUnavailable } from "../context/store-health.js";
import { EventLease } from "./event-lease.js";
import { EventPublisher } from "./event-publisher.js";
import { FeedReader } from "./event-reader.js";
import { EventWindow } from "./event-window.js";

/** Interval at which a node with readers reads the events of other nodes. */
const LOOK_MS = 500;
/** The same where there are no other nodes: it extends the lease only. */
const ALONE_MS = 60_000;
/** A round of the scheduler reads the lease at most this often. */
const REFRESH_MS = 1_000;
const PAGE = 32;

type StoreEventFeedCore = Pick<Core, "clock" | "events" | "newId" | "node" | "store">;

/** The events of all nodes. */
export class StoreEventFeed implements EventFeed {
  readonly #core: StoreEventFeedCore;
  readonly #lease: EventLease;
  readonly #publisher: EventPublisher;
  readonly #window = new EventWindow();
  readonly #readers = new Set<FeedReader>();
  /** Readers that came before all nodes were known to publish. */
  #early = new Set<FeedReader>();
  #isLive = false;
  #isClosed = false;
  #starting: Promise<void> | null = null;
  #pulling: Promise<void> | null = null;
  #again = false;
  #stopTimer: (() => void) | null = null;
  #hasFailed = false;
  /** On the clock that never jumps. */
  #refreshedAt = Number.NEGATIVE_INFINITY;

  constructor(core: StoreEventFeedCore) {
    this.#core = core;
    this.#lease = new EventLease(core);
    this.#publisher = new EventPublisher(core, () => this.#pullSoon());
  }

  /** Names the stretch of time in which all nodes have published without a break; part of each id. */
  get epoch(): string {
    return this.#lease.epoch;
  }

  async open(options: EventReaderOptions): Promise<FeedReader> {
    while (!this.#isLive) {
      if (this.#isClosed) throw stopped();
      this.#starting ??= this.#start().finally(() => {
        this.#starting = null;
      });
      await this.#starting;
    }
    let seq = this.#seqOf(options.after);
    if (seq !== null && seq > this.#window.last) {
      await this.#pull(); // it may come from a node that was quicker
      if (seq > this.#window.last) seq = null;
    }
    if (!this.#isLive) return this.open(options);
    const { store, clock } = this.#core;
    const source = { window: this.#window, store, lease: this.#lease };
    const reader = new FeedReader(source, options, seq ?? this.#window.last, (one) => this.#leave(one));
    if (options.after !== null && seq === null) reader.reset();
    this.#readers.add(reader);
    if (clock.now() < this.#lease.completeAt) this.#early.add(reader);
    return reader;
  }

  /** Reads whether this node is to publish. */
  async refresh(): Promise<void> {
    const now = this.#core.clock.monotonic();
    if (this.#isClosed || now - this.#refreshedAt < REFRESH_MS) return;
    this.#refreshedAt = now;
    const before = this.#lease.epoch;
    await this.#lease.refresh();
    await this.#follow(before);
  }

  /** Publishes what still waits, and ends. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#starting?.catch(() => {}); // thrown to the caller of open
    this.#stop();
    await this.#publisher.stop();
    if (this.#readers.size === 0) return;
    await this.#pull().catch(() => {}); // readers that come back find the rest
    await turn();
  }

  async #start(): Promise<void> {
    const before = this.#lease.epoch;
    await this.#lease.extend();
    await this.#follow(before);
    this.#window.clear(await this.#core.store.lastEventSeq());
    if (this.#isClosed) throw stopped();
    this.#isLive = true;
    this.#arm();
  }

  #stop(): void {
    this.#isLive = false;
    this.#stopTimer?.();
    this.#stopTimer = null;
  }

  #leave(reader: FeedReader): void {
    this.#early.delete(reader);
    if (!this.#readers.delete(reader) || this.#readers.size > 0) return;
    this.#stop();
    this.#window.clear(this.#window.last);
  }

  /** Publishes while the lease is in force; a new epoch is a reset for all readers. */
  async #follow(epochBefore: string): Promise<void> {
    if (this.#lease.isInForce) this.#publisher.start();
    else await this.#publisher.stop();
    if (epochBefore === this.#lease.epoch) return;
    for (const reader of this.#readers) {
      reader.reset();
      reader.changed();
    }
  }

  #arm(): void {
    const { clock, store } = this.#core;
    this.#stopTimer = clock.setTimer(store.pollMs === null ? ALONE_MS : LOOK_MS, () => {
      const look = this.#look();
      clock.track?.(look, "work");
    });
  }

  async #look(): Promise<void> {
    try {
      const before = this.#lease.epoch;
      await this.#lease.extend();
      await this.#follow(before);
      await this.#pull();
      this.#complete();
      this.#hasFailed = false;
    } catch (error) {
      this.#failed(error);
    }
    if (this.#isLive) this.#arm();
  }

  /** From now on all nodes publish: what readers have missed before is in the lists. */
  #complete(): void {
    if (this.#early.size === 0 || this.#core.clock.now() < this.#lease.completeAt) return;
    const early = this.#early;
    this.#early = new Set();
    for (const reader of early) {
      reader.reset();
      reader.changed();
    }
  }

  #pullSoon(): void {
    if (!this.#isLive) return;
    const pull = this.#pull().catch((error: unknown) => this.#failed(error));
    this.#core.clock.track?.(pull, "work");
  }

  /** Takes new events into the window; never twice at once. */
  #pull(): Promise<void> {
    this.#again = true;
    this.#pulling ??= this.#pullAll().finally(() => {
      this.#pulling = null;
    });
    return this.#pulling;
  }

  async #pullAll(): Promise<void> {
    while (this.#again) {
      this.#again = false;
      const { last } = this.#window;
      const page = await this.#core.store.listEvents(last, PAGE);
      const [oldest] = page;
      if (oldest === undefined || last !== this.#window.last) continue; // none, or all readers have left meanwhile
      if (oldest.seq !== last + 1) {
        this.#window.clear(oldest.seq - 1);
        for (const reader of this.#readers) reader.skip(oldest.seq - 1);
      }
      this.#window.push(page);
      for (const reader of [...this.#readers]) reader.changed();
      if (page.length < PAGE) continue;
      this.#again = true;
      await turn();
    }
  }

  #failed(error: unknown): void {
    if (!this.#hasFailed && !isUnavailable(error)) this.#core.events.report(error, "reading events of all nodes");
    this.#hasFailed = true;
  }

  /** Returns the number in an id of this epoch; `null` for any other text. */
  #seqOf(id: string | null): number | null {
    const cut = id?.lastIndexOf("-") ?? -1;
    if (id === null || cut === -1 || id.slice(0, cut) !== this.#lease.epoch || !/^\d{1,15}$/.test(id.slice(cut + 1))) return null;
    return Number(id.slice(cut + 1));
  }
}

/** Yields, so that readers can take the available events before more arrive. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
