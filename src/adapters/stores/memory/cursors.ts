import type { CursorRecord } from "../../../ports/store.js";
import { claimCursor } from "../../../trigger/cursor.js";

/** Cursors of sensors in memory. */
export class Cursors {
  readonly #cursors = new Map<string, CursorRecord>();

  claim(name: string, node: string, leaseUntil: number, now: number): CursorRecord | null {
    const known = this.#cursors.get(name) ?? { name, value: null, token: 0, node: null, leaseUntil: null, updatedAt: now };
    const claimed = claimCursor(known, node, leaseUntil, now);
    if (claimed !== null) this.#cursors.set(name, claimed);
    return claimed;
  }

  isHeld(name: string, token: number): boolean {
    const known = this.#cursors.get(name);
    return known !== undefined && known.node !== null && known.token === token;
  }

  move(name: string, value: unknown, now: number): void {
    const known = this.#cursors.get(name);
    if (known !== undefined) this.#cursors.set(name, { ...known, value, updatedAt: now });
  }

  release(name: string, node: string): void {
    const known = this.#cursors.get(name);
    if (known?.node === node) this.#cursors.set(name, { ...known, node: null, leaseUntil: null });
  }

  shortenLeases(leaseUntil: number): void {
    for (const [name, one] of this.#cursors) if ((one.leaseUntil ?? 0) > leaseUntil) this.#cursors.set(name, { ...one, leaseUntil });
  }
}
