/** A list that grows at its end and is forgotten from its beginning, both at a cost that does not depend on its length. */
export class Trail<T> {
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

  /** Takes an item out; cheap when it is the first. */
  remove(item: T): void {
    if (this.#items[this.#first] === item) {
      this.#first++;
      if (this.#first > 64 && this.#first * 2 > this.#items.length) {
        this.#items = this.#items.slice(this.#first);
        this.#first = 0;
      }
      return;
    }
    const index = this.#items.indexOf(item, this.#first);
    if (index !== -1) this.#items.splice(index, 1);
  }
}
