import { durationMs } from "../../base/duration.js";
import { toDate } from "../../base/instant.js";
import { checkOptions, invalidArgument, isOptionsObject, type OptionNames } from "../../base/options.js";
import { shown } from "../../base/shown.js";
import type { PauseOptions, ResumeOptions } from "../../pipeline/request-options.js";
import { text } from "../../pipeline/requests.js";
import type { Pause } from "../../ports/store.js";
import type { AuditRecorder } from "../access/audit-log.js";
import type { Core } from "../context/core.js";
import type { GlobalPause } from "../context/global-pause.js";
import type { PipelineRegistry } from "./pipeline-registry.js";

const RESUME: OptionNames<ResumeOptions> = { pipelineId: true, reason: true, user: true, caller: true };
const NAMES: Readonly<Record<"pause" | "resume", OptionNames<PauseOptions>>> = {
  pause: { ...RESUME, duration: true },
  resume: RESUME as OptionNames<PauseOptions>,
};

/**
 * Returns the arguments of `pause` and `resume` as one object: a pipeline's id with options, or options alone. Whatever does not say clearly which pipeline is meant is refused, since
 * no pipeline means all of them.
 *
 * @throws HeadgateError `INVALID_ARGUMENT`
 */
function pauseOptions(method: "pause" | "resume", target: unknown, options: unknown): PauseOptions {
  const refuse = invalidArgument(method);
  if (typeof target === "string") {
    const rest: unknown = options === undefined ? {} : options;
    checkOptions(rest as PauseOptions, NAMES[method], method, refuse);
    if ("pipelineId" in (rest as PauseOptions)) throw refuse("pipelineId", "name the pipeline only once");
    return { ...(rest as PauseOptions), pipelineId: target };
  }
  if (target === undefined && options === undefined) return {};
  if (!isOptionsObject(target))
    throw refuse(null, `must be a pipeline's id, as in ${method}("sales"), or an object of options (got ${shown(target)})`);
  if (options !== undefined) throw refuse(null, "takes one object of options, alone or after a pipeline's id");
  checkOptions(target as PauseOptions, NAMES[method], method, refuse);
  if ("pipelineId" in target && typeof target.pipelineId !== "string")
    throw refuse("pipelineId", `must be a pipeline's id; leave it out for the whole scheduler (got ${shown(target.pipelineId)})`);
  return target;
}

/** Returns true for a pause whose time is over. */
function hasRunOut(pause: Pause | null, now: number): boolean {
  const until = pause?.until ?? null;
  return until !== null && until <= now;
}

type PauseControlCore = Pick<Core, "clock" | "events" | "fireQueue" | "signals" | "store">;

/** Pauses and resumes a pipeline or everything (`null`), and has what waits looked at again. */
export class PauseControl {
  readonly #core: PauseControlCore;
  readonly #globalPause: GlobalPause;
  readonly #audit: AuditRecorder;
  readonly #registry: PipelineRegistry;

  constructor(core: PauseControlCore, globalPause: GlobalPause, audit: AuditRecorder, registry: PipelineRegistry) {
    this.#registry = registry;
    this.#core = core;
    this.#globalPause = globalPause;
    this.#audit = audit;
  }

  /** Keeps a pause; one that is there already keeps its beginning, unless it has run out. */
  async pause(target: unknown, rest: unknown): Promise<void> {
    const options = pauseOptions("pause", target, rest);
    const pipelineId = this.#registry.runningTarget(options.pipelineId);
    const { clock, store, events, fireQueue } = this.#core;
    const there = pipelineId === null ? this.#globalPause.current.pause : (fireQueue.get(pipelineId)?.pause ?? null);
    const now = clock.now();
    const isOver = hasRunOut(there, now);
    if (isOver) await this.#endAtItsEnd(pipelineId, now);
    const made: Pause = {
      at: isOver ? now : (there?.at ?? now),
      until: options.duration === undefined ? null : now + durationMs(options.duration, "duration"),
      reason: text(options.reason, "reason", 1_000),
      user: text(options.user, "user", 200),
    };
    await store.pause(pipelineId, made, this.#audit.noted({ action: "pause", pipelineId, after: made }, options));
    await this.#sync(pipelineId);
    events.emit("paused", () => ({ pipelineId, reason: made.reason, user: made.user, until: toDate(made.until) }));
  }

  /** Ends a pause; gives false when there was none. */
  async resume(target: unknown, rest: unknown): Promise<boolean> {
    const options = pauseOptions("resume", target, rest);
    const pipelineId = this.#registry.runningTarget(options.pipelineId);
    const { clock, store, events } = this.#core;
    const act = { reason: text(options.reason, "reason", 1_000), user: text(options.user, "user", 200) };
    const ended = await store.resume(pipelineId, clock.now(), this.#audit.noted({ action: "resume", pipelineId, after: null }, options));
    await store.recheck(pipelineId === null ? null : [pipelineId], clock.now());
    await this.#sync(pipelineId);
    if (ended === null) return false;
    if (hasRunOut(ended, clock.now())) this.#tellEnd(pipelineId, ended);
    else events.emit("resumed", () => ({ pipelineId, ...act, isAutomatic: false }));
    return true;
  }

  /** Ends a pause that has run out and that no round has ended yet, before another one takes its place. */
  async #endAtItsEnd(pipelineId: string | null, now: number): Promise<void> {
    const { store } = this.#core;
    const current = pipelineId === null ? (await store.globalPause()).pause : ((await store.states([pipelineId]))[0]?.pause ?? null);
    if (!hasRunOut(current, now)) return;
    const ended = await store.resume(pipelineId, now);
    if (ended !== null) this.#tellEnd(pipelineId, ended);
  }

  #tellEnd(pipelineId: string | null, { reason, user }: Pause): void {
    this.#core.events.emit("resumed", () => ({ pipelineId, reason, user, isAutomatic: true }));
  }

  async recheck(id: string | undefined): Promise<void> {
    const pipelineId = this.#registry.runningTarget(id);
    await this.#core.store.recheck(pipelineId === null ? null : [pipelineId], this.#core.clock.now());
    this.#core.signals.wake.emit();
  }

  async #sync(pipelineId: string | null): Promise<void> {
    const { store, fireQueue, clock } = this.#core;
    if (pipelineId === null) {
      await this.#globalPause.read(); // this node's own change shows at once
      this.#globalPause.invalidate();
      return this.#core.signals.wake.emit();
    }
    const entry = fireQueue.get(pipelineId);
    const [state] = await store.states([pipelineId]);
    if (entry !== undefined) fireQueue.sync(entry, state ?? null, clock.now());
    this.#core.signals.wake.emit();
  }
}
