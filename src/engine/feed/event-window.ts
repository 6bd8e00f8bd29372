import type { EventRecord } from "../../ports/store/events.js";

/** Bytes of data that the window holds: a reader that is further behind is let go. */
const MOST_BYTES = 1_048_576;

/** The newest events of the store's log in memory, without gaps, shared by all readers of this node. */
export class EventWindow {
  readonly #records: EventRecord[] = [];
  #bytes = 0;
  /** Number of the newest event. */
  last = 0;

  /** Number of the oldest event that it holds; `last + 1` when it holds none. */
  get first(): number {
    return this.last - this.#records.length + 1;
  }

  /** Forgets all events; the next one is behind `last`. */
  clear(last: number): void {
    this.#records.length = 0;
    this.#bytes = 0;
    this.last = last;
  }

  /** @param records - those right behind `last` */
  push(records: readonly EventRecord[]): void {
    for (const record of records) {
      this.#records.push(record);
      this.#bytes += record.size;
      this.last = record.seq;
    }
    let gone = 0;
    while (this.#bytes > MOST_BYTES) this.#bytes -= this.#records[gone++]?.size ?? this.#bytes;
    if (gone > 0) this.#records.splice(0, gone);
  }

  at(seq: number): EventRecord | undefined {
    return this.#records[seq - this.first];
  }
}
