import type { Page } from "../../index.js";
import type { Answer } from "./route.js";

/** Bytes of JSON of a page: it ends earlier than at its `limit`, with a cursor. */
const PAGE_BYTES = 1_048_576;
/** A value of a list's item that is longer as JSON is left out or shortened, and named in the item's `omitted`. */
export const VALUE_BYTES = 8_192;
/** Bytes that a page may read of values that it then leaves out, from a store that reads them all the same. */
const READ_BYTES = 16_777_216;
/** Values are measured no further than this. */
const MEASURED_BYTES = 1_048_576;
/** Items that are read at once: the first time, at most, and after some that were large. */
const STEP = { first: 25, most: 100, heavy: 5 } as const;
const HEAVY_BYTES = 4_194_304;
const MOST_ITEMS = 1_000;

type Json = Record<string, unknown>;

/** An item of a list as JSON, and the bytes of the values that are not in it although they were read. */
export interface Shortened {
  readonly json: Json;
  readonly cutBytes: number;
}

/** Options of lists that have the store leave values out which would not be shown. */
export const SHORT_VALUES = { valueLimit: VALUE_BYTES } as const;

/** The length of a value as JSON, about, counted no further than `most`. */
export function jsonLength(value: unknown, most = MEASURED_BYTES): number {
  let length = 0;
  const left: unknown[] = [value];
  while (left.length > 0 && length <= most) {
    const one = left.pop();
    if (typeof one === "string") length += one.length + 2;
    else if (Array.isArray(one)) {
      length += 2 * one.length + 2; // no element has less than a digit and a comma
      if (length <= most) for (const part of one) left.push(part);
    } else if (typeof one === "object" && one !== null) {
      length += 2;
      for (const name of Object.keys(one)) {
        length += name.length + 4;
        if (length > most) return length;
        left.push((one as Readonly<Json>)[name]);
      }
    } else length += 4;
  }
  return length;
}

/**
 * An item without its large values: they are `null`, or what `short` makes of them.
 *
 * @param json - the whole item
 * @param fields - those that may be large
 * @param known - names of fields that the store has left out already
 */
export function shortened(
  json: Json,
  fields: readonly string[],
  known: readonly string[] | undefined,
  short: Readonly<Record<string, (value: unknown) => unknown>> = {},
): Shortened {
  const omitted = new Set(known);
  let cutBytes = 0;
  for (const field of fields) {
    const length = jsonLength(json[field]);
    if (length <= VALUE_BYTES) continue;
    json[field] = short[field]?.(json[field]) ?? null;
    omitted.add(field);
    cutBytes += length;
  }
  if (omitted.size > 0) json.omitted = [...omitted];
  return { json, cutBytes };
}

/** The first items of a list that fit into so many bytes of JSON together; the first of all always does. */
export function fitting<T>(items: readonly T[], out: (item: T) => Shortened, bytes: number = PAGE_BYTES): readonly Json[] {
  const fit: Json[] = [];
  let size = 0;
  for (const item of items.slice(0, MOST_ITEMS)) {
    const { json } = out(item);
    size += Buffer.byteLength(JSON.stringify(json)) + 1;
    if (fit.length > 0 && size > bytes) break;
    fit.push(json);
  }
  return fit;
}

/** A list as it was asked for. */
export interface ListRequest {
  readonly limit?: number | undefined;
  readonly cursor?: string | undefined;
}

/**
 * Answers with a page that is bounded in bytes as well as in items, and read in steps that are too: it has at least one item if there is one.
 *
 * @param read - reads the next items behind a cursor
 * @param cursorOf - the cursor behind an item
 */
export async function pageAnswer<T>(
  { limit = 50, cursor }: ListRequest,
  read: (step: { limit: number; cursor?: string }) => Promise<Page<T>>,
  out: (item: T) => Shortened,
  cursorOf: (item: T) => string,
): Promise<Answer> {
  const texts: string[] = [];
  let bytes = 0;
  let cut = 0;
  let step: number = STEP.first;
  let next: string | null = cursor ?? null;
  do {
    const wanted = Math.min(step, limit - texts.length);
    const page: Page<T> = await read({ limit: wanted, ...(next === null ? {} : { cursor: next }) });
    let heavy = 0;
    for (const item of page.items) {
      const { json, cutBytes } = out(item);
      const text = JSON.stringify(json);
      bytes += Buffer.byteLength(text) + 1;
      cut += cutBytes;
      heavy += cutBytes;
      if (texts.length > 0 && (bytes > PAGE_BYTES || cut > READ_BYTES)) return answerOf(texts, next);
      texts.push(text);
      next = cursorOf(item);
    }
    if (page.nextCursor === null) next = null;
    else if (page.items.length < wanted) return answerOf(texts, page.nextCursor); // many were looked at that do not match
    step = heavy > HEAVY_BYTES ? STEP.heavy : Math.min(step * 2, STEP.most);
  } while (next !== null && texts.length < limit);
  return answerOf(texts, next);
}

function answerOf(texts: readonly string[], next: string | null): Answer {
  return { status: 200, text: `{"items":[${texts.join(",")}],"next_cursor":${JSON.stringify(next)}}` };
}

/** Answers with a page of what is in memory, in the order of its ids; without a limit, with as many as fit. */
export function listAnswer<T>(
  all: readonly T[],
  { limit = MOST_ITEMS, cursor }: ListRequest,
  out: (item: T) => Shortened | Promise<Shortened>,
  idOf: (item: T) => string,
): Promise<Answer> {
  const sorted = all
    .toSorted((one, other) => (idOf(one) < idOf(other) ? -1 : 1))
    .filter((one) => cursor === undefined || idOf(one) > cursor);
  let from = 0;
  const read = async (step: { limit: number }) => {
    const some = sorted.slice(from, from + step.limit);
    from += some.length;
    const items = await Promise.all(some.map(async (one) => ({ id: idOf(one), shown: await out(one) })));
    return { items, nextCursor: from < sorted.length ? (items.at(-1)?.id ?? null) : null };
  };
  return pageAnswer(
    { limit, cursor },
    read,
    ({ shown }) => shown,
    ({ id }) => id,
  );
}
