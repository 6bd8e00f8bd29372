import type { LeaseRecord } from "../../ports/store.js";
import type { Core } from "../context/core.js";

const NAME = "headgate: events";
/** All nodes that have readers hold it together. */
const HOLDER = "nodes with readers";
const LEASE_MS = 10 * 60_000;
/** Other nodes read it at least this often, in reads of theirs. */
const READS = 2;

type EventLeaseCore = Pick<Core, "clock" | "store">;

/**
 * The lease by which nodes that have readers of events have all nodes publish theirs: for 10 minutes after the last reader has left, so that readers who come back miss
 * nothing. Without it nothing is written.
 */
export class EventLease {
  readonly #core: EventLeaseCore;
  #lease: LeaseRecord | null = null;

  constructor(core: EventLeaseCore) {
    this.#core = core;
  }

  /** Names the stretch of time in which all nodes have published without a break. */
  get epoch(): string {
    return this.#lease === null ? "" : `${this.#lease.token}.${this.#lease.acquiredAt.toString(36)}`;
  }

  get isInForce(): boolean {
    return this.#leftMs > 0;
  }

  /** From when on every node publishes, epoch ms: the others have read the lease by then. */
  get completeAt(): number {
    return (this.#lease?.acquiredAt ?? 0) + READS * (this.#core.store.pollMs ?? 0);
  }

  /** Reads what other nodes have written. */
  async refresh(): Promise<void> {
    this.#take(await this.#core.store.lease(NAME));
  }

  /** Extends it when less than half is left; one that has run out begins again, with a new epoch. */
  async extend(): Promise<void> {
    if (this.#leftMs > LEASE_MS / 2) return;
    const { store, clock } = this.#core;
    await this.refresh(); // another node may have extended it
    if (this.#leftMs > LEASE_MS / 2) return;
    const now = clock.now();
    this.#take(await store.claimLease(NAME, HOLDER, now + LEASE_MS, now));
  }

  /** An older one that arrives late changes nothing. */
  #take(lease: LeaseRecord | null): void {
    if (lease !== null && lease.token >= (this.#lease?.token ?? 0)) this.#lease = lease;
  }

  /** Nothing is left of one that ends later than any node writes it: the clock was set back. */
  get #leftMs(): number {
    const leftMs = (this.#lease?.leaseUntil ?? 0) - this.#core.clock.now();
    return leftMs > 2 * LEASE_MS ? 0 : leftMs;
  }
}
