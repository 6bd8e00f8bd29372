/** A list that grows at its end and is forgotten from its beginning, both at a cost that does not depend on its length. */
export class FifoList<T> {
  #items: T[] = [];
  #first = 0;

  get length(): number {
    return this.#items.length - this.#first;
  }

  at(index: number): T | undefined {
    return this.#items[this.#first + index];
  }

  push(item: T): void {
    this.#items.push(item);
  }

  /** Puts an item before the one at an index; cheap at both ends. */
  insert(index: number, item: T): void {
    if (index === this.length) this.#items.push(item);
    else if (index === 0 && this.#first > 0) this.#items[--this.#first] = item;
    else this.#items.splice(this.#first + index, 0, item);
  }

  /** Takes an item out; cheap when it is the first. */
  remove(item: T): void {
    if (this.#items[this.#first] === item) this.removeAt(0);
    else {
      const index = this.#items.indexOf(item, this.#first);
      if (index !== -1) this.#items.splice(index, 1);
    }
  }

  /** Takes out the item at an index; cheap when it is the first. */
  removeAt(index: number): void {
    if (index > 0) {
      this.#items.splice(this.#first + index, 1);
      return;
    }
    this.#first++;
    if (this.#first > 64 && this.#first * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#first);
      this.#first = 0;
    }
  }

  *[Symbol.iterator](): Generator<T> {
    for (let index = this.#first; index < this.#items.length; index++) yield this.#items[index] as T;
  }
}
