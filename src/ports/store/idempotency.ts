/**
 * Responses under idempotency keys: what a caller was answered the first time it sent a request. The HTTP adapter (`adapters/http/idempotency`) calls it; scheduled work does not.
 *
 * ```
 *  no key ── saveResponse, answer null ──► reserved ── saveResponse, same request, with an answer ──► answered
 *    ▲                                        │
 *    └──────────── releaseKey ────────────────┘
 * ```
 *
 * Invariant: the first request under a key, and the first answer to it, stay until the retention removes them.
 */
import { int, json, type RecordOf, text } from "../../base/fields.js";

/** Fields of a response, each defined once. Instants are epoch ms. */
export const IDEMPOTENCY_FIELDS = {
  /** Unique over all callers. */
  key: text(),
  /** A digest of the request. */
  request: text(),
  /** When it was sent, epoch ms. */
  at: int(),
  /** JSON; `null` while it is not answered. */
  answer: json<unknown>().nullable(),
};

/** A request under an idempotency key, and its answer. */
export interface IdempotencyRecord extends RecordOf<typeof IDEMPOTENCY_FIELDS> {}

/** The responses of a store. */
export interface IdempotencyStore {
  /** Stores a request, or its answer, under its key, atomically, and returns what is stored: another request, or another answer to the same one, changes nothing. Idempotent. */
  saveResponse(record: IdempotencyRecord): Promise<IdempotencyRecord>;
  /** Frees a key under which this request was sent and has no answer. Idempotent. */
  releaseKey(key: string, request: string): Promise<void>;
}
