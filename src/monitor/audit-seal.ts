import { HeadgateError } from "../base/errors.js";
import { type AuditEntry, type AuditHead, type AuditKeys, type AuditMark, type AuditRecord, brokenLink, sealed } from "./audit.js";

/** Seals what a store puts into the audit log and takes out of it. Pure: the store calls it within its transaction. */
export interface AuditSealer {
  /** The log gets its first key: `append` is handed the tail too and returns it sealed. */
  readonly isAdopting: boolean;
  /**
   * Returns the records that follow the head, and the new head. A head that was moved without the key stays recognisable as such.
   *
   * @throws HeadgateError `AUDIT_KEY_UNKNOWN`
   */
  append(entries: readonly AuditEntry[], head: AuditMark): { readonly records: readonly AuditRecord[]; readonly head: AuditMark };
  /**
   * Returns the tail once these oldest records, which follow it, are pruned. Records that do not verify leave a tail that does not.
   *
   * @throws HeadgateError `AUDIT_KEY_UNKNOWN`
   */
  prune(records: readonly AuditRecord[], tail: AuditMark): AuditMark;
  /** Returns a place as a mark of that end, whatever it was before. */
  mark(end: "head" | "tail", place: AuditHead): AuditMark;
}

/** In place of a MAC: the mark was moved without the key. */
const MOVED = "moved without the key";

/** Returns a sealer with these keys. With `isAdopting` it accepts a head that has no key yet. */
export function auditSealer(keys: AuditKeys, { isAdopting = false } = {}): AuditSealer {
  const made = (end: "head" | "tail", { seq, hash }: AuditHead, keyId: string | null, isTrusted: boolean): AuditMark =>
    keyId === null ? { seq, hash } : { seq, hash, keyId, mac: isTrusted ? keys.hash(markText(end, { seq, hash }), keyId) : MOVED };
  return {
    isAdopting,
    append: (entries, head) => {
      const keyId = keyFor(keys, head);
      const isTrusted = isSealedMark("head", head, keys) || (isAdopting && (head.keyId ?? null) === null);
      const records: AuditRecord[] = [];
      for (const entry of entries) records.push(sealed(entry, records.at(-1) ?? head, keys, keyId));
      return { records, head: made("head", records.at(-1) ?? head, keyId, isTrusted) };
    },
    prune: (records, tail) => {
      const unknown = records.find(({ keyId = null }) => keyId !== null && keys.hash("", keyId) === null)?.keyId ?? null;
      if (unknown !== null) throw unknownKey(unknown);
      const isTrusted = tail.seq === 0 || isSealedMark("tail", tail, keys);
      const isWhole = brokenLink(records, { ...tail, isKeyed: false }, keys) === null;
      return made("tail", records.at(-1) ?? tail, keyFor(keys, tail), isTrusted && isWhole);
    },
    mark: (end, place) => made(end, place, keys.current, true),
  };
}

/** Returns whether a holder of one of the keys put the mark there. */
export function isSealedMark(end: "head" | "tail", mark: AuditMark, keys: AuditKeys): boolean {
  const { keyId = null, mac = null } = mark;
  return keyId !== null && mac !== null && mac === keys.hash(markText(end, mark), keyId);
}

/** A log that has a key goes on with one: the node's own, else the one that it has if that is known. */
function keyFor(keys: AuditKeys, { keyId = null }: AuditMark): string | null {
  if (keyId !== null && keys.hash("", keyId) === null) throw unknownKey(keyId);
  return keys.current ?? keyId;
}

export function unknownKey(keyId: string): HeadgateError {
  return new HeadgateError(
    "AUDIT_KEY_UNKNOWN",
    `the audit log is sealed with the key ${keyId}, which is not configured here: set it as \`audit.key\`, or add it to \`audit.previousKeys\``,
    { details: { keyId } },
  );
}

function markText(end: "head" | "tail", { seq, hash }: AuditHead): string {
  return JSON.stringify([`headgate audit ${end}`, seq, hash]);
}
