import type { EventReader, EventReaderOptions } from "../../ports/scheduler-api/event-reader.js";
import type { EventLog, EventRecord } from "../../ports/store/events.js";
import type { EventWindow } from "./event-window.js";

/** Events that a reader takes from the store at once while it catches up. */
const PAGE = 32;

/** The parts of the feed that its readers share. */
export interface EventSource {
  readonly window: EventWindow;
  readonly store: EventLog;
  readonly lease: { readonly epoch: string };
}

/** One reader's place in the feed. It holds no events but, while it catches up, one page of them. */
export class FeedReader implements EventReader {
  readonly #source: EventSource;
  readonly #leave: (reader: FeedReader) => void;
  readonly #options: EventReaderOptions;
  #seq: number;
  #page: EventRecord[] = [];
  /** Reads from the store what the window no longer holds. */
  #isCatchingUp: boolean;
  #mustReset = false;
  #isClosed = false;

  /** @param seq - up to which it has seen all events */
  constructor(source: EventSource, options: EventReaderOptions, seq: number, leave: (reader: FeedReader) => void) {
    this.#source = source;
    this.#options = options;
    this.#leave = leave;
    this.#seq = seq;
    this.#isCatchingUp = seq < source.window.last;
  }

  /** Names its place: a reader that begins after it misses nothing. */
  get id(): string {
    return `${this.#source.lease.epoch}-${this.#seq}`;
  }

  /** True when it has taken too long: the window no longer holds what it would read next. */
  get isBehind(): boolean {
    return !this.#isCatchingUp && this.#seq < this.#source.window.first - 1;
  }

  async next(): Promise<EventRecord | "reset" | null> {
    const { window, store } = this.#source;
    while (!this.#isClosed) {
      if (this.#mustReset) {
        this.#mustReset = false;
        return "reset";
      }
      for (let one = this.#page.shift(); one !== undefined; one = this.#page.shift()) {
        this.#seq = one.seq;
        if (this.#isVisible(one)) return one;
      }
      if (this.#seq >= window.first - 1) {
        this.#isCatchingUp = false;
        return this.#fromWindow();
      }
      if (!this.#isCatchingUp) return null;
      const page = await store.listEvents(this.#seq, PAGE);
      if (page[0]?.seq === this.#seq + 1) this.#page = [...page];
      else this.reset(window.last);
    }
    return null;
  }

  /** Makes the next result `"reset"`, and moves to a sequence number if one is given. */
  reset(seq = this.#seq): void {
    this.#seq = seq;
    this.#mustReset = true;
    this.#page = [];
  }

  /** The events behind `seq` are missing: all that it has not read of the window is. */
  skip(seq: number): void {
    if (!this.#isCatchingUp && this.#seq < seq) this.reset(seq);
  }

  /** Notifies the owner. */
  changed(): void {
    this.#options.onChange();
  }

  close(): void {
    this.#isClosed = true;
    this.#leave(this);
  }

  #fromWindow(): EventRecord | null {
    const { window } = this.#source;
    while (this.#seq < window.last) {
      const one = window.at(++this.#seq);
      if (one !== undefined && this.#isVisible(one)) return one;
    }
    return null;
  }

  #isVisible({ pipelineId }: EventRecord): boolean {
    return pipelineId === null || this.#options.sees(pipelineId);
  }
}
