/**
 * A binary min-heap of numbered entries by a numeric key, with removal and re-keying by identity in O(log n).
 * Entries keep their own place in `heapIndex`, so that 100,000 of them need no map.
 */
export interface HeapEntry {
  /** The place in the heap, -1 when in none; owned by the heap. */
  heapIndex: number;
  /** Sort key in the heap; change it only through {@link Heap.set}. */
  heapKey: number;
}

export class Heap<T extends HeapEntry> {
  readonly #items: T[] = [];
  readonly #comesBefore: (one: T, other: T) => boolean;

  /** @param comesBefore - orders entries by their key, and those that have the same one; default: by their key alone */
  constructor(comesBefore: (one: T, other: T) => boolean = (one, other) => one.heapKey < other.heapKey) {
    this.#comesBefore = comesBefore;
  }

  get size(): number {
    return this.#items.length;
  }

  peek(): T | undefined {
    return this.#items[0];
  }

  /** Puts `item` at `key`, moving it if it is already in. */
  set(item: T, key: number): void {
    item.heapKey = key;
    if (item.heapIndex === -1) {
      item.heapIndex = this.#items.length;
      this.#items.push(item);
      this.#up(item.heapIndex);
    } else {
      this.#up(item.heapIndex);
      this.#down(item.heapIndex);
    }
  }

  remove(item: T): void {
    const index = item.heapIndex;
    if (index === -1) return;
    item.heapIndex = -1;
    const last = this.#items.pop() as T;
    if (last === item) return;
    this.#items[index] = last;
    last.heapIndex = index;
    this.#up(index);
    this.#down(last.heapIndex);
  }

  pop(): T | undefined {
    const first = this.#items[0];
    if (first !== undefined) this.remove(first);
    return first;
  }

  #up(start: number): void {
    const items = this.#items;
    const item = items[start] as T;
    let index = start;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = items[parentIndex] as T;
      if (!this.#comesBefore(item, parent)) break;
      items[index] = parent;
      parent.heapIndex = index;
      index = parentIndex;
    }
    items[index] = item;
    item.heapIndex = index;
  }

  #down(start: number): void {
    const items = this.#items;
    const item = items[start] as T;
    const size = items.length;
    let index = start;
    for (;;) {
      let childIndex = 2 * index + 1;
      if (childIndex >= size) break;
      let child = items[childIndex] as T;
      const right = items[childIndex + 1];
      if (right !== undefined && this.#comesBefore(right, child)) {
        child = right;
        childIndex += 1;
      }
      if (!this.#comesBefore(child, item)) break;
      items[index] = child;
      child.heapIndex = index;
      index = childIndex;
    }
    items[index] = item;
    item.heapIndex = index;
  }
}
