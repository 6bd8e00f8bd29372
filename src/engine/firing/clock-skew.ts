import type { Core } from "../context/core.js";
import { STEP_MS } from "../context/store-clock.js";

/** However short `misfireThreshold` is, clocks that differ by less are taken for right, ms. */
const LEAST_TOLERANCE_MS = 100;

type ClockSkewMonitorCore = Pick<Core, "clock" | "events" | "logger" | "settings" | "store">;

/** Compares this node's clock with the clock of the store's server, and has the engine go by the server's when they differ by 2 s (or by `misfireThreshold`, if that is less). */
export class ClockSkewMonitor {
  readonly #core: ClockSkewMonitorCore;
  #isWarned = false;
  /** Offset of this node's clock ahead of the store's, ms; `null` while unknown. */
  aheadMs: number | null = null;

  constructor(core: ClockSkewMonitorCore) {
    this.#core = core;
  }

  /** Compares the clocks once. */
  async measure(): Promise<void> {
    const { store, clock, settings } = this.#core;
    if (clock.isSimulated) return;
    const before = clock.monotonic();
    const server = await store.serverTime();
    if (server === null) return;
    const answerMs = clock.monotonic() - before;
    const aheadMs = clock.wall() - answerMs / 2 - server;
    this.aheadMs = Math.round(aheadMs) + 0; // never -0
    const toleranceMs = Math.max(LEAST_TOLERANCE_MS, Math.min(settings.onTimeMs, STEP_MS));
    clock.compared({ aheadMs, answerMs, toleranceMs });
    this.#report(this.aheadMs);
  }

  #report(aheadMs: number): void {
    const { clock, logger, events } = this.#core;
    const { correctionMs } = clock;
    const isCorrected = correctionMs !== 0;
    if (isCorrected && !this.#isWarned) {
      logger.log("warn", "this node's clock differs from the store's, which is used instead; correct it (NTP)", {
        aheadMs,
        correctionMs,
      });
      events.emit("clock.skewed", () => ({ aheadMs, correctionMs }));
    }
    if (!isCorrected && this.#isWarned) logger.log("info", "this node's clock agrees with the store's again", { aheadMs });
    this.#isWarned = isCorrected;
  }
}
