import type { EventReader, EventReaderOptions } from "./event-reader.js";

/** The events of all nodes. */
export interface EventFeed {
  /** Names the stretch of time in which all nodes have published without a break; part of each id. */
  readonly epoch: string;

  /**
   * Adds a reader. One whose `after` is not known, or was too long ago, begins with a reset.
   *
   * @throws HeadgateError `STORE_UNAVAILABLE`, `SCHEDULER_STOPPED`
   */
  open(options: EventReaderOptions): Promise<EventReader>;
}
