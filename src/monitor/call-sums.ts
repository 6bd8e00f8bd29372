import type { AuditEntry, AuditSum } from "./audit.js";

/** A call whose caller is not known, or that was refused for its rate. */
export type RefusedCall = Pick<AuditEntry, "action" | "address" | "outcome"> & Partial<Pick<AuditEntry, "token" | "role" | "user">>;

type SummedCall = RefusedCall & { count: number; firstAt: number; lastAt: number };

const KEYS_KEPT = 30;
const OTHERS: RefusedCall = { action: "other refused calls", address: null, outcome: "various" };

/**
 * Adds up calls by address, token, action and outcome, so that a flood becomes a few records. The first 30 kinds of calls get a sum each, all others one together: it never
 * holds more than 31.
 */
export class CallSums {
  readonly #sums = new Map<string, SummedCall>();

  get isEmpty(): boolean {
    return this.#sums.size === 0;
  }

  add(call: RefusedCall, at: number): void {
    this.#put(call, { count: 1, firstAt: at, lastAt: at });
  }

  #put(call: RefusedCall, { count, firstAt, lastAt }: AuditSum): void {
    const own = JSON.stringify([call.address, call.token ?? null, call.action, call.outcome]);
    const hasOwn = this.#sums.has(own) || this.#sums.size < KEYS_KEPT;
    const [key, kind] = hasOwn ? [own, call] : ["", OTHERS];
    const known = this.#sums.get(key);
    if (known === undefined) this.#sums.set(key, { ...kind, count, firstAt, lastAt });
    else {
      known.count += count;
      known.firstAt = Math.min(known.firstAt, firstAt);
      known.lastAt = Math.max(known.lastAt, lastAt);
    }
  }

  /** Returns the entries of all sums, as of an instant, and begins again at none. */
  take(at: number): readonly AuditEntry[] {
    const entries = [...this.#sums.values()].map(
      ({ action, address, outcome, token = null, role = null, user = null, count, firstAt, lastAt }): AuditEntry => ({
        at,
        kind: "call",
        action,
        pipelineId: null,
        user,
        token,
        role,
        address,
        requestId: null,
        outcome,
        reason: null,
        before: null,
        after: null,
        ids: [],
        sum: { count, firstAt, lastAt },
      }),
    );
    this.#sums.clear();
    return entries;
  }

  /** Puts back sums that could not be recorded. */
  putBack(entries: readonly AuditEntry[]): void {
    for (const { action, address, outcome, token, role, user, sum } of entries)
      if (sum !== null && sum !== undefined) this.#put({ action, address, outcome, token, role, user }, sum);
  }
}
