import type { AuditEntry, AuditHead, AuditRecord } from "../../monitor/audit.js";
import type { RefusedCall } from "../../monitor/call-sums.js";
import type { AuditCheck, AuditVerifyOptions } from "./audit-check.js";

/** The log of calls and changes, a chain of hashes. */
export interface AuditLog {
  /**
   * Seals the log with the key from now on if it has none yet. Called by `scheduler.start()`.
   *
   * @internal
   * @throws HeadgateError `AUDIT_KEY_UNKNOWN` when the log has a key that is not configured here
   */
  open(): Promise<void>;

  /** Resolves when the entry is kept. */
  append(entry: Omit<AuditEntry, "at">): Promise<void>;

  /** Adds up a refused call; what was added up is recorded within a minute, and when the scheduler stops. */
  count(call: RefusedCall): void;

  /** Returns records, newest first. */
  list(query: { before?: number; pipelineIds?: readonly string[]; limit: number }): Promise<readonly AuditRecord[]>;

  /** Returns the newest record's number and hash: written down elsewhere, they show later whether the log up to it is still the same. */
  head(): Promise<AuditHead>;

  /**
   * Reads the log and checks that nothing in it was changed, removed or inserted, nor its ends moved; what retention has pruned is not looked for. Everything else has its turn between
   * two pages of records.
   *
   * @throws HeadgateError `INVALID_ARGUMENT`
   * @example
   * const { isIntact, problem } = await scheduler.audit.verify({ head: { seq: 4711, hash: "9f2c41d07b3e" } });
   */
  verify(options?: AuditVerifyOptions): Promise<AuditCheck>;
}
