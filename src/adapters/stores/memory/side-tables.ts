import { jsonSize } from "../../../base/json-size.js";
import type { AuditEntry, AuditMark, AuditRecord } from "../../../monitor/audit.js";
import type { AuditSealer } from "../../../monitor/audit-seal.js";
import type { AuditedWrite, AuditQuery, NotedResult } from "../../../ports/audit-store.js";
import type { ConfigRecord, CursorRecord, IdempotencyRecord } from "../../../ports/store.js";
import { claimedCursor } from "../../../trigger/cursor.js";
import { AuditTrail } from "./audit-trail.js";

const ANSWERS_KEPT = 10_000;
/** Of all answers together; the oldest are forgotten beyond it. */
const ANSWERS_BYTES = 33_554_432;

/** Cursors, settings, answers under idempotency keys, and the audit log. */
export class SideTables {
  readonly #cursors = new Map<string, CursorRecord>();
  readonly #config = new Map<string, ConfigRecord>();
  /** Oldest first, each with its bytes; the oldest are forgotten beyond the limits. */
  readonly #answers = new Map<string, { readonly record: IdempotencyRecord; readonly bytes: number }>();
  #answerBytes = 0;
  readonly #audit = new AuditTrail();

  claimCursor(name: string, node: string, leaseUntil: number, now: number): CursorRecord | null {
    const known = this.#cursors.get(name) ?? { name, value: null, token: 0, node: null, leaseUntil: null, updatedAt: now };
    const claimed = claimedCursor(known, node, leaseUntil, now);
    if (claimed !== null) this.#cursors.set(name, claimed);
    return claimed;
  }

  holdsCursor(name: string, token: number): boolean {
    const known = this.#cursors.get(name);
    return known !== undefined && known.node !== null && known.token === token;
  }

  moveCursor(name: string, value: unknown, now: number): void {
    const known = this.#cursors.get(name);
    if (known !== undefined) this.#cursors.set(name, { ...known, value, updatedAt: now });
  }

  releaseCursor(name: string, node: string): void {
    const known = this.#cursors.get(name);
    if (known?.node === node) this.#cursors.set(name, { ...known, node: null, leaseUntil: null });
  }

  shortenLeases(leaseUntil: number): void {
    for (const [name, one] of this.#cursors) if ((one.leaseUntil ?? 0) > leaseUntil) this.#cursors.set(name, { ...one, leaseUntil });
  }

  config(key: string): ConfigRecord | null {
    return this.#config.get(key) ?? null;
  }

  putConfig(
    key: string,
    value: unknown,
    expected: number | null,
    by: string | null,
    now: number,
    noted?: AuditedWrite,
  ): ConfigRecord | null {
    const known = this.#config.get(key);
    const version = known?.version ?? 0;
    if (expected !== null && expected !== version) return null;
    this.note(noted, known?.value ?? null);
    const written: ConfigRecord = { key, value, version: version + 1, updatedAt: now, updatedBy: by };
    this.#config.set(key, written);
    return written;
  }

  keepAnswer(record: IdempotencyRecord): IdempotencyRecord {
    const known = this.#answers.get(record.key)?.record ?? { ...record, answer: null };
    if (known.request !== record.request || known.answer !== null) return known;
    const kept = { ...known, answer: record.answer };
    const bytes = jsonSize(kept.answer);
    this.#answerBytes += bytes - (this.#answers.get(record.key)?.bytes ?? 0);
    this.#answers.set(record.key, { record: kept, bytes });
    for (const key of this.#answers.keys()) {
      if (this.#answers.size <= ANSWERS_KEPT && this.#answerBytes <= ANSWERS_BYTES) break;
      this.#forgetAnswer(key);
    }
    return kept;
  }

  freeAnswer(key: string, request: string): void {
    const known = this.#answers.get(key)?.record;
    if (known?.request === request && known.answer === null) this.#forgetAnswer(key);
  }

  forgetAnswers(before: number): void {
    for (const [key, { record }] of this.#answers) {
      if (record.at >= before) return;
      this.#forgetAnswer(key);
    }
  }

  #forgetAnswer(key: string): void {
    this.#answerBytes -= this.#answers.get(key)?.bytes ?? 0;
    this.#answers.delete(key);
  }

  /** Appends an entry before the change that it records: a throw leaves both undone. */
  note(noted: AuditedWrite | undefined, before: unknown): void {
    if (noted !== undefined) this.#audit.append([noted.entry(before)], noted.sealer);
  }

  /** The same for what is known only when it was done; `null` is nothing done. */
  noteResult<T>(result: T | null, noted: NotedResult<T> | undefined): T | null {
    if (noted !== undefined && result !== null) this.#audit.append(noted.entries(result), noted.sealer);
    return result;
  }

  appendAudit(entries: readonly AuditEntry[], sealer: AuditSealer): void {
    this.#audit.append(entries, sealer);
  }

  auditHead(): AuditMark {
    return this.#audit.head;
  }

  auditTail(after: number): AuditMark {
    return this.#audit.tail(after);
  }

  listAudit(query: AuditQuery): readonly AuditRecord[] {
    return this.#audit.list(query);
  }
}
