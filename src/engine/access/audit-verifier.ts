import { checkInteger, checkOptions, invalidArgument } from "../../base/options.js";
import { type AuditHead, type AuditKeys, type AuditLink, type AuditMark, type AuditProblem, brokenLink } from "../../monitor/audit.js";
import { isSealedMark } from "../../monitor/audit-seal.js";
import type { AnchorState, AuditCheck, AuditVerifyOptions } from "../../ports/scheduler-api/audit-check.js";
import type { Store } from "../../ports/store.js";

/** Records read at once: between two pages, everything else has its turn. */
const PAGE = 250;
const HASH = /^[0-9a-f]{12,64}$/;

/** @throws HeadgateError `INVALID_ARGUMENT` */
function checkVerifyOptions(options: AuditVerifyOptions): void {
  checkOptions(options, { head: true, after: true, limit: true }, "audit.verify");
  const { head, after, limit } = options;
  const refuse = invalidArgument("audit.verify");
  for (const [name, one] of [
    ["head", head],
    ["after", after],
  ] as const) {
    if (one === undefined) continue;
    checkInteger(one.seq, { least: 1 }, `${name}.seq`, refuse);
    if (!HASH.test(one.hash)) throw refuse(`${name}.hash`, "must be 12 to 64 hexadecimal digits");
  }
  if (limit !== undefined) checkInteger(limit, { least: 1 }, "limit", refuse);
}

/** Checks one log. */
export class AuditVerifier {
  readonly #store: Store;
  readonly #keys: AuditKeys;

  constructor(store: Store, keys: AuditKeys) {
    this.#store = store;
    this.#keys = keys;
  }

  /** `known`: a head that this process has seen. */
  async verify(options: AuditVerifyOptions, known: AuditHead | null): Promise<AuditCheck> {
    checkVerifyOptions(options);
    const end = await this.#store.auditHead();
    const head: AuditHead = { seq: end.seq, hash: end.hash };
    const anchor = options.head === undefined ? null : await this.anchorState(options.head);
    const isEndWrong = this.#wrongMark("head", end) ?? (await this.#lost(known)) ?? null;
    if (isEndWrong !== null) return { isIntact: false, records: 0, problem: isEndWrong, next: null, head, anchor };
    const { records, problem, next } = await this.#walk(head, options);
    const isIntact = problem === null && anchor !== "changed" && anchor !== "missing";
    return { isIntact, records, problem: problem ?? anchorProblem(anchor, options.head), next, head, anchor };
  }

  /** Returns true if a record is still in the log as it was. */
  async anchorState({ seq, hash }: AuditHead): Promise<AnchorState> {
    const [record] = await this.#store.listAudit({ after: seq - 1, limit: 1 });
    if (record?.seq === seq) return record.hash.startsWith(hash) ? "kept" : "changed";
    const tail = await this.#store.auditTail(seq - 1);
    if (tail.seq > seq) return "pruned";
    if (tail.seq === seq) return tail.hash.startsWith(hash) ? "pruned" : "changed";
    return "missing";
  }

  async #walk(
    end: AuditHead,
    { after, limit = Number.POSITIVE_INFINITY }: AuditVerifyOptions,
  ): Promise<{ records: number; problem: AuditProblem | null; next: AuditHead | null }> {
    const begun = await this.#begin(after);
    if ("problem" in begun) return { records: 0, problem: begun, next: null };
    let link: AuditLink = begun;
    let records = 0;
    while (link.seq < end.seq && records < limit) {
      const page = await this.#store.listAudit({ after: link.seq, limit: Math.min(PAGE, limit - records, end.seq - link.seq) });
      const [first] = page;
      if (first === undefined) break;
      if (first.seq > link.seq + 1) {
        const passed = await this.#behindPruned(link, first.seq);
        if ("problem" in passed) return { records, problem: passed, next: null };
        link = passed;
      }
      const whole = page.filter(({ seq }, index) => seq === first.seq + index && seq <= end.seq); // up to the next gap
      const problem = brokenLink(whole, link, this.#keys);
      records += whole.length;
      if (problem !== null) return { records, problem, next: null };
      const last = whole.at(-1);
      if (last === undefined) break;
      link = { seq: last.seq, hash: last.hash, isKeyed: (last.keyId ?? null) !== null };
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    if (link.seq < end.seq && records >= limit) return { records, problem: null, next: { seq: link.seq, hash: link.hash } };
    if (link.seq === end.seq && link.hash === end.hash) return { records, problem: null, next: null };
    return { records, problem: { seq: link.seq + 1, problem: `the log ends at record ${link.seq}, not at ${end.seq}` }, next: null };
  }

  async #begin(after: AuditHead | undefined): Promise<AuditLink | AuditProblem> {
    if (after !== undefined) {
      const [record] = await this.#store.listAudit({ after: after.seq - 1, limit: 1 });
      if (record?.seq === after.seq && record.hash !== after.hash)
        return { seq: after.seq, problem: `record ${after.seq} has a different hash than when the verification reached it` };
      if (record?.seq === after.seq) return { seq: after.seq, hash: after.hash, isKeyed: (record.keyId ?? null) !== null };
    }
    const tail = await this.#store.auditTail();
    return this.#wrongMark("tail", tail) ?? { seq: tail.seq, hash: tail.hash, isKeyed: false };
  }

  /** A gap is none if retention made it, perhaps since the check began. */
  async #behindPruned(link: AuditLink, seq: number): Promise<AuditLink | AuditProblem> {
    const tail = await this.#store.auditTail(link.seq);
    if (tail.seq !== seq - 1) return { seq: link.seq + 1, problem: `record ${link.seq + 1} is missing` };
    return this.#wrongMark("tail", tail) ?? { seq: tail.seq, hash: tail.hash, isKeyed: link.isKeyed };
  }

  /** With a key, both ends are sealed from its first record on. */
  #wrongMark(end: "head" | "tail", mark: AuditMark): AuditProblem | null {
    const { keyId = null, seq } = mark;
    const what = end === "head" ? "the end of the log" : "the beginning of the log";
    if (keyId !== null && this.#keys.hash("", keyId) === null)
      return { seq, problem: `${what} is sealed with the key ${keyId}, which is not configured here; add it to audit.previousKeys` };
    const mayBePlain = this.#keys.current === null || (end === "tail" && seq === 0);
    if ((keyId === null && mayBePlain) || isSealedMark(end, mark, this.#keys)) return null;
    return { seq, problem: `${what} (record ${seq}) was moved or written without the key` };
  }

  /** Detects lost records: those that this process has seen and that are gone were cut off, or the log was restored to an earlier state. */
  async #lost(known: AuditHead | null): Promise<AuditProblem | null> {
    return known === null ? null : anchorProblem(await this.anchorState(known), known);
  }
}

/** A head that is not there any more, though retention did not prune it. */
export function anchorProblem(state: AnchorState | null, head: AuditHead | undefined): AuditProblem | null {
  if (head === undefined || (state !== "changed" && state !== "missing")) return null;
  const { seq, hash } = head;
  if (state === "missing") return { seq, problem: `record ${seq}, recorded elsewhere as ${hash.slice(0, 12)}…, is no longer in the log` };
  return { seq, problem: `record ${seq} has a different hash than the one recorded elsewhere (${hash.slice(0, 12)}…)` };
}
