import { jsonSize } from "../../../base/json-size.js";
import type { IdempotencyRecord } from "../../../ports/store.js";

const KEPT = 10_000;
/** Of all answers together; the oldest are forgotten beyond it. */
const BYTES = 33_554_432;

/** Answers under idempotency keys in memory. */
export class Responses {
  /** Oldest first, each with its bytes; the oldest are forgotten beyond the limits. */
  readonly #answers = new Map<string, { readonly record: IdempotencyRecord; readonly bytes: number }>();
  #bytes = 0;

  save(record: IdempotencyRecord): IdempotencyRecord {
    const known = this.#answers.get(record.key)?.record ?? { ...record, answer: null };
    if (known.request !== record.request || known.answer !== null) return known;
    const kept = { ...known, answer: record.answer };
    const bytes = jsonSize(kept.answer);
    this.#bytes += bytes - (this.#answers.get(record.key)?.bytes ?? 0);
    this.#answers.set(record.key, { record: kept, bytes });
    for (const key of this.#answers.keys()) {
      if (this.#answers.size <= KEPT && this.#bytes <= BYTES) break;
      this.#forget(key);
    }
    return kept;
  }

  release(key: string, request: string): void {
    const known = this.#answers.get(key)?.record;
    if (known?.request === request && known.answer === null) this.#forget(key);
  }

  forgetBefore(at: number): void {
    for (const [key, { record }] of this.#answers) {
      if (record.at >= at) return;
      this.#forget(key);
    }
  }

  #forget(key: string): void {
    this.#bytes -= this.#answers.get(key)?.bytes ?? 0;
    this.#answers.delete(key);
  }
}
