/** Runs work one after the other, in the order in which it was added. */
export class SerialQueue {
  #last: Promise<unknown> = Promise.resolve();

  /** Runs work when everything before it has ended, whether or not that succeeded. */
  run<T>(work: () => Promise<T> | T): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {}); // the caller has the error
    return result;
  }

  /** Resolves when what is in the queue now has ended. */
  async idle(): Promise<void> {
    await this.#last;
  }
}
