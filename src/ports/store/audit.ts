/**
 * The audit log: append-only, every record sealed over the one before it. Called by `engine/access/audit-log`; the other parts of the port write to it in their own transactions (`noted`).
 *
 * ```
 *   tail ──► record n ──► record n + 1 ──► … ──► head
 *   (the last one that was pruned)               (the last one that was appended)
 * ```
 *
 * Invariants: one order over all nodes, without gaps; the head and the tail are kept apart from the records, so that a log cut short at either end is noticed; the store calls the sealer within the transaction and never writes a hash of its own.
 */
import type { AuditEntry, AuditMark, AuditRecord } from "../../monitor/audit.js";
import type { AuditSealer } from "../../monitor/audit-seal.js";

/** An entry of the audit log that is stored in one transaction with the change it records: both are there, or neither. */
export interface AuditedWrite {
  /** Given what was there before the change. */
  readonly entry: (before: unknown) => AuditEntry;
  readonly sealer: AuditSealer;
}

/** A change to be noted, if it is, and what was there before. */
export type NotedChange = readonly [noted: AuditedWrite | undefined, before: unknown];

/** Entries of the audit log for what an operation did, kept in one transaction with it. */
export interface NotedResult<T> {
  /** Given the operation's result; none when nothing was changed. */
  readonly entries: (result: T) => readonly AuditEntry[];
  readonly sealer: AuditSealer;
}

/** A part of the audit log. */
export interface AuditQuery {
  /** Oldest first, behind this number. */
  readonly after?: number;
  /** Newest first, before this number. */
  readonly before?: number;
  readonly pipelineIds?: readonly string[];
  readonly limit: number;
}

/** The audit log of a store. */
export interface AuditStore {
  /**
   * Puts entries behind the end of the audit log, one after the other over all nodes: the sealer gets the end as it is kept and returns the records and the end to keep. While it
   * is adopting a key, it gets the tail as well and returns that to keep.
   */
  appendAudit(entries: readonly AuditEntry[], sealer: AuditSealer): Promise<void>;
  /** Records of the audit log: oldest first behind `after`, or newest first before `before`. */
  listAudit(query: AuditQuery): Promise<readonly AuditRecord[]>;
  /** The end of the audit log, kept apart from it, so that a log cut short is noticed. */
  auditHead(): Promise<AuditMark>;
  /** The newest pruned record before the first kept one behind record `after` (default 0): what is kept goes on behind it. */
  auditTail(after?: number): Promise<AuditMark>;
}
