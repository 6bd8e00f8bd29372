import type { Fence, LeaseRecord } from "../../../ports/store.js";
import { claimLease, isFencedBy, releaseLease } from "../../../run/lease.js";

/** Named leases in memory. */
export class Leases {
  readonly #leases = new Map<string, LeaseRecord>();

  get(name: string): LeaseRecord | null {
    return this.#leases.get(name) ?? null;
  }

  claim(name: string, holder: string, leaseUntil: number, now: number): LeaseRecord | null {
    const claimed = claimLease(this.get(name), name, holder, leaseUntil, now);
    if (claimed !== null) this.#leases.set(name, claimed);
    return claimed;
  }

  isHeld({ name, token }: Fence): boolean {
    return isFencedBy(this.get(name), token);
  }

  release({ name, token }: Fence): void {
    const released = releaseLease(this.get(name), token);
    if (released !== null) this.#leases.set(name, released);
  }

  shorten(leaseUntil: number): void {
    for (const [name, one] of this.#leases) if (one.leaseUntil > leaseUntil) this.#leases.set(name, { ...one, leaseUntil });
  }
}
