/**
 * Named leases: the right of one holder to do something that must be done once over all nodes, for a limited time. The engine has three: the node that evaluates alerts, the node that maintains the store
 * (both through `engine/context/leader-elector`), and the nodes that read events, which hold theirs together (`engine/feed/event-lease`).
 *
 * ```
 *          claim                      release
 *  free ──────────► held, token n ─────────────────► free
 *   ▲                 │  ▲                             │
 *   │                 └──┘ claim by its holder         │ claim: token n + 1
 *   └── leaseUntil reached ◄────────── held ◄──────────┘
 * ```
 *
 * Invariants: at most one holder at an instant; the token, the lease's fencing number, grows whenever the lease was not held without a break, so that work fenced by an older token is refused.
 */
import { int, type RecordOf, text } from "../../base/fields.js";

/** Fields of a lease, each defined once. Instants are epoch ms. */
export const LEASE_FIELDS = {
  name: text(),
  /** The node that holds it, or the name of a group of nodes that hold it together; `null` after it was released. */
  holder: text().nullable().changing(),
  /** The fencing number, from 1. */
  token: int().changing(),
  /** When it was claimed under this token. */
  acquiredAt: int().changing(),
  /** Until when it is held. */
  leaseUntil: int().changing(),
};

/** A lease as it is stored. Instants are epoch ms. */
export interface LeaseRecord extends RecordOf<typeof LEASE_FIELDS> {}

/** A lease that work is done under; the store refuses the work when the token is no longer the current one. */
export interface Fence {
  readonly name: string;
  readonly token: number;
}

/** The leases of a store. */
export interface LeaseStore {
  /** Claims a lease that is free, or extends it for its holder, as the pure function `claimLease` says; atomic. Returns `null` while another holder has it. */
  claimLease(name: string, holder: string, leaseUntil: number, now: number): Promise<LeaseRecord | null>;
  /** Returns a lease, whether it is held, has run out or was released; `null` when it was never claimed. Reads one row. */
  lease(name: string): Promise<LeaseRecord | null>;
  /** Frees a lease that is held under this token; does nothing otherwise. Idempotent. */
  releaseLease({ name, token }: Fence): Promise<void>;
}
