import { jsonSize } from "../../../base/json-size.js";
import { type AuditEntry, type AuditHead, type AuditRecord, NO_AUDIT } from "../../../monitor/audit.js";
import type { AnswerRecord, AuditQuery, ConfigRecord, CursorRecord, Noted } from "../../../ports/store.js";
import { claimedCursor } from "../../../trigger/cursor.js";

const AUDIT_KEPT = 10_000;
const ANSWERS_KEPT = 10_000;
/** Of all answers together; the oldest are forgotten beyond it. */
const ANSWERS_BYTES = 33_554_432;

/** Cursors, settings, answers under idempotency keys, and the audit log. */
export class Desk {
  readonly #cursors = new Map<string, CursorRecord>();
  readonly #config = new Map<string, ConfigRecord>();
  /** Oldest first, each with its bytes; the oldest are forgotten beyond the limits. */
  readonly #answers = new Map<string, { readonly record: AnswerRecord; readonly bytes: number }>();
  #answerBytes = 0;
  /** The newest records; the oldest are forgotten beyond the limit. */
  readonly #audit: AuditRecord[] = [];

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

  config(key: string): ConfigRecord | null {
    return this.#config.get(key) ?? null;
  }

  putConfig(key: string, value: unknown, expected: number | null, by: string | null, now: number, noted?: Noted): ConfigRecord | null {
    const known = this.#config.get(key);
    const version = known?.version ?? 0;
    if (expected !== null && expected !== version) return null;
    this.note(noted, known?.value ?? null);
    const written: ConfigRecord = { key, value, version: version + 1, updatedAt: now, updatedBy: by };
    this.#config.set(key, written);
    return written;
  }

  keepAnswer(record: AnswerRecord): AnswerRecord {
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

  /** Before the change it tells of: what throws leaves both undone. */
  note(noted: Noted | undefined, before: unknown): void {
    if (noted !== undefined) this.appendAudit([noted.entry(before)], noted.seal);
  }

  appendAudit(entries: readonly AuditEntry[], seal: (entry: AuditEntry, head: AuditHead) => AuditRecord): void {
    for (const entry of entries) this.#audit.push(seal(entry, this.auditHead()));
    if (this.#audit.length > 2 * AUDIT_KEPT) this.#audit.splice(0, this.#audit.length - AUDIT_KEPT);
  }

  auditHead(): AuditHead {
    const last = this.#audit.at(-1);
    return last === undefined ? NO_AUDIT : { seq: last.seq, hash: last.hash };
  }

  auditTail(): AuditHead {
    const [first] = this.#audit;
    return first === undefined ? NO_AUDIT : { seq: first.seq - 1, hash: first.previous };
  }

  listAudit({ after, before = Number.POSITIVE_INFINITY, pipelineIds, limit }: AuditQuery): readonly AuditRecord[] {
    const found = this.#audit.filter(
      ({ seq, pipelineId }) =>
        seq > (after ?? 0) && seq < before && (pipelineIds === undefined || (pipelineId !== null && pipelineIds.includes(pipelineId))),
    );
    return (after === undefined ? found.reverse() : found).slice(0, limit);
  }
}
