import type { GlobalPause as GlobalPauseRecord, Store } from "../../ports/store.js";

/** The pause of all pipelines, as this node last read it from the store. */
export class GlobalPause {
  readonly #store: Pick<Store, "globalPause">;
  #record: GlobalPauseRecord = { pause: null, endedPauses: [] };
  /** When it must be read again, epoch ms. */
  dueAt = 0;

  constructor(store: Pick<Store, "globalPause">) {
    this.#store = store;
  }

  get current(): GlobalPauseRecord {
    return this.#record;
  }

  /** Reads it; throws the store's errors. */
  async read(): Promise<void> {
    this.#record = await this.#store.globalPause();
  }

  /** Makes the next round read it again. */
  invalidate(): void {
    this.dueAt = 0;
  }
}
