import type { AuditHead, AuditProblem } from "../../monitor/audit.js";

/** Options of {@link AuditLog.verify}. */
export interface AuditVerifyOptions {
  /** A head that was written down elsewhere: whether its record is still there, with that hash (whole, or at least its first 12 characters). Default: none is compared. */
  head?: AuditHead;
  /** Goes on behind a record that an earlier check has reached (its `next`). Default: from the beginning. */
  after?: AuditHead;
  /** The most records to read; `next` says where to go on. Default: all. */
  limit?: number;
}

/** State of a head that was recorded elsewhere: `kept`; `pruned` by retention; `changed`: there is another record in its place; `missing`: the log ends before it. */
export type AnchorState = "kept" | "pruned" | "changed" | "missing";

/** Result of {@link AuditLog.verify}. */
export interface AuditCheck {
  /** Nothing is wrong with what was read, the ends and the head that was given. */
  readonly isIntact: boolean;
  /** Number of records read. */
  readonly records: number;
  /** The first record that is not as it was written, and what is wrong with it. */
  readonly problem: AuditProblem | null;
  /** Where to go on, if `limit` ended the check; `null`: it has reached the end. */
  readonly next: AuditHead | null;
  /** The end of the log when the check began. */
  readonly head: AuditHead;
  /** State of the head that was given; `null` without one. */
  readonly anchor: AnchorState | null;
}
