import type { ConfigRecord, CursorRecord } from "../../../ports/store.js";

/** Cursors and settings. */
export class Desk {
  readonly #cursors = new Map<string, CursorRecord>();
  readonly #config = new Map<string, ConfigRecord>();

  claimCursor(name: string, node: string, leaseUntil: number, now: number): CursorRecord | null {
    const known = this.#cursors.get(name);
    if (known !== undefined && known.node !== null && known.node !== node && (known.leaseUntil ?? 0) > now) return null;
    const claimed: CursorRecord = {
      name,
      value: known?.value ?? null,
      token: (known?.token ?? 0) + 1,
      node,
      leaseUntil,
      updatedAt: known?.updatedAt ?? now,
    };
    this.#cursors.set(name, claimed);
    return claimed;
  }

  holdsCursor(name: string, token: number): boolean {
    const known = this.#cursors.get(name);
    return known !== undefined && known.node !== null && known.token === token;
  }

  moveCursor(name: string, value: unknown, now: number): void {
    const known = this.#cursors.get(name);
    if (known !== undefined) this.#cursors.set(name, { ...known, value, node: null, leaseUntil: null, updatedAt: now });
  }

  config(key: string): ConfigRecord | null {
    return this.#config.get(key) ?? null;
  }

  putConfig(key: string, value: unknown, expected: number | null, by: string | null, now: number): ConfigRecord | null {
    const version = this.#config.get(key)?.version ?? 0;
    if (expected !== null && expected !== version) return null;
    const written: ConfigRecord = { key, value, version: version + 1, updatedAt: now, updatedBy: by };
    this.#config.set(key, written);
    return written;
  }
}
