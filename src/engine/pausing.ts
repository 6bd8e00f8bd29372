import { durationMs } from "../base/duration.js";
import { toDate } from "../base/instant.js";
import type { Pause } from "../ports/store.js";
import type { AuditLog } from "./audit-log.js";
import type { Core } from "./core.js";
import type { Loop } from "./loop.js";
import { type Act, type PauseOptions, text } from "./requests.js";

/** Pauses and resumes a pipeline or everything (`null`), and has what waits looked at again. */
export class Pausing {
  readonly #core: Core;
  readonly #loop: Loop;
  readonly #audit: AuditLog;

  constructor(core: Core, loop: Loop, audit: AuditLog) {
    this.#core = core;
    this.#loop = loop;
    this.#audit = audit;
  }

  /** Keeps a pause; one that is there already keeps its beginning. */
  async pause(pipelineId: string | null, options: PauseOptions): Promise<void> {
    const { clock, store, events, registry } = this.#core;
    const known = pipelineId === null ? this.#loop.globalPause.pause : (registry.get(pipelineId)?.pause ?? null);
    const now = clock.now();
    const made: Pause = {
      at: known?.at ?? now,
      until: options.duration === undefined ? null : now + durationMs(options.duration, "duration"),
      reason: text(options.reason, "reason", 1_000),
      user: text(options.user, "user", 200),
    };
    await store.pause(pipelineId, made, this.#audit.noted({ action: "pause", pipelineId, after: made }, options));
    await this.#sync(pipelineId);
    events.tell("paused", () => ({ pipelineId, reason: made.reason, user: made.user, until: toDate(made.until) }));
  }

  /** Ends a pause; gives false when there was none. */
  async resume(pipelineId: string | null, options: Act): Promise<boolean> {
    const { clock, store, events } = this.#core;
    const act = { reason: text(options.reason, "reason", 1_000), user: text(options.user, "user", 200) };
    const ended = await store.resume(pipelineId, clock.now(), this.#audit.noted({ action: "resume", pipelineId, after: null }, options));
    await store.recheck(pipelineId === null ? null : [pipelineId], clock.now());
    await this.#sync(pipelineId);
    if (ended !== null) events.tell("resumed", () => ({ pipelineId, ...act, isAutomatic: false }));
    return ended !== null;
  }

  async recheck(pipelineId: string | null): Promise<void> {
    await this.#core.store.recheck(pipelineId === null ? null : [pipelineId], this.#core.clock.now());
    this.#loop.wake();
  }

  async #sync(pipelineId: string | null): Promise<void> {
    const { store, registry, clock } = this.#core;
    if (pipelineId === null) return this.#loop.refreshGlobal();
    const entry = registry.get(pipelineId);
    const [state] = await store.states([pipelineId]);
    if (entry !== undefined) registry.sync(entry, state ?? null, clock.now());
    this.#loop.wake();
  }
}
