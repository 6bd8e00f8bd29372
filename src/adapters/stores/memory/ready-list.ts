import { FifoList } from "../../../base/fifo-list.js";
import { isOverlapping } from "../../../trigger/overlap.js";
import type { TriggerRecord } from "../../../trigger/trigger.js";

/** A trigger that can stand in a {@link ReadyList}, which sets `isReady`. */
export interface Ready {
  readonly record: TriggerRecord;
  isReady: boolean;
}

/** Triggers of one pipeline that may be claimed now, by order and then by age. Taking the first out, and adding one behind all others, cost the same however many wait. */
export class ReadyList<T extends Ready> {
  readonly #items = new FifoList<T>();
  #forced = 0;
  #overlapping = 0;

  get length(): number {
    return this.#items.length;
  }

  get head(): T | undefined {
    return this.#items.at(0);
  }

  /** The first that may be claimed although the pipeline is full or paused. */
  get firstForced(): T | undefined {
    if (this.#forced > 0) for (const one of this.#items) if (one.record.isForced) return one;
    return undefined;
  }

  /** Returns true when there are fire times that the overlap policy is about. */
  get hasOverlapping(): boolean {
    return this.#overlapping > 0;
  }

  /** Those fire times. */
  overlapping(): T[] {
    return this.#overlapping === 0 ? [] : [...this.#items].filter(({ record }) => isOverlapping(record));
  }

  add(one: T): void {
    if (one.isReady) return;
    one.isReady = true;
    this.#count(one, 1);
    this.#items.insert(this.#placeOf(one), one);
  }

  remove(one: T): void {
    if (!one.isReady) return;
    one.isReady = false;
    this.#count(one, -1);
    this.#items.removeAt(this.head === one ? 0 : this.#placeOf(one));
  }

  #count({ record }: T, by: 1 | -1): void {
    if (record.isForced) this.#forced += by;
    if (isOverlapping(record)) this.#overlapping += by;
  }

  #placeOf(one: T): number {
    let low = 0;
    let high = this.#items.length;
    const last = this.#items.at(high - 1);
    if (high === 0 || (last !== undefined && comesBefore(last, one))) return high; // as most do
    while (low < high) {
      const middle = (low + high) >> 1;
      if (comesBefore(this.#items.at(middle) as T, one)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function comesBefore({ record: a }: Ready, { record: b }: Ready): boolean {
  return a.order < b.order || (a.order === b.order && a.id < b.id);
}
