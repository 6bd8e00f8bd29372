/** Calls that were added up in one record. Instants are epoch ms. */
export interface AuditSum {
  readonly count: number;
  readonly firstAt: number;
  readonly lastAt: number;
}

/** A call or a change before it is sealed. Instants are epoch ms; never a secret. */
export interface AuditEntry {
  readonly at: number;
  /** A call from outside, or a change to what is stored, whatever requested it. */
  readonly kind: "call" | "change";
  /** Call or change, such as `POST /api/v1/trigger/manual` or `settings`. */
  readonly action: string;
  readonly pipelineId: string | null;
  /** The name that acted. That of a caller over HTTP is its token's, or another one if the token may act for others. */
  readonly user: string | null;
  /** Id of the token by which the caller was known, or `webhook:<source>` for a signature; `null` without a caller. */
  readonly token: string | null;
  readonly role: string | null;
  readonly address: string | null;
  readonly requestId: string | null;
  /** Outcome, such as the status of a response. */
  readonly outcome: string;
  readonly reason: string | null;
  readonly before: unknown;
  readonly after: unknown;
  /** Ids of the triggers, runs, windows, silences and tokens affected; of more than 100 the first and the last. Default none. */
  readonly ids?: readonly string[];
  /** Set when the record stands for several calls. Default `null`. */
  readonly sum?: AuditSum | null;
}

/** An entry in its place: its hash covers it and the hash of the one before it, so that none can be changed, removed or inserted unnoticed. */
export interface AuditRecord extends AuditEntry {
  /** From 1, without gaps. */
  readonly seq: number;
  /** The hash of the record before; `""` for the first. */
  readonly previous: string;
  readonly hash: string;
  /** The form of the sealed text. Absent: that of 0.1.0, which had no `ids`, `sum` and `keyId`. */
  readonly version?: 2;
  /** The key that the hash was made with; `null` or absent: none, a plain SHA-256. */
  readonly keyId?: string | null;
}

/** A place in the chain. */
export interface AuditHead {
  readonly seq: number;
  readonly hash: string;
}

/** An end of the chain as the store keeps it: the newest record (`head`), or the newest pruned one (`tail`). */
export interface AuditMark extends AuditHead {
  /** The key of `mac`; `null` or absent in a log without keys. */
  readonly keyId?: string | null;
  /** Proves that a holder of the key put the mark here. */
  readonly mac?: string | null;
}

/** Keys of an audit log. */
export interface AuditKeys {
  /** Id of the key that new records are sealed with; `null`: none. */
  readonly current: string | null;
  /** Returns the hash of a text under a key (`null`: the plain SHA-256) in hexadecimal; `null` when the key is unknown. */
  hash(text: string, keyId: string | null): string | null;
}

export const NO_AUDIT: AuditHead = Object.freeze({ seq: 0, hash: "" });

/** Puts an entry behind the end of the chain. `keyId` must be known to `keys`. */
export function sealed(entry: AuditEntry, head: AuditHead, keys: AuditKeys, keyId: string | null): AuditRecord {
  const { at, kind, action, pipelineId, user, token, role, address, requestId, outcome, reason, before, after } = entry;
  const made = { at, kind, action, pipelineId, user, token, role, address, requestId, outcome, reason, before, after };
  const { ids = [], sum = null } = entry;
  const record = { ...made, ids, sum, version: 2 as const, keyId, seq: head.seq + 1, previous: head.hash };
  return { ...record, hash: keys.hash(sealedText(record), keyId) ?? "" };
}

/** Returns the text that the hash of a record covers, in the form of the version that wrote it. */
export function sealedText(record: Omit<AuditRecord, "hash">): string {
  const { seq, previous, at, kind, action, pipelineId, user, token, role, address, requestId, outcome, reason, before, after } = record;
  const first = [at, kind, action, pipelineId, user, token, role, address, requestId, outcome, reason, before, after];
  if (record.version === undefined) return JSON.stringify([seq, previous, ...first]);
  const { version, keyId = null, ids = [], sum = null } = record;
  return JSON.stringify([version, seq, previous, keyId, ...first, ids, sum === null ? null : [sum.count, sum.firstAt, sum.lastAt]]);
}

/** A record that does not follow from the ones before it, and what is wrong with it. */
export interface AuditProblem {
  readonly seq: number;
  readonly problem: string;
}

/** The last record that was checked. */
export interface AuditLink extends AuditHead {
  /** It was sealed with a key: every one behind it must be. */
  readonly isKeyed: boolean;
}

/** Returns the first record of a chain, oldest first, that does not follow from the one before; `null` when all do. */
export function brokenLink(records: readonly AuditRecord[], { seq, hash, isKeyed }: AuditLink, keys: AuditKeys): AuditProblem | null {
  let last = { seq, hash, isKeyed };
  for (const record of records) {
    const next = last.seq + 1;
    const keyId = record.keyId ?? null;
    const at = (problem: string): AuditProblem => ({ seq: next, problem: `record ${next} ${problem}` });
    if (record.seq !== next) return at("is missing");
    if (record.previous !== last.hash) return at("does not follow the one before it");
    if (keyId === null && last.isKeyed) return at("is not sealed with a key, but the one before it is");
    const expected = keys.hash(sealedText(record), keyId);
    if (expected === null) return at(`is sealed with the key ${keyId}, which is not configured here; add it to audit.previousKeys`);
    if (record.hash !== expected) return at("was changed");
    last = { seq: next, hash: record.hash, isKeyed: keyId !== null };
  }
  return null;
}

/** Checked options of the audit log. */
export interface AuditSettings {
  readonly keys: AuditKeys;
  readonly headIntervalMs: number;
}
