import { LEAST_OPEN_MS } from "../../../ports/store/history.js";

/**
 * An index cannot find the spans that contain an instant. It can by classes of length: a span of one class began no longer before the instant than the class is long, so that of each class
 * only what began in such a span of time is read, and a class holds spans of similar length.
 */
const GROWTH = 8;
const CLASSES = 7;

/** The length of the ended triggers of a class: from (inclusive) and until (exclusive), ms. The last class has no end. */
interface SpanClass {
  readonly number: number;
  readonly untilMs: number;
}

export const SPAN_CLASSES: readonly SpanClass[] = Array.from({ length: CLASSES }, (_, number) => ({
  number,
  untilMs: number === CLASSES - 1 ? Number.POSITIVE_INFINITY : LEAST_OPEN_MS * GROWTH ** (number + 1),
}));

/** True of ended triggers that are in a class; part of the schema, so it never changes. */
export const IS_LONG = `ended_at - created_at >= ${LEAST_OPEN_MS}`;

/** The class of an ended trigger; part of the schema, so it never changes. */
export const SPAN_CLASS = `CASE ${SPAN_CLASSES.slice(0, -1)
  .map(({ number, untilMs }) => `WHEN ended_at - created_at < ${untilMs} THEN ${number}`)
  .join(" ")} ELSE ${CLASSES - 1} END`;
