import { HeadgateError } from "../../base/errors.js";
import type { AuditedWrite } from "../../ports/audit-store.js";
import type { Core } from "./core.js";

const ATTEMPTS = 20;

/** A change to the value under a key. */
interface Change<T> {
  readonly next: T;
  readonly user: string | null;
  readonly noted?: AuditedWrite;
}

/**
 * Reads what the store has under a key, changes it and writes it; when another node was quicker, again with what that one wrote. Gives what was written, or `null` when `make` wants no change.
 *
 * @param what - for the error, such as `the settings are`
 * @throws HeadgateError `STORE_UNAVAILABLE` when others were quicker each time
 */
export async function compareAndSet<T, C extends Change<T>>(
  { store, clock }: Pick<Core, "clock" | "store">,
  { key, what }: { key: string; what: string },
  make: (kept: T | undefined, now: number) => C | null,
): Promise<(C & { readonly version: number }) | null> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const record = await store.config(key);
    const now = clock.now();
    const change = make(record?.value as T | undefined, now);
    if (change === null) return null;
    const written = await store.putConfig(key, change.next, record?.version ?? 0, change.user, now, change.noted);
    if (written !== null) return { ...change, version: written.version };
  }
  throw new HeadgateError("STORE_UNAVAILABLE", `too many concurrent updates to ${what}; try again`);
}
