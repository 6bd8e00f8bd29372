import type { Instant } from "../../base/instant.js";
import type { PipelineSelection } from "../../pipeline/request-options.js";
import type { FutureAnswer, OpenMatter } from "./explanation.js";

/** Bounds of `Scheduler.upcoming`. The pipelines are selected as in {@link PipelineSelection}; default: all. */
export interface UpcomingFireOptions extends PipelineSelection {
  /** Fire times strictly after this. Default now; an instant before counts as now. */
  from?: Instant;
  /** Fire times before this. Default: no end. */
  until?: Instant;
  /** 1 to 10,000. Default 10. */
  count?: number;
}

/** A fire time to come, and what becomes of it as far as that is certain now: the same as `Scheduler.explain` answers. */
export interface UpcomingFire {
  readonly pipelineId: string;
  readonly fireAt: Date;
  readonly answer: FutureAnswer;
  /** Reason, as a clause. */
  readonly reason: string;
  /** Matters that an answer `may_…` depends on. */
  readonly dependsOn: readonly OpenMatter[];
}
