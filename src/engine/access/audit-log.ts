import { checkInteger, checkOptions, invalidArgument } from "../../base/options.js";
import { type AuditEntry, type AuditHead, type AuditRecord, NO_AUDIT } from "../../monitor/audit.js";
import { type AuditSealer, auditSealer, unknownKey } from "../../monitor/audit-seal.js";
import { CallSums, type RefusedCall } from "../../monitor/call-sums.js";
import type { ActionContext } from "../../pipeline/request-options.js";
import { text } from "../../pipeline/requests.js";
import type { AuditCheck, AuditVerifyOptions } from "../../ports/scheduler-api/audit-check.js";
import type { AuditLog } from "../../ports/scheduler-api/audit-log.js";
import type { AuditedWrite } from "../../ports/store/audit.js";
import { redactJson } from "../../run/redact.js";
import { Batcher } from "../context/batcher.js";
import type { Core } from "../context/core.js";
import { isUnavailable } from "../context/store-health.js";
import { AuditHeads } from "./audit-heads.js";
import { AuditVerifier } from "./audit-verifier.js";

const SUMMED_MS = 60_000;
const SHOWN_CHARACTERS = 32_000;
const SHOWN_IDS = 100;
/** Names in the log for the subjects of changes. */
const LOGGED: Readonly<Record<string, string>> = {
  settings: "settings",
  maintenance: "maintenance window",
  silence: "silence",
  node: "lost node",
  "token.issue": "token",
  "token.rotate": "token",
  "token.revoke": "token",
};

type AuditCore = Pick<Core, "store" | "clock" | "events" | "logger" | "audit" | "redact">;

/** A change to be recorded. */
export interface AuditedChange {
  readonly action: string;
  readonly pipelineId: string | null;
  readonly after: unknown;
  readonly before?: unknown;
  /** Ids of what was affected. Default none. */
  readonly ids?: readonly string[];
}

/** The log of calls and changes: append-only, each record sealed by a hash over itself and the one before it. */
export class AuditRecorder implements AuditLog {
  readonly #core: AuditCore;
  readonly #appends: Batcher<AuditEntry, null>;
  readonly #sums = new CallSums();
  readonly #verifier: AuditVerifier;
  readonly #heads: AuditHeads;
  #stopSumming: (() => void) | null = null;
  #isOpen = false;
  /** For what a store keeps together with a change. */
  readonly sealer: AuditSealer;

  constructor(core: AuditCore) {
    this.#core = core;
    this.sealer = auditSealer(core.audit.keys);
    this.#verifier = new AuditVerifier(core.store, core.audit.keys);
    this.#heads = new AuditHeads(core, this.#verifier);
    this.#appends = new Batcher(
      core,
      async (entries) => {
        await core.store.appendAudit(entries, this.sealer);
        return entries.map(() => null);
      },
      { isPatient: false, gathers: "tick" },
    );
  }

  async open(): Promise<void> {
    const { store, events, logger, audit, clock } = this.#core;
    const { keys } = audit;
    const head = await store.auditHead();
    const keyId = head.keyId ?? null;
    if (keyId !== null && keys.hash("", keyId) === null) throw unknownKey(keyId);
    if (keys.current === null || keyId !== null) return;
    const [last] = await store.listAudit({ limit: 1 });
    if ((last?.keyId ?? null) !== null) {
      events.report(new Error(`the end of the audit log (record ${head.seq}) was moved without the key`), "opening the audit log");
      return;
    }
    const change = { action: "audit.key", pipelineId: null, before: null, after: { keyId: keys.current, records: head.seq } };
    const made = this.entry(change, { reason: "the audit log is sealed with a key from here on" }, clock.now());
    await store.appendAudit([made], auditSealer(keys, { isAdopting: true }));
    logger.log("warn", "the audit log is sealed with a key from here on", { keyId: keys.current, records: head.seq });
    this.#heads.changed();
  }

  /** @internal From here on what was added up is recorded, and the head reported, by timers; `close` ends them. */
  start(): void {
    this.#isOpen = true;
    this.#heads.start();
    this.#armSumming();
  }

  async append(entry: Omit<AuditEntry, "at">): Promise<void> {
    const at = this.#core.clock.now();
    const { ids = [], before, after, ...rest } = entry;
    await this.#appends.add({ ...rest, at, before: this.#shown(before), after: this.#shown(after), ids: boundedIds(ids) });
    this.#heads.changed();
  }

  count(call: RefusedCall): void {
    this.#sums.add(call, this.#core.clock.now());
    this.#armSumming();
  }

  #armSumming(): void {
    if (!this.#isOpen || this.#sums.isEmpty) return;
    this.#stopSumming ??= this.#core.clock.setTimer(SUMMED_MS, () => {
      this.#stopSumming = null;
      const flushed = this.#flush();
      this.#core.clock.track?.(flushed, "work");
    });
  }

  /** Returns the audit entry that a store writes together with the change itself. Without `before`, the store's own value is used. */
  noted(change: AuditedChange, act: ActionContext): AuditedWrite {
    const at = this.#core.clock.now();
    const made = this.entry(change, act, at);
    this.#heads.changed();
    return { entry: (known) => ("before" in change ? made : { ...made, before: this.#shown(known) }), sealer: this.sealer };
  }

  /** @internal Logs a change that was made: what, of which pipeline, by whom, with before and after. */
  logChange({ action, pipelineId, before, after, ids = [] }: AuditedChange, { user, reason, caller }: ActionContext): void {
    const { logger } = this.#core;
    const what = LOGGED[action] ?? action;
    const did = before === null ? "added" : after === null ? "removed" : "changed";
    const whose = pipelineId === null ? "" : ` of pipeline ${pipelineId}`;
    logger.log("info", `${what}${whose} ${did}${user === undefined ? "" : ` by ${user}`}`, {
      action,
      pipelineId,
      ids,
      user: user ?? null,
      token: caller?.token ?? null,
      reason: reason ?? null,
      before: this.#shown(before),
      after: this.#shown(after),
    });
  }

  /** @internal A store has kept entries together with a change. */
  touched(): void {
    this.#heads.changed();
  }

  /**
   * The entry of a change.
   *
   * @internal
   * @throws HeadgateError `INVALID_ARGUMENT` when what is said of the caller is no text, or too long
   */
  entry(change: AuditedChange, { user, reason, caller }: ActionContext, at: number): AuditEntry {
    const { action, pipelineId, before = null, after, ids = [] } = change;
    const by = {
      token: text(caller?.token, "caller.token", 200),
      role: text(caller?.role ?? undefined, "caller.role", 40),
      address: text(caller?.address ?? undefined, "caller.address", 100),
      requestId: text(caller?.requestId ?? undefined, "caller.requestId", 100),
    };
    const rest = { user: user ?? null, ...by, outcome: "done", reason: reason ?? null, ids: boundedIds(ids), sum: null };
    return { at, kind: "change", action, pipelineId, ...rest, before: this.#shown(before), after: this.#shown(after) };
  }

  async list(query: { before?: number; pipelineIds?: readonly string[]; limit: number }): Promise<readonly AuditRecord[]> {
    checkOptions(query, { before: true, pipelineIds: true, limit: true }, "audit.list");
    checkInteger(query.limit, { least: 1 }, "limit", invalidArgument("audit.list"));
    return this.#core.store.listAudit(query);
  }

  async head(): Promise<AuditHead> {
    const { seq, hash } = await this.#core.store.auditHead();
    return seq === 0 ? NO_AUDIT : { seq, hash };
  }

  verify(options: AuditVerifyOptions = {}): Promise<AuditCheck> {
    return this.#verifier.verify(options, this.#heads.known);
  }

  /** @internal Records what was added up and reports the head. */
  async close(): Promise<void> {
    this.#isOpen = false;
    this.#stopSumming?.();
    await this.#flush();
    await this.#heads.close();
  }

  /** A value without secrets, no larger than a record may have. */
  #shown(value: unknown): unknown {
    return bounded(redactJson(value, this.#core.redact));
  }

  async #flush(): Promise<void> {
    const { clock, events, store } = this.#core;
    const entries = this.#sums.take(clock.now());
    if (entries.length === 0) return;
    try {
      await store.appendAudit(entries, this.sealer);
      this.#heads.changed();
    } catch (error) {
      if (!isUnavailable(error) || !this.#isOpen) events.report(error, "recording refused calls in the audit log");
      this.#sums.putBack(entries);
      this.#armSumming();
    }
  }
}

/** So that no record is larger than a page can bear: of longer JSON, its beginning. */
function bounded(value: unknown): unknown {
  const json = JSON.stringify(value ?? null);
  if (json.length <= SHOWN_CHARACTERS) return value ?? null;
  return { shortened: true, characters: json.length, beginning: json.slice(0, SHOWN_CHARACTERS / 2) };
}

/** All ids, or the first and the last of many. */
function boundedIds(ids: readonly string[]): readonly string[] {
  return ids.length <= SHOWN_IDS ? ids : [ids[0] as string, ids.at(-1) as string];
}
