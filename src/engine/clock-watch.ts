import type { Core } from "./core.js";

/** A difference between wall and monotonic clock that is no mere slewing, ms. */
const STEP_MS = 2_000;
/** A schedule whose last fire time lies this far ahead was planned by a clock that was wrong. */
const FAR_AHEAD_MS = 24 * 3_600_000;

/** Notices when the wall clock moves on its own, or when nothing could run for a while. */
export class ClockWatch {
  readonly #core: Core;
  #wall: number;
  #monotonic: number;

  constructor(core: Core) {
    this.#core = core;
    this.#wall = core.clock.now();
    this.#monotonic = core.clock.monotonic();
  }

  /** Tells what happened since the last look; gives true when schedules must be planned anew. */
  look(now: number): boolean {
    const monotonic = this.#core.clock.monotonic();
    const passedMs = monotonic - this.#monotonic;
    const steppedMs = Math.round(now - this.#wall - passedMs);
    this.#wall = now;
    this.#monotonic = monotonic;
    const isStep = Math.abs(steppedMs) >= STEP_MS;
    const stalledMs = Math.round(passedMs - this.#core.settings.trustMs);
    if (!isStep && stalledMs < STEP_MS) return false;
    const event = isStep ? ({ kind: "stepped", byMs: steppedMs } as const) : ({ kind: "stalled", byMs: stalledMs } as const);
    this.#core.logger.log("warn", isStep ? "the wall clock jumped" : "nothing could run for a while", event);
    this.#core.events.tell("clock.jumped", () => event);
    return isStep;
  }
}

/**
 * Plans anew the schedules that a clock far ahead has advanced: without this they would stay silent until the time comes
 * round again. Fire times that were made already stay made; the store refuses them by pipeline and fire time.
 */
export async function replanFarAhead(core: Core, now: number): Promise<void> {
  const { registry, store } = core;
  const ahead = [...registry.all()].filter(
    ({ lastFireAt, nextFireAt }) => nextFireAt !== null && lastFireAt !== null && lastFireAt > now + FAR_AHEAD_MS,
  );
  if (ahead.length === 0) return;
  const results = await store.fire(
    ahead.map(({ pipeline, nextFireAt }) => ({
      pipelineId: pipeline.id,
      scheduleKey: pipeline.schedule.key,
      expectedFireAt: nextFireAt,
      nextFireAt: pipeline.schedule.nextAfter(now),
      lastFireAt: now,
      triggers: [],
      dropped: [],
    })),
    now,
  );
  for (const [index, { state }] of results.entries()) {
    const entry = ahead[index];
    if (entry !== undefined) registry.sync(entry, state, now);
  }
  core.logger.log("warn", "schedules that a wrong clock had carried far ahead were planned anew", { count: ahead.length });
}
