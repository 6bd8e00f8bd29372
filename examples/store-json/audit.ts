import type { AuditEntry, AuditedWrite, AuditSealer } from "headgate";
import type { State } from "./state.js";

/** Appends to the log: the sealer makes the records and the marks; while it adopts a key, the tail too. */
export function append(state: State, entries: readonly AuditEntry[], sealer: AuditSealer): void {
  const before = state.auditHead;
  const { records, head } = sealer.append(entries, before);
  for (const record of records) state.audit.set(record.seq, record);
  state.auditHead = head;
  if (sealer.isAdopting && (before.keyId ?? null) === null) state.auditTail = sealer.mark("tail", state.auditTail);
}

/** Notes a change with what was there before; call it before the change. */
export function noteChange(state: State, before: unknown, noted?: AuditedWrite): void {
  if (noted !== undefined) append(state, [noted.entry(before)], noted.sealer);
}

/** Notes a change with what came of it, and returns that. */
export function noteResult<T>(state: State, result: T, noted?: { entries: (result: T) => readonly AuditEntry[]; sealer: AuditSealer }): T {
  const entries = noted?.entries(result) ?? [];
  if (noted !== undefined && entries.length > 0) append(state, entries, noted.sealer);
  return result;
}
