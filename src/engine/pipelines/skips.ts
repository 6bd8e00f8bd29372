import { epochMs, type Instant, isoUtc } from "../../base/instant.js";
import { checkInteger, checkOptions, invalidArgument, type OptionNames } from "../../base/options.js";
import type { Pipeline } from "../../pipeline/pipeline.js";
import { ACT_OPTIONS, text } from "../../pipeline/requests.js";
import type { SkipOptions, SkippedFireTime, UnskipOptions } from "../../ports/scheduler-api/skips.js";
import { MOST_SKIPS, type SkippedFire } from "../../schedule/skips.js";
import type { AuditRecorder } from "../access/audit-log.js";
import type { Core } from "../context/core.js";
import type { PipelineRegistry } from "./pipeline-registry.js";

const SKIP: OptionNames<SkipOptions> = { ...ACT_OPTIONS, at: true, next: true };
const UNSKIP: OptionNames<UnskipOptions> = { ...ACT_OPTIONS, at: true };

type SkipCore = Pick<Core, "clock" | "events" | "fireQueue" | "signals" | "store">;

/** Fire times that users want left out. */
export class SkipControl {
  readonly #core: SkipCore;
  readonly #audit: AuditRecorder;
  readonly #registry: PipelineRegistry;

  constructor(core: SkipCore, audit: AuditRecorder, registry: PipelineRegistry) {
    this.#core = core;
    this.#audit = audit;
    this.#registry = registry;
  }

  /** Leaves fire times out; returns all that the pipeline leaves out. */
  async skip(pipelineId: string, options: SkipOptions): Promise<readonly SkippedFireTime[]> {
    const pipeline = this.#registry.running(pipelineId);
    const refuse = invalidArgument("skip");
    checkOptions(options, SKIP, "skip", refuse);
    const { at, next } = options;
    if (at !== undefined && next !== undefined) throw refuse("next", "cannot be combined with `at`");
    const by = { reason: text(options.reason, "reason", 1_000), user: text(options.user, "user", 200) };
    const fireTimes =
      at === undefined ? await this.#next(pipeline, next ?? 1) : instantsOf(at, "skip").map((one) => exactly(pipeline, one));
    const { store, clock, events } = this.#core;
    const now = clock.now();
    const wanted = fireTimes.map((fireAt): SkippedFire => ({ fireAt, at: now, ...by }));
    const skips = await store.skip(
      pipelineId,
      wanted,
      this.#audit.noted({ action: "skip", pipelineId, after: fireTimes.map(isoUtc) }, options),
    );
    await this.#sync(pipelineId);
    events.emit("schedule.skipped", () => ({ pipelineId, fireTimes: fireTimes.map(dateOf), ...by }));
    return skips.map(skipView);
  }

  /** Takes skips back; returns the fire times that are no longer left out. */
  async unskip(pipelineId: string, options: UnskipOptions): Promise<readonly SkippedFireTime[]> {
    this.#registry.running(pipelineId);
    checkOptions(options, UNSKIP, "unskip");
    const by = { reason: text(options.reason, "reason", 1_000), user: text(options.user, "user", 200) };
    const fireTimes = options.at === undefined ? null : instantsOf(options.at, "unskip");
    const noted = this.#audit.noted({ action: "unskip", pipelineId, after: fireTimes?.map(isoUtc) ?? null }, options);
    const removed = await this.#core.store.unskip(pipelineId, fireTimes, noted);
    if (removed.length === 0) return [];
    await this.#sync(pipelineId);
    const emitted = removed.map(({ fireAt }) => dateOf(fireAt));
    this.#core.events.emit("schedule.unskipped", () => ({ pipelineId, fireTimes: emitted, ...by }));
    return removed.map(skipView);
  }

  /** The next fire times by the schedule, from where the store has it. */
  async #next({ id, schedule }: Pipeline, count: number): Promise<readonly number[]> {
    const refuse = invalidArgument("skip");
    checkInteger(count, { least: 1, most: MOST_SKIPS }, "next", refuse);
    const [state] = await this.#core.store.states([id]);
    const fireTimes: number[] = [];
    for (let at = state?.nextFireAt ?? null; at !== null && fireTimes.length < count; at = schedule.nextAfter(at)) fireTimes.push(at);
    if (fireTimes.length > 0) return fireTimes;
    throw refuse(null, `pipeline ${id} has no fire time to come (${schedule.describe()})`);
  }

  async #sync(pipelineId: string): Promise<void> {
    const { store, fireQueue, clock, signals } = this.#core;
    const [state] = await store.states([pipelineId]);
    const entry = fireQueue.get(pipelineId);
    if (entry !== undefined) fireQueue.sync(entry, state ?? null, clock.now());
    signals.wake.emit();
  }
}

/** One of the schedule's fire times, or an error that names those around it. */
function exactly({ id, schedule }: Pipeline, at: number): number {
  const next = schedule.nextAfter(at - 1);
  if (next === at) return at;
  const which = next === null ? "it has none from then on" : `the next one from then on is ${isoUtc(next)}`;
  throw invalidArgument("skip")("at", `${isoUtc(at)} is not a fire time of ${id} (${schedule.describe()}); ${which}`);
}

function instantsOf(at: Instant | readonly Instant[], where: string): readonly number[] {
  const instants = Array.isArray(at) ? (at as readonly Instant[]) : [at as Instant];
  if (instants.length === 0 || instants.length > MOST_SKIPS)
    throw invalidArgument(where)("at", `must have 1 to ${MOST_SKIPS} instants (got ${instants.length})`);
  return instants.map((one, index) => epochMs(one, instants.length === 1 ? "at" : `at[${index}]`));
}

function dateOf(at: number): Date {
  return new Date(at);
}

export function skipView({ fireAt, at, reason, user }: SkippedFire): SkippedFireTime {
  return { fireAt: dateOf(fireAt), at: dateOf(at), reason, user };
}
