import { durationMs } from "../../base/duration.js";
import { HeadgateError } from "../../base/errors.js";
import { checkOptions } from "../../base/options.js";
import type { Silence } from "../../monitor/alert.js";
import type { ActionContext } from "../../pipeline/request-options.js";
import { ACT_OPTIONS, checkAct } from "../../pipeline/requests.js";
import type { SilenceOptions } from "../../ports/scheduler-api/alerts.js";
import type { AuditRecorder } from "../access/audit-log.js";
import type { Core } from "../context/core.js";
import { DocumentCollection } from "../context/document-collection.js";

const KIND = "silence";
const KEPT = 1_000;

type SilencesCore = Pick<Core, "clock" | "newId" | "store">;

/** Silences of alerts, one document each; those that have ended are removed with the next change. */
export class Silences {
  readonly #core: SilencesCore;
  readonly #audit: AuditRecorder;
  readonly #documents: DocumentCollection;

  constructor(core: SilencesCore, audit: AuditRecorder) {
    this.#core = core;
    this.#audit = audit;
    this.#documents = new DocumentCollection(core, "silences", [KIND]);
  }

  async list(): Promise<readonly Silence[]> {
    await this.#documents.refresh();
    return this.#active(this.#core.clock.now());
  }

  async add(options: SilenceOptions): Promise<Silence> {
    checkOptions(options, { ...ACT_OPTIONS, pipelineId: true, rule: true, tag: true, duration: true }, "silence");
    const { clock, newId } = this.#core;
    const lengthMs = durationMs(options.duration, "silence: duration");
    if (lengthMs < 1) throw new HeadgateError("INVALID_ARGUMENT", "silence: duration must be greater than 0");
    const now = clock.now();
    const { pipelineId = null, rule = null, tag = null, reason = null, user = null } = options;
    const made: Silence = { id: newId(now), pipelineId, rule, tag, from: now, until: now + lengthMs, reason, user };
    await this.#change((all) => {
      if (all.length >= KEPT) throw new HeadgateError("TOO_MANY", `there are ${KEPT} silences; end some`);
      return { id: made.id, before: null, after: made };
    }, options);
    return made;
  }

  async end(id: string, act: ActionContext = {}): Promise<void> {
    checkAct(act, "unsilence");
    await this.#change((all) => {
      const before = all.find((one) => one.id === id);
      if (before === undefined) throw new HeadgateError("NOT_FOUND", `no such silence: ${id}`, { details: { id } });
      return { id, before, after: null };
    }, act);
  }

  #active(now: number): readonly Silence[] {
    return [...this.#documents.of(KIND).values()].map(({ value }) => value as Silence).filter(({ until }) => until > now);
  }

  async #change(
    make: (all: readonly Silence[]) => { id: string; before: Silence | null; after: Silence | null },
    act: ActionContext,
  ): Promise<void> {
    const written = await this.#documents.change((now) => {
      const active = this.#active(now);
      const { id, before, after } = make(active);
      const change = { action: "silence", pipelineId: (before ?? after)?.pipelineId ?? null, before, after, ids: [id] };
      const kept = new Set(active.map((one) => one.id));
      const ended = [...this.#documents.of(KIND).keys()].filter((one) => !kept.has(one) && one !== id);
      const writes = [{ kind: KIND, id, value: after }, ...ended.map((one) => ({ kind: KIND, id: one, value: null }))];
      return { writes, change, user: act.user ?? null, noted: this.#audit.noted(change, act) };
    });
    if (written !== null) this.#audit.logChange(written.change, act);
  }
}
