import { durationMs } from "../../base/duration.js";
import { epochMs, isoUtc, toDate } from "../../base/instant.js";
import { checkOptions, invalidArgument, isOptionsObject, type OptionNames } from "../../base/options.js";
import { shown } from "../../base/shown.js";
import type { PauseOptions, ResumeOptions } from "../../pipeline/request-options.js";
import { ACT_OPTIONS, text } from "../../pipeline/requests.js";
import { SELECTION_OPTIONS, selectedPipelines } from "../../pipeline/selection.js";
import type { Pause, PauseRequest, ResumeRequest } from "../../ports/store.js";
import type { AuditRecorder } from "../access/audit-log.js";
import type { Core } from "../context/core.js";
import type { GlobalPause } from "../context/global-pause.js";
import type { PipelineRegistry } from "./pipeline-registry.js";

const RESUME: OptionNames<ResumeOptions> = { ...ACT_OPTIONS, ...SELECTION_OPTIONS };
const PAUSE: OptionNames<PauseOptions> = { ...RESUME, duration: true, until: true };

/**
 * Returns the arguments of `pause` and `resume` as one object: a pipeline's id with options, or options alone. Whatever does not say clearly which pipelines are meant is refused, since
 * none means all of them.
 *
 * @throws HeadgateError `INVALID_ARGUMENT`
 */
function pauseOptions(method: "pause" | "resume", target: unknown, options: unknown): PauseOptions {
  const refuse = invalidArgument(method);
  const names = method === "pause" ? PAUSE : (RESUME as OptionNames<PauseOptions>);
  if (typeof target === "string") {
    const rest: unknown = options === undefined ? {} : options;
    checkOptions(rest as PauseOptions, names, method, refuse);
    const twice = Object.keys(SELECTION_OPTIONS).find((name) => Object.hasOwn(rest as object, name));
    if (twice !== undefined) throw refuse(twice, "name the pipeline only once");
    return { ...(rest as PauseOptions), pipelineId: target };
  }
  if (target === undefined && options === undefined) return {};
  if (!isOptionsObject(target))
    throw refuse(null, `must be a pipeline's id, as in ${method}("sales"), or an object of options (got ${shown(target)})`);
  if (options !== undefined) throw refuse(null, "takes one object of options, alone or after a pipeline's id");
  checkOptions(target as PauseOptions, names, method, refuse);
  return target;
}

/** When a pause ends by itself, epoch ms; `null` when it does not. */
function endOf({ duration, until }: PauseOptions, now: number): number | null {
  const refuse = invalidArgument("pause");
  if (duration !== undefined && until !== undefined) throw refuse("until", "cannot be combined with `duration`");
  if (duration !== undefined) return now + durationMs(duration, "duration");
  if (until === undefined) return null;
  const at = epochMs(until, "until");
  if (at > now) return at;
  throw refuse("until", `must be an instant to come (got ${isoUtc(at)}, and it is ${isoUtc(now)})`);
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

  /** Keeps a pause of pipelines or everything, all or none; one that is there already keeps its beginning, unless it has run out. */
  async pause(target: unknown, rest: unknown): Promise<void> {
    const options = pauseOptions("pause", target, rest);
    const ids = this.#targets("pause", options);
    const { clock, store, events } = this.#core;
    const now = clock.now();
    const until = endOf(options, now);
    const act = { reason: text(options.reason, "reason", 1_000), user: text(options.user, "user", 200) };
    const there = new Map(ids.map((id) => [id, this.#known(id)]));
    await this.#endThoseThatRanOut(
      ids.filter((id) => hasRunOut(there.get(id) ?? null, now)),
      now,
    );
    const requests = ids.map((pipelineId): PauseRequest => {
      const known = there.get(pipelineId) ?? null;
      const pause: Pause = { at: known === null || hasRunOut(known, now) ? now : known.at, until, ...act };
      return { pipelineId, pause, noted: this.#audit.noted({ action: "pause", pipelineId, after: pause }, options) };
    });
    await store.pause(requests);
    await this.#sync(ids);
    for (const pipelineId of ids) events.emit("paused", () => ({ pipelineId, ...act, until: toDate(until) }));
  }

  /** Ends pauses, all or none; gives false when there was none. */
  async resume(target: unknown, rest: unknown): Promise<boolean> {
    const options = pauseOptions("resume", target, rest);
    const ids = this.#targets("resume", options);
    const { clock, store, events } = this.#core;
    const act = { reason: text(options.reason, "reason", 1_000), user: text(options.user, "user", 200) };
    const requests = ids.map(
      (pipelineId): ResumeRequest => ({ pipelineId, noted: this.#audit.noted({ action: "resume", pipelineId, after: null }, options) }),
    );
    const ended = await store.resume(requests, clock.now());
    await store.recheck(pipelinesOf(ids), clock.now());
    await this.#sync(ids);
    for (const [index, pause] of ended.entries()) {
      const pipelineId = ids[index] ?? null;
      if (pause === null) continue;
      if (hasRunOut(pause, clock.now())) this.#tellEnd(pipelineId, pause);
      else events.emit("resumed", () => ({ pipelineId, ...act, isAutomatic: false }));
    }
    return ended.some((pause) => pause !== null);
  }

  /** The pipelines that are meant; `null` stands for everything. */
  #targets(method: "pause" | "resume", options: PauseOptions): readonly (string | null)[] {
    this.#registry.runningTarget(undefined);
    const ids = selectedPipelines(options, () => this.#registry.all(), invalidArgument(method));
    return ids === null ? [null] : ids.map((id) => this.#registry.known(id).id);
  }

  /** The pause of a pipeline or of everything, as far as this node knows. */
  #known(id: string | null): Pause | null {
    return id === null ? this.#globalPause.current.pause : (this.#core.fireQueue.get(id)?.pause ?? null);
  }

  /** Ends pauses that have run out and that no round has ended yet, before others take their place. */
  async #endThoseThatRanOut(ids: readonly (string | null)[], now: number): Promise<void> {
    if (ids.length === 0) return;
    const { store } = this.#core;
    const own = ids.filter((id) => id !== null);
    const states = await store.states(own);
    const global = own.length < ids.length ? (await store.globalPause()).pause : null;
    const over = ids.filter((id) => hasRunOut(id === null ? global : (states[own.indexOf(id)]?.pause ?? null), now));
    const ended = await store.resume(
      over.map((pipelineId) => ({ pipelineId })),
      now,
    );
    for (const [index, pause] of ended.entries()) if (pause !== null) this.#tellEnd(over[index] ?? null, pause);
  }

  #tellEnd(pipelineId: string | null, { reason, user }: Pause): void {
    this.#core.events.emit("resumed", () => ({ pipelineId, reason, user, isAutomatic: true }));
  }

  async recheck(id: string | undefined): Promise<void> {
    const pipelineId = this.#registry.runningTarget(id);
    await this.#core.store.recheck(pipelineId === null ? null : [pipelineId], this.#core.clock.now());
    this.#core.signals.wake.emit();
  }

  async #sync(ids: readonly (string | null)[]): Promise<void> {
    const { store, fireQueue, clock, signals } = this.#core;
    const own = ids.filter((id) => id !== null);
    if (own.length < ids.length) {
      await this.#globalPause.read(); // this node's own change shows at once
      this.#globalPause.invalidate();
    }
    for (const [index, state] of (await store.states(own)).entries()) {
      const entry = fireQueue.get(own[index] as string);
      if (entry !== undefined) fireQueue.sync(entry, state, clock.now());
    }
    signals.wake.emit();
  }
}

/** The pipelines to look at again; `null` for all. */
function pipelinesOf(ids: readonly (string | null)[]): readonly string[] | null {
  const own = ids.filter((id) => id !== null);
  return own.length < ids.length ? null : own;
}
