import type { EventRecord } from "../store/events.js";

/** Start and filter of a reader of events. */
export interface EventReaderOptions {
  /** The `id` up to which it has seen all events; `null`: it begins now. */
  readonly after: string | null;
  /** Returns true for pipelines whose events it is handed. */
  readonly sees: (pipelineId: string) => boolean;
  /** Called when {@link EventReader.next} may have something new. */
  readonly onChange: () => void;
}

/** One reader's place in the events of all nodes. */
export interface EventReader {
  /** Names its place: a reader that begins after it misses nothing. */
  readonly id: string;

  /** True when it has taken too long: the window no longer holds what it would read next. */
  readonly isBehind: boolean;

  /**
   * Returns the next event that it sees; `"reset"` when some may be missing; `null` when there is none now.
   *
   * @throws HeadgateError `STORE_UNAVAILABLE`
   */
  next(): Promise<EventRecord | "reset" | null>;

  /** Leaves the feed; harmless when it has left. */
  close(): void;
}
