/** What is written down of a call or a change before it is sealed. Instants are epoch ms; never a secret. */
export interface AuditEntry {
  readonly at: number;
  /** A call from outside, or a change of what is kept, whoever asked for it. */
  readonly kind: "call" | "change";
  /** What was called or changed, such as `POST /api/v1/trigger/manual` or `settings`. */
  readonly action: string;
  readonly pipelineId: string | null;
  /** Who, as far as that is known: a user's own word for it, or the id of a token. */
  readonly user: string | null;
  readonly token: string | null;
  readonly role: string | null;
  readonly address: string | null;
  readonly requestId: string | null;
  /** What became of it, such as the status of an answer. */
  readonly outcome: string;
  readonly reason: string | null;
  readonly before: unknown;
  readonly after: unknown;
}

/** An entry in its place: its hash covers it and the hash of the one before it, so that none can be changed, taken out or put in unnoticed. */
export interface AuditRecord extends AuditEntry {
  /** From 1, without gaps. */
  readonly seq: number;
  /** The hash of the record before; `""` for the first. */
  readonly previous: string;
  readonly hash: string;
}

/** The end of the chain. */
export interface AuditHead {
  readonly seq: number;
  readonly hash: string;
}

/** A hash of text, such as SHA-256 in hexadecimal. */
export type Digest = (text: string) => string;

export const NO_AUDIT: AuditHead = Object.freeze({ seq: 0, hash: "" });

/** Puts an entry behind the end of the chain. */
export function sealed(entry: AuditEntry, head: AuditHead, digest: Digest): AuditRecord {
  const seq = head.seq + 1;
  const { at, kind, action, pipelineId, user, token, role, address, requestId, outcome, reason, before, after } = entry;
  const [previous, hash] = [head.hash, digest(textOf(entry, seq, head.hash))];
  return { at, kind, action, pipelineId, user, token, role, address, requestId, outcome, reason, before, after, seq, previous, hash };
}

/** What is wrong with the first record of a chain, oldest first, that does not follow from the one before; `null` when all do. */
export function brokenLink(records: readonly AuditRecord[], head: AuditHead, digest: Digest): { seq: number; problem: string } | null {
  let last = head;
  for (const record of records) {
    const seq = last.seq + 1;
    if (record.seq !== seq) return { seq, problem: `record ${seq} is missing` };
    if (record.previous !== last.hash) return { seq, problem: `record ${seq} does not follow the one before it` };
    if (record.hash !== digest(textOf(record, seq, last.hash))) return { seq, problem: `record ${seq} was changed` };
    last = record;
  }
  return null;
}

function textOf(entry: AuditEntry, seq: number, previous: string): string {
  const { at, kind, action, pipelineId, user, token, role, address, requestId, outcome, reason, before, after } = entry;
  return JSON.stringify([
    seq,
    previous,
    at,
    kind,
    action,
    pipelineId,
    user,
    token,
    role,
    address,
    requestId,
    outcome,
    reason,
    before,
    after,
  ]);
}
