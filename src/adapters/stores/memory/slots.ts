import type { TriggerEntity } from "./entities.js";

/** Holders of slots of the global limit and of the pools: claimed triggers and running attempts. */
export class Slots {
  #total = 0;
  readonly #byPool = new Map<string, number>();

  /** Returns true if there is room for one more in a pool. A pool not named in `limits` is closed. */
  hasRoom(pool: string | null, globalLimit: number | null, limits: ReadonlyMap<string, number>): boolean {
    if (globalLimit !== null && this.#total >= globalLimit) return false;
    return pool === null || (this.#byPool.get(pool) ?? 0) < (limits.get(pool) ?? 0);
  }

  take(cell: TriggerEntity): void {
    if (cell.slot !== undefined) return;
    const { pool } = cell.owner.registration;
    cell.slot = pool;
    this.#count(pool, 1);
  }

  release(cell: TriggerEntity): void {
    if (cell.slot === undefined) return;
    this.#count(cell.slot, -1);
    cell.slot = undefined;
  }

  /** Takes over the pool that the pipeline has now. */
  move(cell: TriggerEntity): void {
    if (cell.slot === undefined) return;
    this.release(cell);
    this.take(cell);
  }

  #count(pool: string | null, by: 1 | -1): void {
    this.#total += by;
    if (pool !== null) this.#byPool.set(pool, (this.#byPool.get(pool) ?? 0) + by);
  }
}
