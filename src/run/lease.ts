/** A named lease. Instants are epoch ms. */
export interface Lease {
  readonly name: string;
  readonly holder: string | null;
  readonly token: number;
  readonly acquiredAt: number;
  readonly leaseUntil: number;
}

/**
 * Returns a lease as a holder has it after a claim: the same token and a later end while it holds it without a break, a higher token when it was free, had run out or was acquired by a clock that was ahead of `now`.
 * `null` while another holder has it.
 *
 * @param known - as it is stored; `null` when it was never claimed
 */
export function claimLease(known: Lease | null, name: string, holder: string, leaseUntil: number, now: number): Lease | null {
  const isHeld = known !== null && known.holder !== null && known.leaseUntil > now;
  if (isHeld && known.holder !== holder) return null;
  if (isHeld && known.acquiredAt <= now) return { ...known, leaseUntil };
  return { name, holder, token: (known?.token ?? 0) + 1, acquiredAt: now, leaseUntil };
}

/** Returns a lease that is free, for the one that is held under this token; `null` for any other. */
export function releaseLease<L extends Lease>(known: L | null, token: number): L | null {
  if (known === null || known.holder === null || known.token !== token) return null;
  return { ...known, holder: null };
}

/** Returns true for a lease that is held under this token, or was until it ran out and nobody claimed it since: work fenced by it may be recorded. */
export function isFencedBy(known: Pick<Lease, "holder" | "token"> | null | undefined, token: number): boolean {
  return known !== null && known !== undefined && known.holder !== null && known.token === token;
}
