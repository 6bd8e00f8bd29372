import { compareAndSet } from "../context/compare-and-set.js";
import type { Core } from "../context/core.js";

const KEY = "events";
const LEASE_MS = 10 * 60_000;
/** Other nodes read it at least this often, in reads of theirs. */
const READS = 2;

/** Kept in the store: until when all nodes publish their events. Instants are epoch ms. */
interface Lease {
  /** Names the stretch of time in which they have done so without a break. */
  readonly epoch: string;
  readonly since: number;
  readonly until: number;
}

type EventLeaseCore = Pick<Core, "clock" | "newId" | "node" | "store">;

/**
 * The document by which nodes that have readers of events have all nodes publish theirs: for 10 minutes after the last reader has left, so that readers who come back miss
 * nothing. Without it nothing is written.
 */
export class EventLease {
  readonly #core: EventLeaseCore;
  #lease: Lease | null = null;
  /** Of the document; an older one that arrives late changes nothing. */
  #version = 0;

  constructor(core: EventLeaseCore) {
    this.#core = core;
  }

  get epoch(): string {
    return this.#lease?.epoch ?? "";
  }

  get isInForce(): boolean {
    return this.#leftMs(this.#lease) > 0;
  }

  /** From when on every node publishes, epoch ms: the others have read the document by then. */
  get completeAt(): number {
    return (this.#lease?.since ?? 0) + READS * (this.#core.store.pollMs ?? 0);
  }

  /** Reads what other nodes have written. */
  async refresh(): Promise<void> {
    const record = await this.#core.store.config(KEY);
    if (record !== null) this.#take(record.value as Lease, record.version);
  }

  /** Extends it when less than half is left; one that has run out begins again, with a new epoch. */
  async extend(): Promise<void> {
    const { node, newId } = this.#core;
    if (this.#isLong(this.#lease)) return;
    const written = await compareAndSet(this.#core, { key: KEY, what: "the list of event readers" }, (kept: Lease | undefined, now) => {
      if (this.#isLong(kept ?? null)) return null;
      const known = kept !== undefined && this.#leftMs(kept) > 0 ? kept : { epoch: newId(now), since: now };
      return { next: { epoch: known.epoch, since: known.since, until: now + LEASE_MS }, user: node };
    });
    if (written === null) await this.refresh();
    else this.#take(written.next, written.version);
  }

  #take(lease: Lease, version: number): void {
    if (version <= this.#version) return;
    this.#version = version;
    this.#lease = lease;
  }

  #isLong(lease: Lease | null): boolean {
    return this.#leftMs(lease) > LEASE_MS / 2;
  }

  /** Nothing is left of one that ends later than any node writes it: the clock was set back. */
  #leftMs(lease: Lease | null): number {
    const leftMs = (lease?.until ?? 0) - this.#core.clock.now();
    return leftMs > 2 * LEASE_MS ? 0 : leftMs;
  }
}
