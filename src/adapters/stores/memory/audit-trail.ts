import { type AuditEntry, type AuditMark, type AuditRecord, NO_AUDIT } from "../../../monitor/audit.js";
import type { AuditSealer } from "../../../monitor/audit-seal.js";
import type { AuditedWrite, AuditQuery, NotedChange, NotedResult } from "../../../ports/store/audit.js";

type Kind = "change" | "call" | "sum";

/** The newest of each kind stay, so that neither calls nor sums of refused calls push out changes. */
const KEPT: Readonly<Record<Kind, number>> = { change: 10_000, call: 10_000, sum: 1_000 };
const KINDS: readonly Kind[] = ["change", "call", "sum"];

/** Bounded audit log in memory. */
export class AuditTrail {
  /** In order; where records were forgotten, the next one names the hash of the one before it. */
  #records: AuditRecord[] = [];
  readonly #counts: Record<Kind, number> = { change: 0, call: 0, sum: 0 };
  #sealer: AuditSealer | null = null;
  head: AuditMark = NO_AUDIT;

  append(entries: readonly AuditEntry[], sealer: AuditSealer): void {
    if (entries.length === 0) return;
    const { records, head } = sealer.append(entries, this.head);
    this.#sealer = sealer;
    this.head = head;
    for (const record of records) {
      this.#records.push(record);
      this.#counts[kindOf(record)]++;
    }
    for (const kind of KINDS) if (this.#counts[kind] > 1.1 * KEPT[kind]) this.#forget(kind);
  }

  /** Appends an entry before the change that it records: a throw leaves both undone. */
  note(noted: AuditedWrite | undefined, before: unknown): void {
    if (noted !== undefined) this.append([noted.entry(before)], noted.sealer);
  }

  /** The same for several changes at once, each with what was there before. */
  noteAll(changes: readonly NotedChange[]): void {
    const [sealer] = changes.flatMap(([noted]) => noted?.sealer ?? []);
    const entries = changes.flatMap(([noted, before]) => noted?.entry(before) ?? []);
    if (sealer !== undefined) this.append(entries, sealer);
  }

  /** The same for what is known only when it was done; `null` is nothing done. */
  noteResult<T>(result: T | null, noted: NotedResult<T> | undefined): T | null {
    if (noted !== undefined && result !== null) this.append(noted.entries(result), noted.sealer);
    return result;
  }

  /** Returns the link of the newest pruned record before the first one after `after`. */
  tail(after: number): AuditMark {
    const first = this.#records[this.#indexBehind(after)];
    if (first === undefined || first.seq === 1 || this.#sealer === null) return NO_AUDIT;
    return this.#sealer.mark("tail", { seq: first.seq - 1, hash: first.previous });
  }

  list({ after, before = Number.POSITIVE_INFINITY, pipelineIds, limit }: AuditQuery): readonly AuditRecord[] {
    const isWanted = ({ pipelineId }: AuditRecord) =>
      pipelineIds === undefined || (pipelineId !== null && pipelineIds.includes(pipelineId));
    const found: AuditRecord[] = [];
    const from = after === undefined ? this.#indexBehind(before - 1) - 1 : this.#indexBehind(after);
    const step = after === undefined ? -1 : 1;
    for (let index = from; found.length < limit; index += step) {
      const record = this.#records[index];
      if (record === undefined || record.seq >= before) break;
      if (isWanted(record)) found.push(record);
    }
    return found;
  }

  /** The oldest of a kind. */
  #forget(kind: Kind): void {
    let excess = this.#counts[kind] - KEPT[kind];
    this.#records = this.#records.filter((record) => kindOf(record) !== kind || excess-- <= 0);
    this.#counts[kind] = KEPT[kind];
  }

  /** Index of the first record with a greater number. */
  #indexBehind(seq: number): number {
    let [low, high] = [0, this.#records.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#records[middle] as AuditRecord).seq > seq) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

function kindOf({ kind, sum = null }: AuditRecord): Kind {
  return sum === null ? kind : "sum";
}
