import type { Clock } from "../ports/clock.js";
import type { Core } from "./core.js";

/** What adapters that ask a scheduler need beside its public methods. */
export class Host {
  readonly #core: Core;

  constructor(core: Core) {
    this.#core = core;
  }

  /** The clock that the scheduler was made with. */
  get clock(): Clock {
    return this.#core.clock;
  }

  /** Reports what can be thrown to nobody, as the event `error` and to the logger. */
  report(error: unknown, where: string): void {
    this.#core.events.report(error, where);
  }

  /** How many triggers wait over all pipelines and nodes, counted no further than `limit`. */
  countWaiting(limit: number): Promise<number> {
    return this.#core.store.countWaiting(limit);
  }
}
