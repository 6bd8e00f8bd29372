const LIMIT = 10_000;

/** Values by file, forgotten when a whole scan has not met the file; no more than 10,000. */
export class KnownFiles<Value> {
  readonly #files = new Map<string, { readonly value: Value; scan: number }>();
  #scan = 0;

  beginScan(): void {
    this.#scan++;
  }

  /** After a scan that has met all files. */
  endScan(): void {
    for (const [name, { scan }] of this.#files) if (scan < this.#scan) this.#files.delete(name);
  }

  get(name: string): Value | undefined {
    const known = this.#files.get(name);
    if (known === undefined) return undefined;
    known.scan = this.#scan;
    return known.value;
  }

  /** Nothing, when there are too many. */
  set(name: string, value: Value): void {
    if (this.#files.size < LIMIT || this.#files.has(name)) this.#files.set(name, { value, scan: this.#scan });
  }

  delete(name: string): void {
    this.#files.delete(name);
  }

  values(): readonly Value[] {
    return [...this.#files.values()].map(({ value }) => value);
  }
}
