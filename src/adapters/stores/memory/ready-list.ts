import { FifoList } from "../../../base/fifo-list.js";
import { isOverlapping } from "../../../trigger/overlap.js";
import type { TriggerEntity } from "./entities.js";

/** Triggers of one pipeline that may be claimed now, by order and then by age. Taking the first out, and adding one behind all others, cost the same however many wait. */
export class ReadyList {
  readonly #cells = new FifoList<TriggerEntity>();
  #forced = 0;
  #overlapping = 0;

  get length(): number {
    return this.#cells.length;
  }

  get head(): TriggerEntity | undefined {
    return this.#cells.at(0);
  }

  /** The first that may be claimed although the pipeline is full or paused. */
  get firstForced(): TriggerEntity | undefined {
    if (this.#forced > 0) for (const cell of this.#cells) if (cell.record.isForced) return cell;
    return undefined;
  }

  /** Returns true when there are fire times that the overlap policy is about. */
  get hasOverlapping(): boolean {
    return this.#overlapping > 0;
  }

  /** Those fire times. */
  overlapping(): TriggerEntity[] {
    return this.#overlapping === 0 ? [] : [...this.#cells].filter(({ record }) => isOverlapping(record));
  }

  add(cell: TriggerEntity): void {
    if (cell.isReady) return;
    cell.isReady = true;
    this.#count(cell, 1);
    this.#cells.insert(this.#placeOf(cell), cell);
  }

  remove(cell: TriggerEntity): void {
    if (!cell.isReady) return;
    cell.isReady = false;
    this.#count(cell, -1);
    this.#cells.removeAt(this.head === cell ? 0 : this.#placeOf(cell));
  }

  #count({ record }: TriggerEntity, by: 1 | -1): void {
    if (record.isForced) this.#forced += by;
    if (isOverlapping(record)) this.#overlapping += by;
  }

  #placeOf(cell: TriggerEntity): number {
    let low = 0;
    let high = this.#cells.length;
    const last = this.#cells.at(high - 1);
    if (high === 0 || (last !== undefined && comesBefore(last, cell))) return high; // as most do
    while (low < high) {
      const middle = (low + high) >> 1;
      if (comesBefore(this.#cells.at(middle) as TriggerEntity, cell)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function comesBefore({ record: a }: TriggerEntity, { record: b }: TriggerEntity): boolean {
  return a.order < b.order || (a.order === b.order && a.id < b.id);
}
