import { HeadgateError } from "../../base/errors.js";
import type { AuditedWrite } from "../../ports/store/audit.js";
import type { Core } from "./core.js";

const ATTEMPTS = 20;

/** A new value of a document. */
interface Change {
  /** `null` deletes it. */
  readonly next: unknown;
  readonly user: string | null;
  readonly noted?: AuditedWrite;
}

/**
 * Reads a document, changes it and writes it; when another node was quicker, again with what that one wrote. Writes nothing when `make` returns `null`.
 *
 * @param what - for the error, such as `the list of nodes`
 * @throws HeadgateError `STORE_UNAVAILABLE` when others were quicker each time, and what `make` throws
 */
export async function changeDocument(
  { store, clock }: Pick<Core, "store" | "clock">,
  { kind, id, what }: { kind: string; id: string; what: string },
  make: (value: unknown, now: number) => Change | null,
): Promise<void> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const [document = null] = await store.documents(kind, [id]);
    const now = clock.now();
    const change = make(document?.value ?? null, now);
    if (change === null) return;
    const write = { kind, id, value: change.next, expected: document?.version ?? 0 };
    if ((await store.putDocuments([write], change.user, now, change.noted)) !== null) return;
  }
  throw new HeadgateError("STORE_UNAVAILABLE", `too many concurrent updates to ${what}; try again`);
}
