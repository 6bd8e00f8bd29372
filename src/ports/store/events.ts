/**
 * Events on their way from the nodes that publish them to the nodes that have readers: short-lived, bounded, in one order over all nodes. Called by `engine/feed`.
 *
 * Invariants: numbers have no gaps and become visible in their order; the oldest events go first. Events are notices, not state: losing them loses no trigger, decision or run.
 */

import { int, type RecordOf, text } from "../../base/fields.js";

/** Fields of an event, each defined once. */
export const EVENT_FIELDS = {
  /** From 1, without gaps; a reader that has seen an event sees all later ones behind it. */
  seq: int(),
  /** When it happened, epoch ms. */
  at: int(),
  /** Such as `decision` or `run.started`; `reset` when events before it may be missing. */
  name: text(),
  /** `null`: concerns all pipelines. */
  pipelineId: text().nullable(),
  /** JSON of at most 8,192 bytes. */
  data: text(),
  /** Bytes of `data`. */
  size: int(),
};

/** An event with its place in the order. */
export interface EventRecord extends RecordOf<typeof EVENT_FIELDS> {}

/** An event as a node publishes it. */
export interface NewEvent extends Omit<EventRecord, "seq"> {}

/** Bounds of the event log; the oldest events beyond any of them are removed in small steps. */
export interface EventBounds {
  readonly count: number;
  /** Sum of `size`. */
  readonly bytes: number;
  readonly ageMs: number;
}

/** Bounds that the scheduler asks for: room for more than 1,000 events of the largest size. */
export const EVENT_BOUNDS: EventBounds = { count: 10_000, bytes: 16 * 1_048_576, ageMs: 3_600_000 };

/** The event log of a store. */
export interface EventLog {
  /**
   * Appends events in one transaction and removes old ones beyond the bounds. The order of numbers is the order in which they become visible: no event appears before one
   * that was read already.
   */
  appendEvents(events: readonly NewEvent[], bounds: EventBounds, now: number): Promise<void>;
  /** Returns the events behind a number, oldest first. When the first one is not the next number, those between were removed. */
  listEvents(after: number, limit: number): Promise<readonly EventRecord[]>;
  /** Returns the number of the newest event, also when it has been removed; 0 when there never was one. */
  lastEventSeq(): Promise<number>;
}
