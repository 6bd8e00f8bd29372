/**
 * Connects parts that must not know each other: some emit, others react. Listeners are called at once, in the order in which they were added; one that throws stops the others, so they must not.
 *
 * @example
 * const wake = new Signal();
 * wake.on(() => loop.wake());
 * wake.emit();
 */
export class Signal<T = void> {
  readonly #listeners: ((value: T) => void)[] = [];

  on(listener: (value: T) => void): void {
    this.#listeners.push(listener);
  }

  emit(value: T): void {
    for (const listener of this.#listeners) listener(value);
  }
}
