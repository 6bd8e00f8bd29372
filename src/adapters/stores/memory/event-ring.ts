import type { EventBounds, EventRecord, NewEvent } from "../../../ports/store/events.js";

/** The event log in memory: the newest events within the bounds. */
export class EventRing {
  readonly #records: EventRecord[] = [];
  /** Where the records that are kept begin; what stands before is removed now and then, so that removing costs little. */
  #start = 0;
  #bytes = 0;
  last = 0;

  append(events: readonly NewEvent[], bounds: EventBounds, now: number): void {
    for (const event of events) {
      this.#records.push({ seq: ++this.last, ...event });
      this.#bytes += event.size;
    }
    this.prune(bounds, now);
  }

  list(after: number, limit: number): readonly EventRecord[] {
    const first = this.last - (this.#records.length - this.#start) + 1;
    const from = this.#start + Math.max(0, after + 1 - first);
    return this.#records.slice(from, from + limit);
  }

  prune(bounds: EventBounds, now: number): void {
    for (let oldest = this.#records[this.#start]; oldest !== undefined; oldest = this.#records[this.#start]) {
      const isWithin = this.#records.length - this.#start <= bounds.count && this.#bytes <= bounds.bytes;
      if (isWithin && oldest.at >= now - bounds.ageMs) break;
      this.#bytes -= oldest.size;
      this.#start++;
    }
    if (this.#start < 256 || this.#start * 2 < this.#records.length) return;
    this.#records.splice(0, this.#start);
    this.#start = 0;
  }
}
