import type { Core } from "../context/core.js";
import { STEP_MS } from "../context/store-clock.js";

type ClockJumpDetectorCore = Pick<Core, "clock" | "events" | "logger" | "settings">;

/** Notices when the wall clock moves on its own, or when the process was suspended or blocked. */
export class ClockJumpDetector {
  readonly #core: ClockJumpDetectorCore;
  #wall: number;
  #now: number;
  #monotonic: number;

  constructor(core: ClockJumpDetectorCore) {
    this.#core = core;
    this.#wall = core.clock.wall();
    this.#now = core.clock.now();
    this.#monotonic = core.clock.monotonic();
  }

  /**
   * Reports what happened since the last call, and returns by how much the time that the engine goes by has jumped, ms; 0 when it has not: a step of the wall clock that is
   * corrected by the store's clock is reported, and is none here.
   */
  check(now: number): number {
    const { clock, settings } = this.#core;
    const monotonic = clock.monotonic();
    const wall = clock.wall();
    const passedMs = monotonic - this.#monotonic;
    const wallMs = Math.round(wall - this.#wall - passedMs);
    const steppedMs = Math.round(now - this.#now - passedMs);
    this.#wall = wall;
    this.#now = now;
    this.#monotonic = monotonic;
    const stalledMs = Math.round(passedMs - settings.trustMs);
    if (isStep(wallMs)) this.#report({ kind: "stepped", byMs: wallMs });
    else if (stalledMs >= STEP_MS) this.#report({ kind: "stalled", byMs: stalledMs });
    return isStep(steppedMs) ? steppedMs : 0;
  }

  #report(event: { readonly kind: "stepped" | "stalled"; readonly byMs: number }): void {
    const text = event.kind === "stepped" ? "the wall clock jumped" : "the process was suspended or blocked";
    this.#core.logger.log("warn", text, event);
    this.#core.events.emit("clock.jumped", () => event);
  }
}

function isStep(ms: number): boolean {
  return Math.abs(ms) >= STEP_MS;
}
