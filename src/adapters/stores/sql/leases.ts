import type { Fence, LeaseRecord, LeaseStore } from "../../../ports/store.js";
import { claimLease, releaseLease } from "../../../run/lease.js";
import { changing, type Session, selectLocked } from "./database.js";
import { changingOf } from "./table.js";
import { LEASES } from "./tables.js";

const CHANGED = changingOf(LEASES);

export async function claim(
  session: Session,
  ...[name, holder, leaseUntil, now]: Parameters<LeaseStore["claimLease"]>
): Promise<LeaseRecord | null> {
  let known = (await selectLocked(session, LEASES, [name])).get(name) ?? null;
  if (known === null) {
    const free: LeaseRecord = { name, holder: null, token: 0, acquiredAt: now, leaseUntil: now };
    await session.insert(LEASES, [free], { unlessThere: true });
    known = (await selectLocked(session, LEASES, [name])).get(name) ?? free;
  }
  const claimed = claimLease(known, name, holder, leaseUntil, now);
  if (claimed !== null) await session.write([changing(LEASES, [claimed], CHANGED)]);
  return claimed;
}

export async function release(session: Session, { name, token }: Fence): Promise<void> {
  const released = releaseLease((await selectLocked(session, LEASES, [name])).get(name) ?? null, token);
  if (released !== null) await session.write([changing(LEASES, [released], CHANGED)]);
}
