import { isOverlapping } from "../../../trigger/overlap.js";
import type { TriggerCell } from "./cells.js";

/** Triggers of one pipeline that may be claimed now, by order and then by age. Taking the first out, and adding one behind all others, cost the same however many wait. */
export class ReadyLine {
  #items: TriggerCell[] = [];
  /** Where the line begins: what is before it has left. */
  #first = 0;
  #forced = 0;
  #overlapping = 0;

  get length(): number {
    return this.#items.length - this.#first;
  }

  get head(): TriggerCell | undefined {
    return this.#items[this.#first];
  }

  /** The first that may be claimed although the pipeline is full or paused. */
  get firstForced(): TriggerCell | undefined {
    return this.#forced === 0 ? undefined : this.#items.find(({ record }, index) => index >= this.#first && record.isForced);
  }

  /** Whether there are fire times that the overlap policy is about. */
  get hasOverlapping(): boolean {
    return this.#overlapping > 0;
  }

  /** Those fire times. */
  overlapping(): TriggerCell[] {
    return this.#overlapping === 0 ? [] : this.#items.filter(({ record }, index) => index >= this.#first && isOverlapping(record));
  }

  add(cell: TriggerCell): void {
    if (cell.isReady) return;
    cell.isReady = true;
    this.#count(cell, 1);
    const place = this.#placeOf(cell);
    if (place === this.#items.length) this.#items.push(cell);
    else if (place === this.#first && place > 0) this.#items[--this.#first] = cell;
    else this.#items.splice(place, 0, cell);
  }

  remove(cell: TriggerCell): void {
    if (!cell.isReady) return;
    cell.isReady = false;
    this.#count(cell, -1);
    if (this.head === cell) this.#shift();
    else this.#items.splice(this.#placeOf(cell), 1);
  }

  #shift(): void {
    this.#first++;
    if (this.#first > 64 && this.#first * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#first);
      this.#first = 0;
    }
  }

  #count({ record }: TriggerCell, by: 1 | -1): void {
    if (record.isForced) this.#forced += by;
    if (isOverlapping(record)) this.#overlapping += by;
  }

  #placeOf(cell: TriggerCell): number {
    const items = this.#items;
    let low = this.#first;
    let high = items.length;
    const last = items[high - 1];
    if (high === low || (last !== undefined && comesBefore(last, cell))) return high; // as most do
    while (low < high) {
      const middle = (low + high) >> 1;
      if (comesBefore(items[middle] as TriggerCell, cell)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function comesBefore({ record: a }: TriggerCell, { record: b }: TriggerCell): boolean {
  return a.order < b.order || (a.order === b.order && a.id < b.id);
}
