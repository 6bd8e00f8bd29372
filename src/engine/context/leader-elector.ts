import type { LeaseRecord } from "../../ports/store.js";
import type { Core } from "./core.js";

/**
 * Elects one node for work that must be done once over all nodes, by a named lease in the store: asks for it, or extends it, every third of its length.
 *
 * ```
 *              leads: the lease is free, or ran out
 *  follower ──────────────────────────────────────────► leader
 *      ▲                                                  │
 *      └── release, resign, or the lease ran out ◄────────┘
 * ```
 */
export class LeaderElector {
  readonly #core: Pick<Core, "store" | "clock" | "node" | "settings">;
  readonly #name: string;
  #lease: LeaseRecord | null = null;
  #claimAt = 0;

  /** @param name - of the lease */
  constructor(core: Pick<Core, "store" | "clock" | "node" | "settings">, name: string) {
    this.#core = core;
    this.#name = name;
  }

  /** The lease as this node has it, with its fencing token; `null` while it does not lead. */
  get lease(): LeaseRecord | null {
    return this.#lease;
  }

  /** Returns true while this node leads; claims the lease, or extends it, when it is time. */
  async leads(now: number): Promise<boolean> {
    const { store, node, settings } = this.#core;
    const isClockBack = this.#claimAt - now > settings.leaseMs;
    if (now >= this.#claimAt || now >= (this.#lease?.leaseUntil ?? 0) || isClockBack) {
      this.#claimAt = now + Math.ceil(settings.leaseMs / 3);
      this.#lease = await store.claimLease(this.#name, node, now + settings.leaseMs, now);
    }
    return (this.#lease?.leaseUntil ?? 0) > now;
  }

  /** Leads no more, and asks again next time: what it rested on has changed. */
  resign(): void {
    this.#lease = null;
    this.#claimAt = 0;
  }

  /** Releases the lease, so that another node can lead at once. */
  async release(): Promise<void> {
    const lease = this.#lease;
    this.#lease = null;
    if (lease !== null) await this.#core.store.releaseLease(lease);
  }
}
