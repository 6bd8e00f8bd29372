import type { Instant } from "../../base/instant.js";
import type { ActionContext } from "../../pipeline/request-options.js";

/** Options of `Scheduler.skip`. */
export interface SkipOptions extends ActionContext {
  /** The fire times to leave out, each exactly one of the schedule's. Not together with `next`. Default: the next one. */
  at?: Instant | readonly Instant[];
  /** The number of the next fire times to leave out, those that are skipped already included; 1 to 100. Default 1. */
  next?: number;
}

/** Options of `Scheduler.unskip`. */
export interface UnskipOptions extends ActionContext {
  /** The fire times that are no longer to be left out. Default: all of the pipeline's. */
  at?: Instant | readonly Instant[];
}

/** A fire time that will be left out. */
export interface SkippedFireTime {
  readonly fireAt: Date;
  /** When it was skipped. */
  readonly at: Date;
  readonly reason: string | null;
  readonly user: string | null;
}
