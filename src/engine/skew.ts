import type { Core } from "./core.js";

const WARN_MS = 5_000;

/** Measures how far this node's clock is from the clock of the store's server: leases of nodes whose clocks differ much run out too early or too late. */
export class Skew {
  readonly #core: Core;
  #isWarned = false;
  /** How far this node's clock is ahead, ms; `null` while it is not known. */
  aheadMs: number | null = null;

  constructor(core: Core) {
    this.#core = core;
  }

  async measure(): Promise<void> {
    const { store, clock, logger, events } = this.#core;
    const before = clock.now();
    const server = await store.serverTime();
    if (server === null) return;
    const aheadMs = Math.round((before + clock.now()) / 2 - server);
    this.aheadMs = aheadMs;
    const isLarge = Math.abs(aheadMs) > WARN_MS;
    if (isLarge && !this.#isWarned) {
      logger.log("warn", "this node's clock differs from the store's by more than 5 s; set it right (NTP)", { aheadMs });
      events.tell("clock.skewed", () => ({ aheadMs }));
    }
    this.#isWarned = isLarge;
  }
}
