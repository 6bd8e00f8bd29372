import { builtin } from "../base/builtin.js";
import { type AuditEntry, type AuditRecord, brokenLink, sealed } from "../monitor/audit.js";
import type { Noted } from "../ports/store.js";
import { redactJson } from "../run/redact.js";
import { Batcher } from "./batcher.js";
import type { Core } from "./core.js";
import type { Act } from "./requests.js";

const PAGE = 1_000;

/** What {@link AuditLog.verify} finds. */
export interface AuditCheck {
  readonly isIntact: boolean;
  /** How many records were read. */
  readonly records: number;
  /** The first record that is not as it was written, and what is wrong with it. */
  readonly problem: { readonly seq: number; readonly problem: string } | null;
}

export function sha256(text: string): string {
  return builtin("node:crypto").hash("sha256", text);
}

const seal: Noted["seal"] = (entry, head) => sealed(entry, head, sha256);

/** The log of calls and changes: append-only, each record sealed by a hash over itself and the one before it. */
export class AuditLog {
  readonly #core: Pick<Core, "store" | "clock" | "redact">;
  readonly #appends: Batcher<AuditEntry, null>;

  constructor(core: Pick<Core, "store" | "clock" | "redact">) {
    this.#core = core;
    this.#appends = new Batcher(
      core,
      async (entries) => {
        await core.store.appendAudit(entries, seal);
        return entries.map(() => null);
      },
      { isPatient: false, gathers: "tick" },
    );
  }

  /** Resolves when the entry is kept. */
  async append(entry: Omit<AuditEntry, "at">): Promise<void> {
    const { kind, action, pipelineId, user, token, role, address, requestId, outcome, reason, before, after } = entry;
    const at = this.#core.clock.now();
    await this.#appends.add({ at, kind, action, pipelineId, user, token, role, address, requestId, outcome, reason, before, after });
  }

  /** What a store keeps together with the change itself. Without `before`, it is what the store had. */
  noted(change: { action: string; pipelineId: string | null; before?: unknown; after: unknown }, { user, reason }: Act): Noted {
    const { action, pipelineId } = change;
    const { clock, redact } = this.#core;
    const at = clock.now();
    const clean = (value: unknown) => redactJson(value, redact);
    const nobody = { token: null, role: null, address: null, requestId: null };
    const rest = { user: user ?? null, ...nobody, outcome: "done", reason: reason ?? null, after: clean(change.after) };
    return {
      entry: (known) => ({ at, kind: "change", action, pipelineId, ...rest, before: clean("before" in change ? change.before : known) }),
      seal,
    };
  }

  /** Records, newest first. */
  list(query: { before?: number; pipelineIds?: readonly string[]; limit: number }): Promise<readonly AuditRecord[]> {
    return this.#core.store.listAudit(query);
  }

  /** Reads the whole log and checks that nothing in it was changed, taken out or put in, nor its end cut off. What retention has forgotten is not looked for. */
  async verify(): Promise<AuditCheck> {
    const { store } = this.#core;
    const end = await store.auditHead();
    let head = await store.auditTail();
    let records = 0;
    for (;;) {
      const page: readonly AuditRecord[] = await store.listAudit({ after: head.seq, limit: PAGE });
      const wanted = page.filter(({ seq }) => seq <= end.seq);
      const problem = brokenLink(wanted, head, sha256);
      records += wanted.length;
      if (problem !== null) return { isIntact: false, records, problem };
      head = wanted.at(-1) ?? head;
      if (page.length < PAGE) break;
    }
    if (head.seq !== end.seq || head.hash !== end.hash)
      return { isIntact: false, records, problem: { seq: head.seq + 1, problem: `the log ends at record ${head.seq}, not at ${end.seq}` } };
    return { isIntact: true, records, problem: null };
  }
}
